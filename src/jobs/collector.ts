import { isConflict, type KubeClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { JOB_DONE_WATCHERS, WEBHOOK_DELIVERIES } from './api-version.ts';
import type { JobCaches } from './job-caches.ts';
import { settledMark } from './job-marker.ts';
import type { KnownDelivery } from './known-delivery.ts';

export interface CollectorDeps {
  readonly client: Pick<KubeClient, 'delete'>;
  readonly caches: Pick<JobCaches, 'deliveries' | 'watchers' | 'index'>;
  readonly logger: Logger;
  readonly now: () => number;
}

export interface CollectorOptions {
  readonly finishedTtlMs: number;
  readonly catchUpMs: number;
  /** Of each kind; the oldest go first. */
  readonly maxFinishedPerNamespace: number;
  readonly intervalMs?: number;
}

export interface Collector {
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** One round; resolves to the number of deleted objects. */
  collect(signal: AbortSignal): Promise<number>;
}

const INTERVAL_MS = 30_000;

interface Finished {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly finishedAt?: string;
}

/** Deletes finished watchers and deliveries that are older than their time to live, or too many. */
export function createCollector(deps: CollectorDeps, options: CollectorOptions): Collector {
  const { client, caches, logger, now } = deps;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();

  async function collect(signal: AbortSignal): Promise<number> {
    const limits = { now: now(), ttlMs: options.finishedTtlMs, max: options.maxFinishedPerNamespace };
    const watchers = [...caches.watchers.store.values()].filter(({ open }) => open === undefined);
    const deliveries = [...caches.deliveries.store.values()].filter(
      (known) => known.phase !== 'Pending' && mayGo(known),
    );
    let deleted = 0;
    for (const [resource, chosen] of [
      [JOB_DONE_WATCHERS, chooseOld(watchers, limits)],
      [WEBHOOK_DELIVERIES, chooseOld(deliveries, limits)],
    ] as const) {
      for (const { namespace, name, uid } of chosen) {
        if (signal.aborted) return deleted;
        try {
          if (await client.delete({ resource, namespace, name }, { uid })) deleted += 1;
        } catch (error) {
          // 409: a namesake, which is not old.
          if (!isConflict(error)) logger.debug('not collected, tried again later', { error: String(error) });
        }
      }
    }
    if (deleted > 0) logger.info('collected old watchers and deliveries', { deleted });
    return deleted;
  }

  /** Without its delivery, a done Job would be told of again. */
  function mayGo({ event }: KnownDelivery): boolean {
    const job = caches.index.jobByUid(event.job.uid);
    if (job === undefined || event.type === 'test' || event.type === 'timeout') return true;
    return job.settled === settledMark(event) || now() - Date.parse(event.time) > options.catchUpMs;
  }

  return {
    collect,
    start(signal) {
      const run = () => {
        running = running.then(() => (signal.aborted ? 0 : collect(signal)));
      };
      timer = setInterval(run, options.intervalMs ?? INTERVAL_MS);
      signal.addEventListener('abort', () => clearInterval(timer), { once: true });
      return Promise.resolve();
    },
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

/** The finished ones that have to go. Pure. */
export function chooseOld<T extends Finished>(
  finished: readonly T[],
  { now, ttlMs, max }: { readonly now: number; readonly ttlMs: number; readonly max: number },
): T[] {
  const endOf = ({ finishedAt }: T) => Date.parse(finishedAt ?? '');
  const byNamespace = new Map<string, T[]>();
  for (const object of finished) {
    const others = byNamespace.get(object.namespace);
    if (others === undefined) byNamespace.set(object.namespace, [object]);
    else others.push(object);
  }
  return [...byNamespace.values()].flatMap((objects) => {
    const newestFirst = objects.sort((a, b) => endOf(b) - endOf(a));
    return newestFirst.filter((object, position) => position >= max || now - endOf(object) > ttlMs);
  });
}
