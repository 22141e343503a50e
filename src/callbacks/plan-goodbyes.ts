import type { Confirmation } from '../applications/index.ts';
import type { KnownApplication } from './application-lookup.ts';
import type { GoodbyeWrites } from './build-goodbye-patch.ts';
import {
  decideGoodbye,
  MAX_VOLUNTEERED,
  type ConfirmationPlace,
  type GoodbyeDecision,
  type GoodbyeRefusal,
  type GoodbyeSender,
} from './decide-goodbye.ts';
import { groundsTests, type Grounds, type TestOperation } from './grounds.ts';

export interface StoredGoodbye {
  readonly kind: 'stored';
  readonly receivedAt: string;
  /** The API server had it before, or needs it no more. */
  readonly already: boolean;
  /** What was confirmed; absent: nobody had asked. */
  readonly conversation?: string;
  /** pod form: whose goodbye it is. */
  readonly pod?: string;
}

export interface RefusedGoodbye {
  readonly kind: 'refused';
  readonly reason: GoodbyeRefusal;
}

export type PlannedGoodbye =
  /** True once the patch has been accepted. */
  | { readonly by: 'patch'; readonly result: StoredGoodbye }
  /** True if the state is live. */
  | { readonly by: 'state'; readonly result: StoredGoodbye | RefusedGoodbye }
  /** What proves its sender does not hold in this state. */
  | { readonly by: 'void' }
  /** There was no room for it in this patch. */
  | { readonly by: 'next-patch' };

export interface GoodbyePlan {
  /** In the order of the goodbyes. */
  readonly planned: readonly PlannedGoodbye[];
  /** Undefined: there is nothing to write. */
  readonly writes: GoodbyeWrites | undefined;
}

export interface GoodbyeToStore {
  readonly grounds: Grounds;
  readonly sender: GoodbyeSender;
  readonly value: Confirmation;
}

/** What goodbyes of one application come to in this state of it, and the one patch that they make. Pure. */
export function planGoodbyes(known: KnownApplication, goodbyes: readonly GoodbyeToStore[]): GoodbyePlan {
  const tests = new Map<string, TestOperation>();
  const confirmations = new Map<
    string,
    ConfirmationPlace & { readonly value: Confirmation; readonly guessed: boolean }
  >();
  const volunteers = new Map<string, GoodbyeWrites['volunteers'][number]>();
  const room = MAX_VOLUNTEERED - (known.shutdown.volunteered?.size ?? 0);

  function confirm(
    { places, guessed }: Extract<GoodbyeDecision, { kind: 'confirm' }>,
    value: Confirmation,
  ): PlannedGoodbye {
    const [first] = places;
    if (first === undefined) return { by: 'next-patch' };
    const earlier = confirmations.get(keyOf(first));
    for (const place of places)
      if (!confirmations.has(keyOf(place))) confirmations.set(keyOf(place), { ...place, value, guessed });
    const result: StoredGoodbye = {
      kind: 'stored',
      receivedAt: (earlier?.value ?? value).receivedAt,
      already: earlier !== undefined,
      conversation: first.conversation.id,
      ...(first.pod === undefined ? {} : { pod: first.pod.name }),
    };
    return { by: 'patch', result };
  }

  function volunteer(key: string | undefined, value: Confirmation): PlannedGoodbye {
    const earlier = volunteers.get(key ?? '');
    if (earlier === undefined && volunteers.size >= room) return { by: 'next-patch' };
    volunteers.set(key ?? '', earlier ?? { key, value });
    const result: StoredGoodbye = {
      kind: 'stored',
      receivedAt: (earlier?.value ?? value).receivedAt,
      already: earlier !== undefined,
    };
    return { by: 'patch', result };
  }

  const planned = goodbyes.map(({ grounds, sender, value }): PlannedGoodbye => {
    const nowMs = Date.parse(value.receivedAt);
    const holding = groundsTests(grounds, known, nowMs);
    if (holding === undefined) return { by: 'void' };
    const decision = decideGoodbye(known, sender);
    if (decision.kind === 'confirm' || decision.kind === 'volunteer')
      for (const test of holding) tests.set(test.path, test);
    switch (decision.kind) {
      case 'confirm':
        return confirm(decision, value);
      case 'volunteer':
        return volunteer(decision.key, value);
      case 'already':
        return { by: 'state', result: { ...decision, kind: 'stored', already: true } };
      case 'refused':
        return { by: 'state', result: decision };
    }
  });
  if (confirmations.size + volunteers.size === 0) return { planned, writes: undefined };
  const sequenceMatters = volunteers.size > 0 || [...confirmations.values()].some(({ guessed }) => guessed);
  const writes: GoodbyeWrites = {
    uid: known.uid,
    grounds: [...tests.values()],
    confirmations: [...confirmations.values()],
    volunteers: [...volunteers.values()],
    sequence: sequenceMatters ? { is: known.shutdown.sequence } : undefined,
  };
  return { planned, writes };
}

function keyOf({ conversation, pod }: ConfirmationPlace): string {
  return `${conversation.index}/${pod === undefined ? '' : pod.index}`;
}
