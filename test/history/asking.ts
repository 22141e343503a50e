import type { CallEvent, Conversation, Violation } from './history.ts';
import { conversationsOf, eventsOf, type Version, type World } from './world.ts';

/**
 * Each call was announced: before it came, its conversation, round, deadline and attempt stood in the status. None came twice. None was begun, that
 * is, its attempt counted, when the goodbye that it asks for was there or the conversation over; one that was under way by then may come a moment later.
 */
export function checkAsking(world: World): Violation[] {
  const calls = eventsOf(world.history, 'call');
  const seen = new Set<string>();
  return calls.flatMap((call) => {
    const key = `${call.conversation}/${call.round}/${call.attempt}/${call.pod ?? 'service'}`;
    const isTwice = seen.has(key);
    seen.add(key);
    return [
      ...(isTwice ? [{ rule: 'asked-twice', text: `${key} came twice` }] : []),
      ...checkCall(world, call, call.position, key),
    ];
  });
}

function checkCall(world: World, call: CallEvent, position: number, key: string): Violation[] {
  const known = versionsBefore(world, call, position);
  const conversations = known.flatMap(({ object }) =>
    conversationsOf(object).filter(({ id, round }) => id === call.conversation && round === call.round),
  );
  if (conversations.length === 0)
    return [{ rule: 'asked-before-stored', text: `${key}: nothing of it was stored when it came` }];
  const found: Violation[] = [];
  if (conversations.some(({ deadline }) => deadline !== call.deadline))
    found.push({ rule: 'deadline-moved', text: `${key} says ${call.deadline}, the status another` });
  const attempts = Math.max(...conversations.map((conversation) => attemptsOf(conversation, call.pod)));
  if (attempts < call.attempt)
    found.push({ rule: 'asked-before-stored', text: `${key}: the status counts ${attempts} attempts` });
  const begun = conversations.find((conversation) => attemptsOf(conversation, call.pod) >= call.attempt);
  if (begun !== undefined && isAnswered(begun, call.pod))
    found.push({ rule: 'asked-after-goodbye', text: `${key} was begun when its goodbye was there` });
  return found;
}

function versionsBefore({ applications }: World, { namespace, application }: CallEvent, position: number) {
  return applications
    .filter((life) => life.namespace === namespace && life.name === application)
    .flatMap(({ versions }): readonly Version<(typeof versions)[number]['object']>[] =>
      versions.filter((version) => version.position < position),
    );
}

function attemptsOf({ ask, pods }: Conversation, podUid: string | undefined): number {
  const asked = podUid === undefined ? ask : pods.find(({ uid }) => uid === podUid)?.ask;
  return asked?.attempts ?? 0;
}

function isAnswered({ outcome, confirmation, pods }: Conversation, podUid: string | undefined): boolean {
  const said = podUid === undefined ? confirmation : pods.find(({ uid }) => uid === podUid)?.confirmation;
  return said !== undefined || outcome !== undefined;
}
