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
  /** There was no room for it in this patch. */
  | { readonly by: 'next-patch' };

export interface GoodbyePlan {
  /** In the order of the goodbyes. */
  readonly planned: readonly PlannedGoodbye[];
  /** Undefined: there is nothing to write. */
  readonly writes: GoodbyeWrites | undefined;
}

interface Goodbye {
  readonly sender: GoodbyeSender;
  readonly receivedAt: string;
}

/** What goodbyes of one application come to in this state of it, and the one patch that they make. Pure. */
export function planGoodbyes(
  known: KnownApplication & { readonly tokenSha256: string },
  goodbyes: readonly Goodbye[],
): GoodbyePlan {
  const confirmations = new Map<
    string,
    ConfirmationPlace & { readonly receivedAt: string; readonly guessed: boolean }
  >();
  const volunteers = new Map<string, GoodbyeWrites['volunteers'][number]>();
  const room = MAX_VOLUNTEERED - (known.shutdown.volunteered?.size ?? 0);

  function confirm(
    { places, guessed }: Extract<GoodbyeDecision, { kind: 'confirm' }>,
    receivedAt: string,
  ): PlannedGoodbye {
    const [first] = places;
    if (first === undefined) return { by: 'next-patch' };
    const earlier = confirmations.get(keyOf(first));
    for (const place of places)
      if (!confirmations.has(keyOf(place)))
        confirmations.set(keyOf(place), { ...place, receivedAt, guessed });
    const result: StoredGoodbye = {
      kind: 'stored',
      receivedAt: earlier?.receivedAt ?? receivedAt,
      already: earlier !== undefined,
      conversation: first.conversation.id,
      ...(first.pod === undefined ? {} : { pod: first.pod.name }),
    };
    return { by: 'patch', result };
  }

  function volunteer(address: string | undefined, receivedAt: string): PlannedGoodbye {
    const earlier = volunteers.get(address ?? '');
    if (earlier === undefined && volunteers.size >= room) return { by: 'next-patch' };
    volunteers.set(address ?? '', earlier ?? { address, receivedAt });
    const result: StoredGoodbye = {
      kind: 'stored',
      receivedAt: earlier?.receivedAt ?? receivedAt,
      already: earlier !== undefined,
    };
    return { by: 'patch', result };
  }

  const planned = goodbyes.map(({ sender, receivedAt }): PlannedGoodbye => {
    const decision = decideGoodbye(known, sender, Date.parse(receivedAt));
    switch (decision.kind) {
      case 'confirm':
        return confirm(decision, receivedAt);
      case 'volunteer':
        return volunteer(decision.address, receivedAt);
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
    tokenSha256: known.tokenSha256,
    confirmations: [...confirmations.values()],
    volunteers: [...volunteers.values()],
    sequence: sequenceMatters ? { is: known.shutdown.sequence } : undefined,
  };
  return { planned, writes };
}

function keyOf({ conversation, pod }: ConfirmationPlace): string {
  return `${conversation.index}/${pod === undefined ? '' : pod.index}`;
}
