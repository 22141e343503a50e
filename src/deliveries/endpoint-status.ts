import { isNotFound, type KubeClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { WEBHOOKS, type Webhook, type WebhookStatus } from '../jobs/index.ts';

/** Keeps the status of Webhooks, with few writes: what did not change is not written, and a success at most every half minute. */
export interface EndpointStatus {
  succeeded(webhook: Webhook, now: number): void;
  failed(webhook: Webhook, error: string, now: number): void;
  /** 410: nothing more is sent until its spec changes. */
  gone(webhook: Webhook, now: number): void;
  /** Resolves when what was begun has ended. */
  flush(): Promise<void>;
}

export interface EndpointStatusOptions {
  /** An endpoint that has been failing for this long is disabled. */
  readonly disableAfterMs: number;
}

const SUCCESS_EVERY_MS = 30_000;

export function createEndpointStatus(
  deps: {
    readonly client: Pick<KubeClient, 'patch'>;
    readonly logger: Logger;
    readonly onDisabled: (webhook: Webhook, reason: string) => void;
  },
  { disableAfterMs }: EndpointStatusOptions,
): EndpointStatus {
  /** What this process wrote last, by UID: the watch cache lags a little behind it, and nobody else writes. */
  const written = new Map<string, WebhookStatus>();
  const underWay = new Set<Promise<void>>();

  const statusOf = ({ metadata, status }: Webhook): WebhookStatus =>
    written.get(metadata.uid) ?? status ?? {};

  function write(webhook: Webhook, change: object): void {
    const { namespace, name, uid } = webhook.metadata;
    const sent = deps.client
      .patch(
        { resource: WEBHOOKS, namespace, name, subresource: 'status' },
        { type: 'merge', body: { metadata: { uid }, status: change } },
      )
      .then(
        () => undefined,
        (error: unknown) => {
          written.delete(uid);
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
    written.set(webhook.metadata.uid, { ...statusOf(webhook), disabled });
    write(webhook, { disabled });
    deps.onDisabled(webhook, message);
  }

  return {
    succeeded(webhook, now) {
      const { failingSince, lastDeliveredAt, disabled } = statusOf(webhook);
      const fresh = lastDeliveredAt !== undefined && now - Date.parse(lastDeliveredAt) < SUCCESS_EVERY_MS;
      if (failingSince === undefined && fresh) return;
      const at = new Date(now).toISOString();
      written.set(webhook.metadata.uid, { ...(disabled && { disabled }), lastDeliveredAt: at });
      write(webhook, { lastDeliveredAt: at, failingSince: null, lastError: null });
    },
    failed(webhook, error, now) {
      const status = statusOf(webhook);
      const lastError = error.slice(0, 1_000);
      if (status.failingSince === undefined) {
        const failingSince = new Date(now).toISOString();
        written.set(webhook.metadata.uid, { ...status, failingSince, lastError });
        write(webhook, { failingSince, lastError });
      } else if (now - Date.parse(status.failingSince) > disableAfterMs) {
        disable(webhook, 'FailingForLong', `it has been failing since ${status.failingSince}`, now);
      }
    },
    gone: (webhook, now) => disable(webhook, 'Gone', 'the endpoint answered 410', now),
    flush: async () => {
      await Promise.all(underWay);
    },
  };
}
