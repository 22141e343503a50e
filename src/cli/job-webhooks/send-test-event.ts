import {
  API_VERSION,
  WEBHOOK_DELIVERIES,
  whyDisabled,
  type Webhook,
  type WebhookDelivery,
} from '../../jobs/index.ts';
import type { KubeClient } from '../../kube/index.ts';
import { awaitAttempt, tellOutcome, type AwaitDeps } from './await-attempt.ts';
import { urlForPeople } from './describe-webhook.ts';
import { readOne, type ObjectReader } from './read-objects.ts';

export interface TestEventDeps extends AwaitDeps {
  readonly client: ObjectReader & Pick<KubeClient, 'create' | 'delete'>;
  readonly now: () => number;
  /** A UUID that nobody else has. */
  readonly newId: () => string;
  readonly print: (line: string) => void;
}

export interface TestEventOptions {
  readonly namespace: string;
  readonly webhook: string;
  readonly waitMs: number;
  /** Whether a Webhook with `format: verbatim` may send the body that it sends of a Job. */
  readonly realBody: boolean;
}

/**
 * Sends one event of type `test` to a Webhook, the way that all events go: through the outbox, signed, from where krake-hooks runs. One attempt: if it
 * fails the delivery is withdrawn, so that nothing is tried on for days. 0: delivered; 1: it failed; 2: not tried in time.
 *
 * @throws Error for a person: no such Webhook, it is disabled, or its receiver could not tell the test from a Job
 */
export async function sendTestEvent(
  deps: TestEventDeps,
  { namespace, webhook: webhookName, waitMs, realBody }: TestEventOptions,
): Promise<0 | 1 | 2> {
  const { client, print } = deps;
  const webhook = await readOne<Webhook>(client, 'Webhook', namespace, webhookName);
  const disabled = whyDisabled(webhook);
  if (disabled !== undefined)
    throw new Error(
      `Webhook ${webhookName} is disabled (${disabled}); first: krake-hooks webhooks enable ${webhookName} -n ${namespace}`,
    );
  const isVerbatim = webhook.spec.format === 'verbatim';
  if (isVerbatim && !realBody) throw new Error(whyNoTest(webhook));
  const id = deps.newId();
  const delivery = await client.create<WebhookDelivery>(
    WEBHOOK_DELIVERIES,
    namespace,
    buildTestDelivery(webhook, id, deps.now()),
  );
  const { metadata } = delivery;
  const what = isVerbatim ? 'the real body' : 'a test event';
  print(`${what} for Webhook ${webhookName}, webhook-id ${metadata.name}`);
  const outcome = await awaitAttempt(deps, metadata, () => true, waitMs);
  print(tellOutcome(outcome));
  if (outcome.kind === 'delivered') return 0;
  if (outcome.kind !== 'gone') {
    const ref = { resource: WEBHOOK_DELIVERIES, namespace, name: metadata.name };
    await client.delete(ref, { uid: metadata.uid });
    print('the test event is withdrawn');
  }
  return outcome.kind === 'not-tried' ? 2 : 1;
}

/** Pure. */
export function buildTestDelivery({ metadata }: Webhook, id: string, now: number): object {
  const { namespace, name, uid } = metadata;
  return {
    apiVersion: API_VERSION,
    kind: 'WebhookDelivery',
    metadata: { name: `test-${id}`, namespace },
    spec: {
      webhook: { name, uid },
      event: {
        type: 'test',
        time: new Date(now).toISOString(),
        job: { name: 'test', uid: id },
        reason: 'Test',
        message: 'A test event; there is no such Job.',
      },
    },
  };
}

function whyNoTest({ metadata: { namespace, name }, spec }: Webhook): string {
  const bytes = Buffer.byteLength(spec.requestBody);
  return [
    `Webhook ${name} has the format verbatim: sent would be its requestBody as it stands (${bytes} bytes), to ${urlForPeople(spec.url)}.`,
    'Its receiver could not tell that from the end of a Job. To send it all the same:',
    `krake-hooks webhooks test ${name} -n ${namespace} --real-body`,
  ].join(' ');
}
