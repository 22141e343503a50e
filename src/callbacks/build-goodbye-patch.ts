import type { Confirmation, Signal } from '../applications/index.ts';
import type { ConfirmationPlace } from './decide-goodbye.ts';
import type { TestOperation } from './grounds.ts';
import { addNew, type SignalOperation } from './plan-signals.ts';

/** Goodbyes of one application that go into its status with one patch. */
export interface GoodbyeWrites {
  readonly uid: string;
  /** What proves their senders must still hold. */
  readonly grounds: readonly TestOperation[];
  readonly confirmations: readonly (ConfirmationPlace & { readonly value: Confirmation })[];
  /** Each UID or address once; undefined: the service form's one. */
  readonly volunteers: readonly { readonly key: string | undefined; readonly value: Signal }[];
  /** Conversations begun so far must still be so many; undefined: it does not matter. */
  readonly sequence: { readonly is: number | undefined } | undefined;
}

/** What of the way to a goodbye that nobody has asked for is there already. */
export interface Parents {
  readonly signals: boolean;
  readonly shutdownFrom: boolean;
}

/**
 * Tests before it adds: the same application and proofs, the same conversation at that place, not ended, the same pod, no goodbye yet; for
 * what nobody has asked for, that no conversation has begun since. A new round keeps id and place, and counts. A test for null holds where
 * the member is absent.
 */
export function buildGoodbyePatch(writes: GoodbyeWrites, parents: Parents): readonly SignalOperation[] {
  const { uid, grounds, confirmations, volunteers, sequence } = writes;
  return [
    test('/metadata/uid', uid),
    ...grounds,
    ...(sequence === undefined ? [] : [testSequence(sequence.is)]),
    ...testConversations(confirmations),
    ...confirmations.flatMap(confirm),
    ...volunteer(volunteers, parents),
  ];
}

function testSequence(sequence: number | undefined): SignalOperation {
  return sequence === undefined
    ? test('/status/shutdown', null)
    : test('/status/shutdown/sequence', sequence);
}

function testConversations(confirmations: GoodbyeWrites['confirmations']): SignalOperation[] {
  const ids = new Map(confirmations.map(({ conversation }) => [conversation.index, conversation.id]));
  return [...ids].flatMap(([index, id]) => [
    test(`${pathOf(index)}/id`, id),
    test(`${pathOf(index)}/outcome`, null),
  ]);
}

function confirm({ conversation, pod, value }: GoodbyeWrites['confirmations'][number]): SignalOperation[] {
  const base =
    pod === undefined ? pathOf(conversation.index) : `${pathOf(conversation.index)}/pods/${pod.index}`;
  const { receivedAt, provenBy } = value;
  return [
    ...(pod === undefined ? [] : [test(`${base}/uid`, pod.uid)]),
    test(`${base}/confirmation`, null),
    // In the pod form it stands in the pod itself.
    { op: 'add', path: `${base}/confirmation`, value: pod === undefined ? value : { receivedAt, provenBy } },
  ];
}

function volunteer(volunteers: GoodbyeWrites['volunteers'], parents: Parents): readonly SignalOperation[] {
  if (volunteers.length === 0) return [];
  const signals: Record<string, Signal> = {};
  const shutdownFrom: Record<string, Signal> = {};
  for (const { key, value } of volunteers)
    if (key === undefined) signals.shutdown = value;
    else shutdownFrom[key] = value;

  const ofPods = Object.keys(shutdownFrom).length > 0 ? { shutdownFrom } : {};
  if (!parents.signals) return addNew('/status', { signals: { ...signals, ...ofPods } });
  return parents.shutdownFrom
    ? [...addNew('/status/signals', signals), ...addNew('/status/signals/shutdownFrom', shutdownFrom)]
    : addNew('/status/signals', { ...signals, ...ofPods });
}

function test(path: string, value: unknown): TestOperation {
  return { op: 'test', path, value };
}

function pathOf(index: number): string {
  return `/status/shutdown/conversations/${index}`;
}
