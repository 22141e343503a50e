import { APPLICATIONS, type Application } from '../applications/index.ts';
import { KubeApiError, type KubeClient, type ObjectRef } from '../kube/index.ts';
import type { KnownApplication } from './application-lookup.ts';
import { planSignals, type SignalParents, type SignalToStore } from './plan-signals.ts';
import { projectApplication } from './project-application.ts';
import { createWriteTogether, type Waiting } from './write-together.ts';

/** A complete signal whose sender has proven itself, on grounds that hold in this state. */
export interface ProvenSignal extends SignalToStore {
  readonly namespace: string;
  readonly name: string;
  /** As the cache has it. */
  readonly application: KnownApplication;
}

export type StoreResult =
  /** The API server has it. `already`: it had it before, and this is what it has. */
  | { readonly kind: 'stored'; readonly receivedAt: string; readonly already: boolean }
  /** The application is gone, is another one of that name, or what proved the sender is void by now. */
  | { readonly kind: 'void' }
  /** Too many pods are counted already. */
  | { readonly kind: 'full' }
  /** Not stored, or not known: to be tried again by the sender. `error` is for the log. */
  | { readonly kind: 'unavailable'; readonly error: string; readonly retryAfterSeconds: number | undefined };

export interface SignalStore {
  /** Resolves once the API server has answered. Never rejects. On repeat: `already`, with the first time. */
  store(signal: ProvenSignal): Promise<StoreResult>;
}

export interface SignalStoreOptions {
  /** For each request to the API server; default 5 s, well below the time a sender waits. */
  readonly timeoutMs?: number;
  /** Default: the system's. */
  readonly now?: () => number;
}

const TIMEOUT_MS = 5_000;
/** A failed test is looked into and tried again: for a status without signals, for a proof that stands elsewhere by now, for a race with another writer. */
const MAX_PLANS = 4;
/** The API server takes 10,000 operations in a patch; a signal makes at most six. */
const MAX_TOGETHER = 500;

interface State {
  readonly known: KnownApplication;
  readonly parents: SignalParents;
  readonly live: boolean;
}

/**
 * Stores complete signals in the status of Applications: one request each, when nothing is in the way. One at a time for each Application: what comes meanwhile,
 * from other pods that are counted, goes into the next one together.
 */
export function createSignalStore(
  client: Pick<KubeClient, 'get' | 'patch'>,
  { timeoutMs = TIMEOUT_MS, now = Date.now }: SignalStoreOptions = {},
): SignalStore {
  const refOf = ({ namespace, name }: ProvenSignal): ObjectRef => ({
    resource: APPLICATIONS,
    namespace,
    name,
  });

  /** Undefined: refused. */
  async function patch(signal: ProvenSignal, body: readonly unknown[]): Promise<Application | undefined> {
    const status: ObjectRef = { ...refOf(signal), subresource: 'status' };
    try {
      return await client.patch<Application>(status, { type: 'json', body }, { timeoutMs });
    } catch (error) {
      if (isRefusedPatch(error)) return undefined;
      throw error;
    }
  }

  async function write(
    together: readonly [Waiting<ProvenSignal, StoreResult>, ...Waiting<ProvenSignal, StoreResult>[]],
  ): Promise<void> {
    const [{ item: any }] = together;
    let waiting: readonly Waiting<ProvenSignal, StoreResult>[] = together;
    let state = cachedState((together.at(-1) ?? together[0]).item.application);
    for (let plans = 1; plans <= MAX_PLANS; plans++) {
      const signals = waiting.map(({ item }) => item);
      const plan = planSignals(state.known, state.parents, signals, now());
      const stored = plan.patch && (await patch(any, plan.patch));
      const after = stored && projectApplication(stored);
      waiting = waiting.filter((one, i) => {
        const planned = plan.planned[i];
        if (planned?.by === 'patch' && stored !== undefined) {
          const receivedAt = storedAt(after, one.item) ?? planned.receivedAt;
          one.settle({ kind: 'stored', receivedAt, already: planned.already });
        } else if (planned?.by === 'state') {
          one.settle({ kind: 'stored', receivedAt: planned.receivedAt, already: true });
        } else if (planned?.by === 'void' && state.live) one.settle({ kind: 'void' });
        else if (planned?.by === 'full' && state.live) one.settle({ kind: 'full' });
        else return true;
        return false;
      });
      if (waiting.length === 0) return;
      const live = await client.get<Application>(refOf(any), { timeoutMs });
      const known = live && projectApplication(live);
      if (known?.uid !== any.application.uid) {
        for (const one of waiting) one.settle({ kind: 'void' });
        return;
      }
      state = { known, parents: parentsOf(live), live: true };
    }
    for (const one of waiting)
      one.settle({ kind: 'unavailable', error: 'other writers kept winning', retryAfterSeconds: undefined });
  }

  const together = createWriteTogether<ProvenSignal, StoreResult>({
    write,
    failed: whyNotStored,
    max: MAX_TOGETHER,
  });
  return { store: (signal) => together(signal.application.uid, signal) };
}

function cachedState(known: KnownApplication): State {
  return { known, parents: { signals: true, completeFrom: known.completeFrom !== undefined }, live: false };
}

function parentsOf(live: Application | undefined): SignalParents {
  const signals = live?.status?.signals;
  return { signals: signals !== undefined, completeFrom: signals?.completeFrom !== undefined };
}

function storedAt(known: KnownApplication | undefined, { countedPodUid }: ProvenSignal): string | undefined {
  return countedPodUid === undefined
    ? known?.signals.complete?.receivedAt
    : known?.completeFrom?.get(countedPodUid);
}

/** What an error of the API server, or on the way to it, means to who waits for an answer. */
export function whyNotStored(
  error: unknown,
): Extract<StoreResult, { readonly kind: 'void' | 'unavailable' }> {
  if (error instanceof KubeApiError && error.status === 404) return { kind: 'void' };
  const retryAfterSeconds = error instanceof KubeApiError ? error.retryAfterSeconds : undefined;
  return { kind: 'unavailable', error: String(error), retryAfterSeconds };
}

/** 422: a test failed, or a path is not there; 409: another writer won too often. */
export function isRefusedPatch(error: unknown): boolean {
  return error instanceof KubeApiError && (error.status === 422 || error.status === 409);
}
