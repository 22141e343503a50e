import type { Signal } from '../applications/index.ts';
import type { KnownApplication, StoredSignal } from './application-lookup.ts';
import { groundsTests, type Grounds, type TestOperation } from './grounds.ts';

/** A signal as it is to be stored. */
export interface SignalToStore {
  readonly grounds: Grounds;
  readonly value: Signal;
  /** The pod whose own signal it is, where pods are counted; undefined: it is the application's. */
  readonly countedPodUid: string | undefined;
}

export type PlannedSignal =
  /** True once the patch has been accepted. */
  | { readonly by: 'patch'; readonly receivedAt: string; readonly already: boolean }
  /** It is there. */
  | { readonly by: 'state'; readonly receivedAt: string }
  /** What proves it does not hold in this state. */
  | { readonly by: 'void' }
  /** There are too many already. */
  | { readonly by: 'full' };

export type SignalOperation =
  TestOperation | { readonly op: 'add'; readonly path: string; readonly value: unknown };

export interface SignalsPlan {
  /** In the order of the signals. */
  readonly planned: readonly PlannedSignal[];
  /** Undefined: there is nothing to write. */
  readonly patch: readonly SignalOperation[] | undefined;
}

/** What of the way to a signal is there already. */
export interface SignalParents {
  readonly signals: boolean;
  readonly completeFrom: boolean;
}

/** As many as a conversation has pods at most. */
export const MAX_COMPLETE_PODS = 2_000;

/**
 * The one patch that complete signals of one application make, and what each comes to. It tests before it adds, so that nothing is stored for a namesake,
 * for a proof that is void by now, or over a signal that another replica has just stored. A test for null holds where the member is absent: so Kubernetes'
 * JSON Patch has it, and an integration test. Pure.
 */
export function planSignals(
  known: KnownApplication,
  parents: SignalParents,
  signals: readonly SignalToStore[],
  nowMs: number,
): SignalsPlan {
  const tests = new Map<string, TestOperation>();
  const counted = new Map<string, Signal>();
  let own: Signal | undefined;

  const isFull = () => (known.completeFrom?.size ?? 0) + counted.size >= MAX_COMPLETE_PODS;

  /** The one that is written: the first of several. Undefined: there is no room. */
  function write(value: Signal, podUid: string | undefined): Signal | undefined {
    if (podUid === undefined) return (own ??= value);
    const written = counted.get(podUid) ?? (isFull() ? undefined : value);
    if (written !== undefined) counted.set(podUid, written);
    return written;
  }

  const planned = signals.map(({ grounds, value, countedPodUid }): PlannedSignal => {
    const holding = groundsTests(grounds, known, nowMs);
    if (holding === undefined) return { by: 'void' };
    const stored = storedSignal(known, countedPodUid);
    if (stored !== undefined) return { by: 'state', receivedAt: stored.receivedAt };
    const written = write(value, countedPodUid);
    if (written === undefined) return { by: 'full' };
    for (const test of holding) tests.set(test.path, test);
    return { by: 'patch', receivedAt: written.receivedAt, already: written !== value };
  });

  const additions = addSignals(own, counted, parents);
  const patch =
    additions.length === 0 ? undefined : [test('/metadata/uid', known.uid), ...tests.values(), ...additions];
  return { planned, patch };
}

/** What is stored already that answers such a signal: the application is complete, or this pod has said so. */
export function storedSignal(
  { signals, completeFrom }: Pick<KnownApplication, 'signals' | 'completeFrom'>,
  countedPodUid: string | undefined,
): StoredSignal | undefined {
  const ofPod = countedPodUid === undefined ? undefined : completeFrom?.get(countedPodUid);
  return signals.complete ?? (ofPod === undefined ? undefined : { receivedAt: ofPod });
}

function addSignals(
  own: Signal | undefined,
  counted: ReadonlyMap<string, Signal>,
  parents: SignalParents,
): readonly SignalOperation[] {
  const complete = own === undefined ? {} : { complete: own };
  if (counted.size === 0 && own === undefined) return [];
  const completeFrom = counted.size === 0 ? {} : { completeFrom: Object.fromEntries(counted) };
  if (!parents.signals) return addNew('/status', { signals: { ...complete, ...completeFrom } });
  return parents.completeFrom
    ? [
        ...addNew('/status/signals', complete),
        ...addNew('/status/signals/completeFrom', Object.fromEntries(counted)),
      ]
    : addNew('/status/signals', { ...complete, ...completeFrom });
}

/** Adds members that must not be there yet. */
export function addNew(parent: string, members: object): readonly SignalOperation[] {
  return Object.entries(members).flatMap(([name, value]: [string, unknown]) => {
    const path = `${parent}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return [test(path, null), { op: 'add', path, value } as const];
  });
}

function test(path: string, value: unknown): TestOperation {
  return { op: 'test', path, value };
}
