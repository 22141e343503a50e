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
  /** Of dead letters: somebody has to see them, and to mend what they failed for, before they can be sent again. */
  readonly deadLetterTtlMs: number;
  readonly catchUpMs: number;
  /** Watchers, deliveries and dead letters, so many of each; the oldest go first. */
  readonly maxFinishedPerNamespace: number;
  readonly intervalMs?: number;
}

export interface Collector {
  /** To be called once. */
  start(signal: AbortSignal): Promise<void>;
  /** Ends the round that is under way: whoever gives the Lease back must not wait for what any leader can do later. */
  stop(): Promise<void>;
  /** One round; resolves to the number of deleted objects. */
  collect(signal: AbortSignal): Promise<number>;
}

const INTERVAL_MS = 30_000;
/** Thousands one after the other would take minutes; more at the same time would be in the way of what is urgent. */
const PARALLEL_DELETES = 8;

interface Finished {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly finishedAt?: string;
}

/** Deletes finished watchers and deliveries that are older than their time to live, or too many. Dead letters are counted by themselves: no success takes the place of one. */
export function createCollector(deps: CollectorDeps, options: CollectorOptions): Collector {
  const { client, caches, logger, now } = deps;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let isRunning = false;
  const stopping = new AbortController();

  async function collect(signal: AbortSignal): Promise<number> {
    const limits = { now: now(), ttlMs: options.finishedTtlMs, max: options.maxFinishedPerNamespace };
    const deadLimits = { ...limits, ttlMs: options.deadLetterTtlMs };
    const watchers = [...caches.watchers.store.values()].filter(({ open }) => open === undefined);
    const deliveries = [...caches.deliveries.store.values()].filter(
      (known) => known.phase !== 'Pending' && mayGo(known),
    );
    const dead = deliveries.filter(({ phase }) => phase === 'DeadLetter');
    const others = deliveries.filter(({ phase }) => phase !== 'DeadLetter');
    const oldDeliveries = [...chooseOld(others, limits), ...chooseOld(dead, deadLimits)];
    const old = [
      ...chooseOld(watchers, limits).map((object) => ({ ...object, resource: JOB_DONE_WATCHERS })),
      ...oldDeliveries.map((object) => ({ ...object, resource: WEBHOOK_DELIVERIES })),
    ].values();
    let deleted = 0;
    const work = async (): Promise<void> => {
      // One iterator for all: each takes the next.
      for (const { resource, namespace, name, uid } of old) {
        if (signal.aborted) return;
        try {
          if (await client.delete({ resource, namespace, name }, { uid, signal })) deleted += 1;
        } catch (error) {
          // 409: a namesake, which is not old.
          if (!isConflict(error)) logger.debug('not collected, tried again later', { error: String(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_DELETES }, work));
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
      const ending = AbortSignal.any([signal, stopping.signal]);
      const run = () => {
        if (isRunning || ending.aborted) return;
        isRunning = true;
        running = collect(ending).finally(() => {
          isRunning = false;
        });
      };
      timer = setInterval(run, options.intervalMs ?? INTERVAL_MS);
      ending.addEventListener('abort', () => clearInterval(timer), { once: true });
      return Promise.resolve();
    },
    async stop() {
      stopping.abort(new Error('the collector is stopping'));
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
