import type { Confirmation, Signal } from '../applications/index.ts';
import type { ConfirmationPlace } from './decide-goodbye.ts';

/** Goodbyes of one application that go into its status with one patch. */
export interface GoodbyeWrites {
  readonly uid: string;
  readonly tokenSha256: string;
  readonly confirmations: readonly (ConfirmationPlace & { readonly receivedAt: string })[];
  /** Each address once; undefined: the service form's one. */
  readonly volunteers: readonly { readonly address: string | undefined; readonly receivedAt: string }[];
  /** Conversations begun so far must still be so many; undefined: it does not matter. */
  readonly sequence: { readonly is: number | undefined } | undefined;
}

/** What of the way to a goodbye that nobody has asked for is there already. */
export interface Parents {
  readonly signals: boolean;
  readonly shutdownFrom: boolean;
}

type Operation =
  | { readonly op: 'test' | 'add'; readonly path: string; readonly value: unknown }
  | { readonly op: 'test'; readonly path: string; readonly value: null };

/**
 * Tests before it adds: the same application and token, the same conversation at that place, not ended, the same pod, no goodbye yet; for
 * what nobody has asked for, that no conversation has begun since. A new round keeps id and place, and counts. A test for null holds where
 * the member is absent.
 */
export function buildGoodbyePatch(writes: GoodbyeWrites, parents: Parents): readonly Operation[] {
  const { uid, tokenSha256, confirmations, volunteers, sequence } = writes;
  return [
    test('/metadata/uid', uid),
    test('/status/tokenSha256', tokenSha256),
    ...(sequence === undefined ? [] : [testSequence(sequence.is)]),
    ...testConversations(confirmations),
    ...confirmations.flatMap(confirm),
    ...volunteer(volunteers, parents),
  ];
}

function testSequence(sequence: number | undefined): Operation {
  return sequence === undefined
    ? test('/status/shutdown', null)
    : test('/status/shutdown/sequence', sequence);
}

function testConversations(confirmations: GoodbyeWrites['confirmations']): Operation[] {
  const ids = new Map(confirmations.map(({ conversation }) => [conversation.index, conversation.id]));
  return [...ids].flatMap(([index, id]) => [
    test(`${pathOf(index)}/id`, id),
    test(`${pathOf(index)}/outcome`, null),
  ]);
}

function confirm({ conversation, pod, receivedAt }: GoodbyeWrites['confirmations'][number]): Operation[] {
  const base =
    pod === undefined ? pathOf(conversation.index) : `${pathOf(conversation.index)}/pods/${pod.index}`;
  const value: Confirmation = { receivedAt, provenBy: 'token' };
  return [
    ...(pod === undefined ? [] : [test(`${base}/uid`, pod.uid)]),
    test(`${base}/confirmation`, null),
    { op: 'add', path: `${base}/confirmation`, value },
  ];
}

function volunteer(volunteers: GoodbyeWrites['volunteers'], parents: Parents): Operation[] {
  if (volunteers.length === 0) return [];
  const signal = (receivedAt: string): Signal => ({ receivedAt, provenBy: 'token' });
  const signals: Record<string, Signal> = {};
  const shutdownFrom: Record<string, Signal> = {};
  for (const { address, receivedAt } of volunteers)
    if (address === undefined) signals.shutdown = signal(receivedAt);
    else shutdownFrom[address] = signal(receivedAt);

  const ofPods = Object.keys(shutdownFrom).length > 0 ? { shutdownFrom } : {};
  if (!parents.signals) return addNew('/status', { signals: { ...signals, ...ofPods } });
  return parents.shutdownFrom
    ? [...addNew('/status/signals', signals), ...addNew('/status/signals/shutdownFrom', shutdownFrom)]
    : addNew('/status/signals', { ...signals, ...ofPods });
}

function addNew(parent: string, members: object): Operation[] {
  return Object.entries(members).flatMap(([name, value]) => {
    const path = `${parent}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return [test(path, null), { op: 'add', path, value } as const];
  });
}

function test(path: string, value: unknown): Operation {
  return { op: 'test', path, value };
}

function pathOf(index: number): string {
  return `/status/shutdown/conversations/${index}`;
}
