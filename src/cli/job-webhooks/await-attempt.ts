import { phaseOf, WEBHOOK_DELIVERIES, type WebhookDelivery } from '../../jobs/index.ts';
import type { KubeClient } from '../../kube/index.ts';
import { lastResult } from './describe-delivery.ts';

export interface AwaitDeps {
  readonly client: Pick<KubeClient, 'get'>;
  /** A clock that only goes forward, in milliseconds. */
  readonly monotonic: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly delivery: WebhookDelivery }
  /** It goes on being tried, or has ended otherwise. */
  | { readonly kind: 'failed'; readonly delivery: WebhookDelivery; readonly goesOn: boolean }
  | { readonly kind: 'gone' }
  | { readonly kind: 'not-tried' };

const POLL_MS = 200;

/**
 * Waits for the first attempt of a round.
 *
 * @param isTaken whether the service has taken up what was asked for
 */
export async function awaitAttempt(
  { client, monotonic, pause }: AwaitDeps,
  { namespace, name, uid }: Readonly<Record<'namespace' | 'name' | 'uid', string>>,
  isTaken: (delivery: WebhookDelivery) => boolean,
  waitMs: number,
): Promise<AttemptOutcome> {
  const endMs = monotonic() + waitMs;
  for (;;) {
    const delivery = await client.get<WebhookDelivery>({ resource: WEBHOOK_DELIVERIES, namespace, name });
    if (delivery?.metadata.uid !== uid) return { kind: 'gone' };
    if (isTaken(delivery)) {
      const phase = phaseOf(delivery);
      if (phase === 'Delivered') return { kind: 'delivered', delivery };
      if (phase !== 'Pending') return { kind: 'failed', delivery, goesOn: false };
      if ((delivery.status?.roundAttempts ?? 0) > 0) return { kind: 'failed', delivery, goesOn: true };
    }
    if (monotonic() >= endMs) return { kind: 'not-tried' };
    await pause(POLL_MS);
  }
}

/** What came of it, for a person. */
export function tellOutcome(outcome: AttemptOutcome): string {
  switch (outcome.kind) {
    case 'gone':
      return 'it is gone: somebody deleted it';
    case 'not-tried':
      return 'no attempt was made in time: is krake-hooks running (kubectl -n krake-system get deployment krake-hooks-jobs), is the namespace opted in (label hooks.krake.dev/enabled=true), and are earlier calls of the endpoint still waiting for an answer?';
    case 'delivered':
      return tellDelivered(outcome.delivery);
    case 'failed':
      return tellFailed(outcome.delivery, outcome.goesOn);
  }
}

function tellDelivered(delivery: WebhookDelivery): string {
  const tookMs = delivery.status?.log?.at(-1)?.durationMs;
  return `delivered: ${lastResult(delivery) ?? 'taken'}${tookMs === undefined ? '' : ` after ${tookMs} ms`}`;
}

function tellFailed(delivery: WebhookDelivery, goesOn: boolean): string {
  const { phase = 'Pending', reason, nextAttemptAt = '?' } = delivery.status ?? {};
  const result = lastResult(delivery);
  if (goesOn) return `failed: ${result ?? ''}; the next attempt is at ${nextAttemptAt}`;
  return [phase, reason, result].filter((text) => text !== undefined).join(': ');
}
