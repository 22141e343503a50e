import { APPLICATIONS, type Application } from '../applications/index.ts';
import type { KubeClient } from '../kube/index.ts';
import type { KnownApplication } from './application-lookup.ts';
import { buildGoodbyePatch, type GoodbyeWrites, type Parents } from './build-goodbye-patch.ts';
import {
  planGoodbyes,
  type GoodbyeToStore,
  type RefusedGoodbye,
  type StoredGoodbye,
} from './plan-goodbyes.ts';
import { projectApplication } from './project-application.ts';
import { isRefusedPatch, whyNotStored, type SignalStoreOptions, type StoreResult } from './signal-store.ts';
import { createWriteTogether, type Waiting } from './write-together.ts';

/** A goodbye whose sender has proven itself, on grounds that hold in this state. */
export interface ProvenGoodbye extends GoodbyeToStore {
  readonly namespace: string;
  readonly name: string;
  /** As the cache has it. */
  readonly application: KnownApplication;
}

export type GoodbyeResult =
  StoredGoodbye | RefusedGoodbye | Extract<StoreResult, { readonly kind: 'void' | 'unavailable' }>;

export interface GoodbyeStore {
  /** Resolves once the API server has answered. Never rejects. On repeat: `already`, with the first time. */
  store(goodbye: ProvenGoodbye): Promise<GoodbyeResult>;
}

type WaitingGoodbye = Waiting<ProvenGoodbye, GoodbyeResult>;

interface State {
  readonly known: KnownApplication;
  readonly parents: Parents;
  readonly live: boolean;
}

const TIMEOUT_MS = 5_000;
/** Plans made for the same goodbyes: from the cache, from a live state, and again when others write at the same time. */
const MAX_PLANS = 5;
/** The API server takes 10,000 operations in a patch; a goodbye makes at most ten. */
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

  /** All of one Application. Settles each of them, or throws. */
  async function write(together: readonly [WaitingGoodbye, ...WaitingGoodbye[]]): Promise<void> {
    const [{ item: goodbye }] = together;
    let waiting: readonly WaitingGoodbye[] = together;
    let state: State | undefined = cachedState((together.at(-1) ?? together[0]).item);
    for (let plans = 1; plans <= MAX_PLANS; plans++) {
      const { planned, writes } = planGoodbyes(
        state.known,
        waiting.map(({ item }) => item),
      );
      const stored: Application | undefined = writes && (await patch(goodbye, writes, state.parents));
      const { live } = state;
      waiting = waiting.filter((one, i) => {
        const plan = planned[i];
        if (plan?.by === 'void' && live) one.settle({ kind: 'void' });
        else if ((plan?.by === 'patch' && stored !== undefined) || (plan?.by === 'state' && live))
          one.settle(plan.result);
        else return true;
        return false;
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

  const together = createWriteTogether<ProvenGoodbye, GoodbyeResult>({
    write,
    failed: whyNotStored,
    max: MAX_TOGETHER,
  });
  return { store: (goodbye) => together(goodbye.application.uid, goodbye) };
}

function cachedState({ application }: ProvenGoodbye): State {
  const shutdownFrom = application.shutdown.volunteered !== undefined;
  return { known: application, parents: { signals: true, shutdownFrom }, live: false };
}

/** Undefined: it is another application of that name. */
function liveState(live: Application, { uid }: KnownApplication): State | undefined {
  const known = projectApplication(live);
  if (known?.uid !== uid) return undefined;
  const signals = live.status?.signals;
  const parents = { signals: signals !== undefined, shutdownFrom: signals?.shutdownFrom !== undefined };
  return { known, parents, live: true };
}
