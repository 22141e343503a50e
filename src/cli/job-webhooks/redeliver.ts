import {
  ANNOTATION_REDELIVER,
  phaseOf,
  WEBHOOK_DELIVERIES,
  whyDisabled,
  type Webhook,
  type WebhookDelivery,
} from '../../jobs/index.ts';
import { isConflict, isNotFound, type KubeClient } from '../../kube/index.ts';
import { awaitAttempt, tellOutcome, type AwaitDeps } from './await-attempt.ts';
import { isAskedAgain } from './describe-delivery.ts';
import { readAll, readOne, type ObjectReader } from './read-objects.ts';

export interface RedeliverDeps extends AwaitDeps {
  readonly client: ObjectReader & Pick<KubeClient, 'patch'>;
  /** Time of day, in milliseconds since 1970. */
  readonly now: () => number;
  readonly print: (line: string) => void;
}

export interface RedeliverOptions {
  readonly namespace: string;
  /** These; or else `failedSince` chooses. */
  readonly names: readonly string[];
  /** Dead letters that became so since this time, in milliseconds since 1970. */
  readonly failedSince?: number;
  /** Of these only those for this Webhook. */
  readonly webhook?: string;
  /** For how long to wait for the attempts, all together; 0: not at all. */
  readonly waitMs: number;
}

/** 0: all delivered, or merely asked for with `waitMs` 0; 1: an attempt failed, or one could not be asked for; 2: not tried in time. */
export type RedeliverResult = 0 | 1 | 2;

/**
 * Asks for deliveries to be sent again, with the same webhook-id, by an annotation; the service then begins a new round of attempts. The
 * same again is asked for again.
 *
 * @throws Error for a person: no such delivery, or one that cannot be sent any more
 */
export async function redeliver(deps: RedeliverDeps, options: RedeliverOptions): Promise<RedeliverResult> {
  const chosen = await choose(deps, options);
  if (chosen.length === 0) {
    deps.print('no delivery has failed since then');
    return 0;
  }
  const request = new Date(deps.now()).toISOString();
  const asked: WebhookDelivery[] = [];
  for (const delivery of chosen) if (await ask(deps, delivery, request)) asked.push(delivery);
  deps.print(`asked for ${asked.length} of ${chosen.length}`);
  const all = asked.length === chosen.length;
  if (options.waitMs === 0) return all ? 0 : 1;
  const result = await untilTried(deps, asked, request, options.waitMs);
  return all ? result : 1;
}

/** Dead letters since a time, the oldest first: what `redeliver --failed-since` sends again. */
export function failedSince(
  deliveries: readonly WebhookDelivery[],
  since: number,
  webhook: string | undefined,
): readonly WebhookDelivery[] {
  const endOf = ({ status }: WebhookDelivery) => Date.parse(status?.finishedAt ?? '');
  return deliveries
    .filter((delivery) => phaseOf(delivery) === 'DeadLetter' && !isAskedAgain(delivery))
    .filter((delivery) => endOf(delivery) >= since)
    .filter(({ spec }) => webhook === undefined || spec.webhook.name === webhook)
    .sort((a, b) => endOf(a) - endOf(b));
}

async function choose(deps: RedeliverDeps, options: RedeliverOptions): Promise<readonly WebhookDelivery[]> {
  const { client, print } = deps;
  const { namespace, names } = options;
  const webhooks = new Map(
    (await readAll<Webhook>(client, 'Webhook', namespace)).map((webhook) => [webhook.metadata.uid, webhook]),
  );
  const whyNot = ({ spec }: WebhookDelivery): string | undefined => {
    const webhook = webhooks.get(spec.webhook.uid);
    const { name } = spec.webhook;
    if (webhook === undefined) return `its Webhook ${name} was deleted; a namesake is another endpoint`;
    const disabled = whyDisabled(webhook);
    if (disabled === undefined) return undefined;
    return `its Webhook ${name} is disabled (${disabled}); first: krake-hooks webhooks enable ${name} -n ${namespace}`;
  };
  if (names.length === 0) {
    const all = await readAll<WebhookDelivery>(client, 'WebhookDelivery', namespace);
    return failedSince(all, options.failedSince ?? 0, options.webhook).filter((delivery) => {
      const why = whyNot(delivery);
      if (why !== undefined) print(`left out: ${delivery.metadata.name}: ${why}`);
      return why === undefined;
    });
  }
  const found: WebhookDelivery[] = [];
  for (const name of new Set(names)) {
    const delivery = await readOne<WebhookDelivery>(client, 'WebhookDelivery', namespace, name);
    const why = whyNot(delivery);
    if (why !== undefined) throw new Error(`${name} cannot be sent again: ${why}`);
    found.push(delivery);
  }
  return found;
}

/** False when it is gone meanwhile. */
async function ask(
  { client, print }: RedeliverDeps,
  { metadata: { namespace, name, uid } }: WebhookDelivery,
  request: string,
): Promise<boolean> {
  const body = { metadata: { uid, annotations: { [ANNOTATION_REDELIVER]: request } } };
  try {
    await client.patch({ resource: WEBHOOK_DELIVERIES, namespace, name }, { type: 'merge', body });
    return true;
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
    print(`${name} is gone`);
    return false;
  }
}

async function untilTried(
  deps: RedeliverDeps,
  asked: readonly WebhookDelivery[],
  request: string,
  waitMs: number,
): Promise<RedeliverResult> {
  const endMs = deps.monotonic() + waitMs;
  const isTaken = ({ status }: WebhookDelivery) => status?.redelivered === request;
  let result: RedeliverResult = 0;
  // They are sent at the same time; looked at one after the other.
  for (const { metadata } of asked) {
    const outcome = await awaitAttempt(deps, metadata, isTaken, Math.max(0, endMs - deps.monotonic()));
    deps.print(`${metadata.name}: ${tellOutcome(outcome)}`);
    if (outcome.kind === 'not-tried') result = result === 0 ? 2 : result;
    else if (outcome.kind !== 'delivered') result = 1;
  }
  return result;
}
