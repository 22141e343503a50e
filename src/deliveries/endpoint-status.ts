import { isNotFound, type KubeClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { WEBHOOKS, type Webhook, type WebhookStatus } from '../jobs/index.ts';

/** Keeps the status of Webhooks, with few writes: what did not change is not written, and a success at most every half minute. */
export interface EndpointStatus {
  succeeded(webhook: Webhook, now: number): void;
  failed(webhook: Webhook, error: string, now: number): void;
  /** 410: nothing more is sent until its spec changes. */
  gone(webhook: Webhook, now: number): void;
  /** As the watch shows it. One that was disabled and whose spec has changed since is enabled, and its status says so. */
  seen(webhook: Webhook): void;
  /** It has been deleted. */
  forget(uid: string): void;
  /** Resolves when what was begun has ended. */
  flush(): Promise<void>;
}

export interface EndpointStatusOptions {
  /**
   * An endpoint that has been failing for this long is disabled: that many failures in a row without a success, without a pause of more than half of this
   * time and without a change of the spec. A failure now and then, with nothing sent in between, says nothing of the time in between.
   */
  readonly disableAfterMs: number;
}

const SUCCESS_EVERY_MS = 30_000;
/** The row of failures is written no more often than this, nor than ten times in `disableAfterMs`. */
const FAILURE_EVERY_MS = 600_000;
const MIN_FAILURES = 5;

export function createEndpointStatus(
  deps: {
    readonly client: Pick<KubeClient, 'patch'>;
    readonly logger: Logger;
    readonly onDisabled: (webhook: Webhook, reason: string) => void;
  },
  { disableAfterMs }: EndpointStatusOptions,
): EndpointStatus {
  /** What this leader knows, by UID: the watch cache lags behind it, and nobody else writes. */
  const known = new Map<string, WebhookStatus>();
  /** When the row of failures was written last, by UID. */
  const rowWrittenAt = new Map<string, number>();
  const underWay = new Set<Promise<void>>();

  const statusOf = ({ metadata, status }: Webhook): WebhookStatus => known.get(metadata.uid) ?? status ?? {};

  /** @param resourceVersion nothing is written if somebody has changed the Webhook since */
  function write(webhook: Webhook, change: object, resourceVersion?: string): void {
    const { namespace, name, uid } = webhook.metadata;
    const sent = deps.client
      .patch(
        { resource: WEBHOOKS, namespace, name, subresource: 'status' },
        {
          type: 'merge',
          body: { metadata: { uid, ...(resourceVersion && { resourceVersion }) }, status: change },
        },
      )
      .then(
        () => undefined,
        (error: unknown) => {
          known.delete(uid);
          rowWrittenAt.delete(uid);
          if (!isNotFound(error))
            deps.logger.debug('the status of a Webhook was not written', { error: String(error) });
        },
      )
      .finally(() => underWay.delete(sent));
    underWay.add(sent);
  }

  function disable(webhook: Webhook, reason: 'Gone' | 'FailingForLong', message: string, now: number): void {
    const disabled = {
      reason,
      message,
      since: new Date(now).toISOString(),
      generation: webhook.metadata.generation ?? 0,
    };
    if (statusOf(webhook).disabled?.generation === disabled.generation) return;
    known.set(webhook.metadata.uid, { ...statusOf(webhook), disabled });
    write(webhook, { disabled });
    deps.onDisabled(webhook, message);
  }

  return {
    seen(webhook) {
      const { uid, generation = 0, resourceVersion } = webhook.metadata;
      if (webhook.status?.disabled === undefined || webhook.status.disabled.generation === generation) return;
      const own = known.get(uid);
      // Disabled anew: that is on its way to the status.
      if (own?.disabled?.generation === generation) return;
      if (own !== undefined) {
        const enabled = { ...own };
        delete enabled.disabled;
        known.set(uid, enabled);
      }
      write(webhook, { disabled: null }, resourceVersion);
    },
    succeeded(webhook, now) {
      const { failingSince, lastDeliveredAt, disabled } = statusOf(webhook);
      const fresh = lastDeliveredAt !== undefined && now - Date.parse(lastDeliveredAt) < SUCCESS_EVERY_MS;
      if (failingSince === undefined && fresh) return;
      const at = new Date(now).toISOString();
      known.set(webhook.metadata.uid, { ...(disabled && { disabled }), lastDeliveredAt: at });
      write(webhook, { lastDeliveredAt: at, failingSince: null, failing: null, lastError: null });
    },
    failed(webhook, error, now) {
      const { uid } = webhook.metadata;
      const before = statusOf(webhook);
      const row = {
        ...rowAfter(before, webhook.metadata.generation ?? 0, now, disableAfterMs / 2),
        lastError: error.slice(0, 1_000),
      };
      known.set(uid, { ...before, ...row });
      const tookMs = now - Date.parse(row.failingSince);
      if (tookMs > disableAfterMs && row.failing.attempts >= MIN_FAILURES) {
        const { attempts } = row.failing;
        disable(
          webhook,
          'FailingForLong',
          `it has been failing since ${row.failingSince}, ${attempts} times`,
          now,
        );
        return;
      }
      const isNew = row.failingSince !== before.failingSince;
      const everyMs = Math.min(FAILURE_EVERY_MS, disableAfterMs / 10);
      if (!isNew && now - (rowWrittenAt.get(uid) ?? 0) < everyMs) return;
      rowWrittenAt.set(uid, now);
      write(webhook, row);
    },
    forget(uid) {
      known.delete(uid);
      rowWrittenAt.delete(uid);
    },
    gone: (webhook, now) => disable(webhook, 'Gone', 'the endpoint answered 410', now),
    flush: async () => {
      await Promise.all(underWay);
    },
  };
}

interface FailingRow {
  readonly failingSince: string;
  readonly failing: NonNullable<WebhookStatus['failing']>;
}

/** The row of failures with one more, or a new one. */
function rowAfter(
  { failingSince, failing }: WebhookStatus,
  generation: number,
  now: number,
  maxPauseMs: number,
): FailingRow {
  const lastAt = new Date(now).toISOString();
  const goesOn =
    failingSince !== undefined &&
    failing?.generation === generation &&
    now - Date.parse(failing.lastAt) <= maxPauseMs;
  return goesOn
    ? { failingSince, failing: { attempts: failing.attempts + 1, lastAt, generation } }
    : { failingSince: lastAt, failing: { attempts: 1, lastAt, generation } };
}
