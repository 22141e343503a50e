import { KubeApiError, type KubeClient } from '../kube/index.ts';
import { API_VERSION, WEBHOOK_DELIVERIES } from './api-version.ts';
import type { JobCaches } from './job-caches.ts';
import { deliveryName } from './names.ts';
import { projectDelivery, type KnownDelivery } from './known-delivery.ts';
import { tellsSame } from './same-happening.ts';
import type { JobEvent, WebhookDelivery } from './webhook-delivery.ts';

export interface OutboxDeps {
  readonly client: Pick<KubeClient, 'create' | 'delete' | 'get'>;
  readonly caches: Pick<JobCaches, 'deliveries'>;
  /** Told of each delivery as soon as the API server has it, before the watch brings it. May be told twice. */
  readonly onCreated: (delivery: WebhookDelivery) => void;
  /** Somebody else has put a delivery under the name of this one, which tells something else. It was taken away. */
  readonly onForeign: (entry: OutboxEntry, name: string) => void;
}

export interface OutboxEntry {
  readonly namespace: string;
  readonly webhook: { readonly name: string; readonly uid: string };
  readonly event: JobEvent;
  readonly occasion?: string | undefined;
}

/**
 * The deliveries that exist. What was created here is known at once, and until the watch brings it. Names can be foreseen, so one that is there already counts only
 * if it tells the same; else ours takes its place.
 */
export interface Outbox {
  find(entry: OutboxEntry): KnownDelivery | undefined;
  /** Resolves once the API server has it, whoever created it. On repeat: the same object, nothing new. */
  ensure(entry: OutboxEntry): Promise<KnownDelivery>;
  /** The watch has brought it, or that it is gone. */
  seen(before: KnownDelivery | undefined, after: KnownDelivery | undefined): void;
}

export function createOutbox({ client, caches, onCreated, onForeign }: OutboxDeps): Outbox {
  const created = new Map<string, KnownDelivery>();
  const underWay = new Map<string, Promise<KnownDelivery>>();

  const create = async (entry: OutboxEntry, name: string): Promise<KnownDelivery> => {
    const delivery = await createOrGet(entry, name);
    const known = projectDelivery(delivery);
    if (known === undefined) throw new Error(`the delivery ${name} is being deleted`);
    const key = `${entry.namespace}/${name}`;
    // What the watch has brought already may have been sent meanwhile: this answer is older then.
    if (caches.deliveries.get(key)?.uid === known.uid) return known;
    created.set(key, known);
    if (known.open !== undefined) onCreated(known.open);
    return known;
  };

  const createOrGet = async (entry: OutboxEntry, name: string): Promise<WebhookDelivery> => {
    const { namespace, webhook, event } = entry;
    const body = {
      apiVersion: API_VERSION,
      kind: 'WebhookDelivery',
      metadata: { name, namespace },
      spec: { webhook: { name: webhook.name, uid: webhook.uid }, event },
    };
    try {
      return await client.create<WebhookDelivery>(WEBHOOK_DELIVERIES, namespace, body);
    } catch (error) {
      if (!(error instanceof KubeApiError) || error.reason !== 'AlreadyExists') throw error;
      const ref = { resource: WEBHOOK_DELIVERIES, namespace, name };
      const existing = await client.get<WebhookDelivery>(ref);
      if (existing === undefined) throw error;
      if (tellsSame(existing.spec, entry)) return existing;
      await client.delete(ref, { uid: existing.metadata.uid });
      onForeign(entry, name);
      return await client.create<WebhookDelivery>(WEBHOOK_DELIVERIES, namespace, body);
    }
  };

  const find = (entry: OutboxEntry): KnownDelivery | undefined => {
    const key = `${entry.namespace}/${nameOf(entry)}`;
    return [caches.deliveries.get(key), created.get(key)].find(
      (known) => known !== undefined && tellsSame(known, entry),
    );
  };

  return {
    find,
    ensure(entry) {
      const known = find(entry);
      if (known !== undefined) return Promise.resolve(known);
      const name = nameOf(entry);
      const key = `${entry.namespace}/${name}`;
      const begun =
        underWay.get(key) ??
        create(entry, name).finally(() => {
          underWay.delete(key);
        });
      underWay.set(key, begun);
      return begun;
    },
    seen(before, after) {
      const known = after ?? before;
      if (known === undefined) return;
      const key = `${known.namespace}/${known.name}`;
      // Not by what it still shows of one that ours has replaced.
      if (created.get(key)?.uid === known.uid) created.delete(key);
    },
  };
}

function nameOf({ webhook, event, occasion }: OutboxEntry): string {
  return deliveryName({
    jobUid: event.job.uid,
    event: event.type,
    // A Job may be suspended again and again; each time is told.
    occasion: occasion ?? (event.type === 'suspended' ? event.time : undefined),
    webhookUid: webhook.uid,
  });
}
