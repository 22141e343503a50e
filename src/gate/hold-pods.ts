import { APPLICATIONS, type Application, type GoingPod } from '../applications/index.ts';
import type { ShutdownCause } from '../contract/index.ts';
import { KubeApiError, type Clock, type KubeClient } from '../kube/index.ts';
import { decideGate, type Asked, type PassReason } from './decide-gate.ts';
import type { GateMetrics } from './gate-metrics.ts';
import { gateApplicationOf } from './gate-application.ts';
import {
  buildGoingPatch,
  cancelledFor,
  covers,
  goingCapacity,
  isRecorded,
  type Wish,
} from './going-patch.ts';

/** A pod that could not be let through from what the cache shows. */
export interface HoldRequest {
  readonly namespace: string;
  /** Name of the Application. */
  readonly name: string;
  readonly asked: Asked;
  /** Decide, but store nothing. */
  readonly isDryRun: boolean;
}

/** Whether its removal is remembered: just now; since before; not in a dry run, nor when a person has cancelled it, nor when too many are. */
export type HoldReason = 'stored' | 'stored-before' | 'dry-run' | 'cancelled' | 'too-many';

export type HoldResult =
  | { readonly outcome: 'passes'; readonly reason: PassReason }
  | {
      readonly outcome: 'held';
      readonly reason: HoldReason;
      readonly cause: ShutdownCause;
      /** As it was read for this decision. */
      readonly application: Application;
    }
  /** The API server did not answer, or refused us. `error` is for the log. */
  | { readonly outcome: 'undecided'; readonly error: string };

export interface PodHolder {
  /** Decides upon the live Application and stores that the pod is to go. Never rejects. On repeat: `stored-before`. */
  hold(request: HoldRequest): Promise<HoldResult>;
}

export interface PodHolderDeps {
  readonly client: Pick<KubeClient, 'get' | 'patch'>;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly metrics: Pick<GateMetrics, 'stored'>;
}

export interface PodHolderOptions {
  /** For each request to the API server. */
  readonly timeoutMs: number;
}

/** Somebody else wrote in between, again and again: whoever asks comes back anyway. */
const MAX_ATTEMPTS = 4;

interface Waiting extends HoldRequest {
  readonly settle: (result: HoldResult) => void;
}

/**
 * One read and one write at a time for each application; what is asked meanwhile is decided together afterwards. So a thousand pods of one
 * application that are deleted at once cost a few writes, and none of them is decided upon what was read before it was asked.
 */
export function createPodHolder(
  { client, clock, metrics }: PodHolderDeps,
  { timeoutMs }: PodHolderOptions,
): PodHolder {
  const queues = new Map<string, Waiting[]>();

  async function work(key: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0);
      try {
        await decideTogether(batch);
      } catch (error) {
        for (const { settle } of batch) settle({ outcome: 'undecided', error: String(error) });
      }
    }
    queues.delete(key);
  }

  /** All of one application. What is settled twice keeps the first result. */
  async function decideTogether(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    const ref = { resource: APPLICATIONS, namespace: first.namespace, name: first.name };
    let refusal: unknown;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const application = await client.get<Application>(ref, { timeoutMs });
      const held = passThrough(batch, application);
      if (application === undefined || held.length === 0) return;
      const pods = toStore(held, application);
      if (pods.size > 0) {
        const startedAt = clock.monotonic();
        const seconds = () => (clock.monotonic() - startedAt) / 1_000;
        try {
          const body = buildGoingPatch(application, pods);
          await client.patch({ ...ref, subresource: 'status' }, { type: 'json', body }, { timeoutMs });
          metrics.stored('stored', seconds());
        } catch (error) {
          metrics.stored(isOutdated(error) ? 'conflict' : 'failed', seconds());
          if (!isOutdated(error)) throw error;
          refusal = error;
          continue;
        }
      }
      for (const waiting of held) waiting.settle(resultOf(waiting, application, pods));
      return;
    }
    throw refusal;
  }

  /** Settles those that may go and returns the others. */
  function passThrough(batch: readonly Waiting[], application: Application | undefined): Held[] {
    const view = application === undefined ? undefined : gateApplicationOf(application);
    return batch.flatMap((waiting) => {
      const decision = decideGate(waiting.asked, view);
      if (decision.outcome === 'holds') return [{ ...waiting, cause: decision.cause }];
      waiting.settle(decision);
      return [];
    });
  }

  function toStore(held: readonly Held[], application: Application): ReadonlyMap<string, GoingPod> {
    const requestedAt = new Date(clock.now()).toISOString();
    const news = new Map<string, GoingPod>();
    for (const waiting of held.filter((one) => !one.isDryRun && isNews(one, application))) {
      const { uid, name } = waiting.asked.pod;
      const wish = wishOf(waiting);
      if (!covers(news.get(uid) ?? {}, wish)) news.set(uid, { name, ...wish, requestedAt });
    }
    return new Map([...news].slice(0, goingCapacity(application)));
  }

  return {
    hold: (request) =>
      new Promise((settle) => {
        const key = `${request.namespace}/${request.name}`;
        const waiting = { ...request, settle };
        const queue = queues.get(key);
        if (queue !== undefined) {
          queue.push(waiting);
          return;
        }
        const own = [waiting];
        queues.set(key, own);
        void work(key, own);
      }),
  };
}

type Held = Waiting & { readonly cause: ShutdownCause };

/** The cause alone does not tell of one that is called an eviction whether it was asked for as one. */
function wishOf({ asked: { byEviction }, cause }: Held): Wish {
  return cause === 'eviction' && !byEviction ? { cause, removal: 'delete' } : { cause };
}

function isNews(held: Held, application: Application): boolean {
  const { uid } = held.asked.pod;
  return (
    !isRecorded(application, uid, wishOf(held)) && cancelledFor(application, uid, held.cause) === undefined
  );
}

function resultOf(held: Held, application: Application, stored: ReadonlyMap<string, GoingPod>): HoldResult {
  return { outcome: 'held', reason: reasonOf(held, application, stored), cause: held.cause, application };
}

function reasonOf(held: Held, application: Application, stored: ReadonlyMap<string, GoingPod>): HoldReason {
  const { uid } = held.asked.pod;
  if (held.isDryRun) return 'dry-run';
  if (stored.has(uid)) return 'stored';
  if (isRecorded(application, uid, wishOf(held))) return 'stored-before';
  return cancelledFor(application, uid, held.cause) === undefined ? 'too-many' : 'cancelled';
}

/** 422: a test of the patch failed or a path is not there; 409: another writer won too often; 404: the Application has just gone. */
function isOutdated(error: unknown): boolean {
  return error instanceof KubeApiError && [404, 409, 422].includes(error.status);
}
