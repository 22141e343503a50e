import { APPLICATIONS, type Application } from '../applications/index.ts';
import type { KubeClient } from '../kube/index.ts';
import type { KnownApplication } from './application-lookup.ts';
import { buildGoodbyePatch, type GoodbyeWrites, type Parents } from './build-goodbye-patch.ts';
import type { GoodbyeSender } from './decide-goodbye.ts';
import { planGoodbyes, type RefusedGoodbye, type StoredGoodbye } from './plan-goodbyes.ts';
import { projectApplication } from './project-application.ts';
import { isRefusedPatch, whyNotStored, type SignalStoreOptions, type StoreResult } from './signal-store.ts';

/** A goodbye whose sender has proven itself against this state's UID and token hash. */
export interface ProvenGoodbye {
  readonly namespace: string;
  readonly name: string;
  /** As the cache has it. */
  readonly application: ProvenApplication;
  readonly sender: GoodbyeSender;
  readonly receivedAt: string;
}

/** A token is valid for it. */
export type ProvenApplication = KnownApplication & { readonly tokenSha256: string };

export type GoodbyeResult =
  StoredGoodbye | RefusedGoodbye | Exclude<StoreResult, { readonly kind: 'stored' }>;

export interface GoodbyeStore {
  /** Resolves once the API server has answered. Never rejects. On repeat: `already`, with the first time. */
  store(goodbye: ProvenGoodbye): Promise<GoodbyeResult>;
}

interface Waiting {
  readonly goodbye: ProvenGoodbye;
  readonly settle: (result: GoodbyeResult) => void;
}

interface State {
  readonly known: ProvenApplication;
  readonly parents: Parents;
  readonly live: boolean;
}

const TIMEOUT_MS = 5_000;
/** Plans made for the same goodbyes: from the cache, from a live state, and again when others write at the same time. */
const MAX_PLANS = 5;
/** The API server takes 10,000 operations in a patch; a goodbye makes at most five. */
const MAX_TOGETHER = 500;

/**
 * Stores goodbyes in the status of Applications. One patch at a time for each Application: what comes meanwhile goes into the next one
 * together, so that a thousand pods are a few writes of an object that grows with them.
 *
 * Nothing is answered from the cache alone: a patch tests what it relies on; what needs no patch, or is refused, was seen live.
 */
export function createGoodbyeStore(
  client: Pick<KubeClient, 'get' | 'patch'>,
  { timeoutMs = TIMEOUT_MS }: SignalStoreOptions = {},
): GoodbyeStore {
  const queues = new Map<string, Waiting[]>();

  const refOf = ({ namespace, name }: ProvenGoodbye) => ({ resource: APPLICATIONS, namespace, name });

  async function readLive(goodbye: ProvenGoodbye): Promise<State | undefined> {
    const live = await client.get<Application>(refOf(goodbye), { timeoutMs });
    return live === undefined ? undefined : liveState(live, goodbye.application);
  }

  /** Undefined: refused. */
  async function patch(
    goodbye: ProvenGoodbye,
    writes: GoodbyeWrites,
    parents: Parents,
  ): Promise<Application | undefined> {
    const status = { ...refOf(goodbye), subresource: 'status' } as const;
    const body = buildGoodbyePatch(writes, parents);
    try {
      return await client.patch<Application>(status, { type: 'json', body }, { timeoutMs });
    } catch (error) {
      if (isRefusedPatch(error)) return undefined;
      throw error;
    }
  }

  /** All of one Application and one token. Settles each of them, or throws. */
  async function storeTogether(together: readonly [Waiting, ...Waiting[]]): Promise<void> {
    const [{ goodbye }] = together;
    let waiting: readonly Waiting[] = together;
    let state: State | undefined = cachedState(together.at(-1)?.goodbye ?? goodbye);
    for (let plans = 1; plans <= MAX_PLANS; plans++) {
      const { planned, writes } = planGoodbyes(
        state.known,
        waiting.map((one) => one.goodbye),
      );
      const stored: Application | undefined = writes && (await patch(goodbye, writes, state.parents));
      const { live } = state;
      waiting = waiting.filter((one, i) => {
        const plan = planned[i];
        const holds = (plan?.by === 'patch' && stored !== undefined) || (plan?.by === 'state' && live);
        if (holds) one.settle(plan.result);
        return !holds;
      });
      if (waiting.length === 0) return;
      state = stored === undefined ? await readLive(goodbye) : liveState(stored, goodbye.application);
      if (state === undefined) {
        for (const one of waiting) one.settle({ kind: 'void' });
        return;
      }
    }
    for (const one of waiting)
      one.settle({ kind: 'unavailable', error: 'other writers kept winning', retryAfterSeconds: undefined });
  }

  async function drain(key: string, queue: Waiting[]): Promise<void> {
    for (;;) {
      const [first, ...others] = queue.splice(0, MAX_TOGETHER);
      if (first === undefined) break;
      try {
        await storeTogether([first, ...others]);
      } catch (error) {
        // Those that are settled already keep their answer.
        for (const one of [first, ...others]) one.settle(whyNotStored(error));
      }
    }
    queues.delete(key);
  }

  return {
    store: (goodbye) =>
      new Promise((settle) => {
        const { uid, tokenSha256 } = goodbye.application;
        const key = `${uid}/${tokenSha256}`;
        const queue = queues.get(key);
        queue?.push({ goodbye, settle });
        if (queue !== undefined) return;
        const started = [{ goodbye, settle }];
        queues.set(key, started);
        void drain(key, started);
      }),
  };
}

function cachedState({ application }: ProvenGoodbye): State {
  const shutdownFrom = application.shutdown.volunteered !== undefined;
  return { known: application, parents: { signals: true, shutdownFrom }, live: false };
}

/** Undefined: it is another application of that name, or has another token by now. */
function liveState(live: Application, { uid, tokenSha256 }: ProvenApplication): State | undefined {
  const known = projectApplication(live);
  if (known?.uid !== uid || known.tokenSha256 !== tokenSha256) return undefined;
  const signals = live.status?.signals;
  const parents = { signals: signals !== undefined, shutdownFrom: signals?.shutdownFrom !== undefined };
  return { known: { ...known, tokenSha256 }, parents, live: true };
}
