import type { RedeliverDeps } from '../../../../src/cli/job-webhooks/redeliver.ts';
import type { TestEventDeps } from '../../../../src/cli/job-webhooks/send-test-event.ts';
import { webhookSpecSchema, type Webhook, type WebhookDelivery } from '../../../../src/jobs/index.ts';
import { KubeApiError } from '../../../../src/kube/index.ts';

export const NOW = Date.parse('2026-11-21T08:00:00.000Z');
export const REDELIVER = 'hooks.krake.dev/redeliver-requested-at';

export function webhook(
  changes: {
    readonly name?: string;
    readonly spec?: Partial<Webhook['spec']>;
    readonly status?: Webhook['status'];
  } = {},
): Webhook {
  const { name = 'audit', spec, status } = changes;
  return {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'Webhook',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      generation: 1,
      creationTimestamp: '2026-11-21T07:00:00Z',
    },
    spec: { ...webhookSpecSchema.parse({ url: 'https://audit.example.com/jobs' }), ...spec },
    ...(status && { status }),
  };
}

export function delivery(
  changes: {
    readonly name?: string;
    readonly webhook?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly status?: WebhookDelivery['status'];
  } = {},
): WebhookDelivery {
  const { name = 'jd-1', webhook: target = 'audit', annotations, status } = changes;
  return {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'WebhookDelivery',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      creationTimestamp: '2026-11-21T07:50:00Z',
      ...(annotations && { annotations }),
    },
    spec: {
      webhook: { name: target, uid: `uid-${target}` },
      event: {
        type: 'failed',
        time: '2026-11-21T07:50:00.000Z',
        job: { name: 'train', uid: 'uid-train' },
        reason: 'BackoffLimitExceeded',
        succeeded: 0,
        failed: 1,
        labels: {},
      },
    },
    ...(status && { status }),
  };
}

export function deadLetter(name: string, finishedAt: string, target = 'audit'): WebhookDelivery {
  const status = { phase: 'DeadLetter', reason: 'TooOld', attempts: 4, finishedAt } as const;
  return delivery({ name, webhook: target, status });
}

/** Objects in memory, and a deliverer that does on each look what the test wants. */
export interface JobWebhookWorld {
  readonly deps: RedeliverDeps & TestEventDeps;
  readonly lines: string[];
  /** Bodies of all writes, in order; a deletion is its name. */
  readonly written: unknown[];
  elapsedMs(): number;
}

export function jobWebhookWorld(
  webhooks: readonly Webhook[],
  deliveries: readonly WebhookDelivery[],
  /** What the deliverer has made of a delivery by the next look at it. */
  after: (delivery: WebhookDelivery) => WebhookDelivery | undefined = (same) => same,
): JobWebhookWorld {
  const lines: string[] = [];
  const written: unknown[] = [];
  const stored = new Map<string, Webhook | WebhookDelivery>();
  for (const object of [...webhooks, ...deliveries]) stored.set(object.metadata.name, object);
  let ms = 0;
  const client = {
    get: ({ name }: { readonly name: string }) => {
      const found = stored.get(name);
      if (found?.kind !== 'WebhookDelivery') return Promise.resolve(found);
      const next = after(found);
      if (next === undefined) stored.delete(name);
      else stored.set(name, next);
      return Promise.resolve(next);
    },
    list: ({ plural }: { readonly plural: string }) => {
      const kind = plural === 'webhooks' ? 'Webhook' : 'WebhookDelivery';
      const items = [...stored.values()].filter((object) => object.kind === kind);
      return Promise.resolve({ items, resourceVersion: '1' });
    },
    patch: ({ name }: { readonly name: string }, { body }: { readonly body: object }) => {
      const found = stored.get(name);
      if (found === undefined) return Promise.reject(new KubeApiError('gone', 404, 'NotFound'));
      written.push(body);
      const change = body as { readonly metadata?: object; readonly spec?: object };
      stored.set(name, {
        ...found,
        metadata: { ...found.metadata, ...change.metadata },
        spec: { ...found.spec, ...change.spec },
      } as Webhook | WebhookDelivery);
      return Promise.resolve(found);
    },
    create: (_resource: unknown, namespace: string, body: WebhookDelivery) => {
      written.push(body);
      const object = { ...body, metadata: { ...body.metadata, namespace, uid: 'uid-new' } };
      stored.set(object.metadata.name, object);
      return Promise.resolve(object);
    },
    delete: ({ name }: { readonly name: string }) => {
      written.push(name);
      return Promise.resolve(stored.delete(name));
    },
  } as unknown as RedeliverDeps['client'] & TestEventDeps['client'];
  return {
    lines,
    written,
    elapsedMs: () => ms,
    deps: {
      client,
      now: () => NOW,
      monotonic: () => ms,
      newId: () => '00000000-0000-4000-8000-000000000000',
      print: (line) => lines.push(line),
      pause: (pauseMs) => {
        ms += pauseMs;
        return Promise.resolve();
      },
    },
  };
}

/** A deliverer that takes up what is asked for and then has this status. */
export function taken(status: WebhookDelivery['status']): (delivery: WebhookDelivery) => WebhookDelivery {
  return (found) => {
    const asked = found.metadata.annotations?.[REDELIVER];
    return asked === undefined ? found : { ...found, status: { ...status, redelivered: asked } };
  };
}
