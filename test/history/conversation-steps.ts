import type { Application } from '../../src/applications/index.ts';
import { ANNOTATION_REQUEST } from '../../src/contract/index.ts';
import type { Conversation, RecordedObject, Violation } from './history.ts';
import { goodbyesOf, isInhabited, letsItsPodsGo } from './may-go.ts';
import { conversationsOf, isThereAt, versionAt, type Version, type World } from './world.ts';

type AppVersion = Version<Application & RecordedObject>;

/** Versions are seen a moment after they were written, one more than the other. Always by the recorder's clock, which nobody sets. */
const TOLERANCE_MS = 1_000;
/** A machine that stands still for a moment shows the first version of a round later than this process usually sees it, by no more than this. */
const SEEN_LATE_MS = 5_000;

/**
 * From one version of an Application to the next: the deadline of a round stays, rounds come one after the other and only when one is over,
 * what was said stays said, an end is an end and has its reason.
 */
export function checkConversationSteps(world: World): Violation[] {
  return world.applications.flatMap(({ name, versions }) => {
    const firstSeenMs = new Map<string, number>();
    const said = new Set<string>();
    return versions.flatMap((version, i) => {
      const before = versions[i - 1];
      const found = [
        ...checkIds(world, before, version, said),
        ...conversationsOf(version.object).flatMap((now) => {
          const round = `${now.id}/${now.round}`;
          if (!firstSeenMs.has(round)) firstSeenMs.set(round, begunMs(now, version.atMs));
          const was = before && conversationsOf(before.object).find((candidate) => candidate.id === now.id);
          return [
            ...(was === undefined
              ? checkBegin(now)
              : checkStep(
                  was,
                  now,
                  version,
                  version.atMs - (firstSeenMs.get(`${was.id}/${was.round}`) ?? 0),
                )),
            ...checkEnd(world, was, now, before, version, firstSeenMs.get(round) ?? version.atMs),
          ];
        }),
      ];
      return found.map(([rule, text]) => ({
        rule,
        text: `Application ${name}, version ${version.revision}: ${text}`,
      }));
    });
  });
}

/** When the round began by the recorder's clock: when it was first seen, or a little earlier where it says so itself. */
function begunMs({ roundStartedAt }: Conversation, seenMs: number): number {
  const saidMs = Date.parse(roundStartedAt) - performance.timeOrigin;
  return Math.min(seenMs, Math.max(saidMs, seenMs - SEEN_LATE_MS));
}

type Found = readonly [rule: string, text: string];

function checkIds(world: World, before: AppVersion | undefined, now: AppVersion, said: Set<string>): Found[] {
  const ids = conversationsOf(now.object).map(({ id }) => id);
  const earlier = new Set(before === undefined ? [] : conversationsOf(before.object).map(({ id }) => id));
  const found: Found[] = [];
  if (!now.object.spec.hooks.includes('shutdown')) return found; // it is off: nothing is left of it
  if (new Set(ids).size < ids.length) found.push(['one-conversation', 'two conversations have one id']);
  for (const id of ids) {
    if (!earlier.has(id) && said.has(id)) found.push(['one-conversation', `${id} comes back`]);
    said.add(id);
  }
  for (const lost of before === undefined ? [] : conversationsOf(before.object))
    if (!ids.includes(lost.id) && !isDone(world, lost, now.revision))
      found.push(['one-conversation', `${lost.id} is lost before its end`]);
  const [was = 0, is = 0] = [before, now].map((version) => version?.object.status?.shutdown?.sequence);
  if (is < was) found.push(['one-conversation', `the sequence goes back from ${was} to ${is}`]);
  return found;
}

/** It let its pods go, or there are none left: it may end and be forgotten in one write. */
function isDone(world: World, conversation: Conversation, revision: number): boolean {
  if (conversation.outcome !== undefined || letsItsPodsGo(conversation)) return true;
  return !conversation.pods.some(({ uid }) => isLeft(world, uid, revision));
}

function checkBegin({ id, round, outcome }: Conversation): Found[] {
  const found: Found[] = round === 1 ? [] : [['rounds', `${id} begins with round ${round}`]];
  if (outcome === 'confirmed') found.push(['outcome', `${id} begins as confirmed`]);
  return found;
}

function checkStep(was: Conversation, now: Conversation, { object }: AppVersion, lastedMs: number): Found[] {
  const found: Found[] = [];
  const { id } = now;
  if (was.round === now.round && was.deadline !== now.deadline)
    found.push(['deadline-moved', `${id}, round ${now.round}: from ${was.deadline} to ${now.deadline}`]);
  if (now.round !== was.round) found.push(...checkNewRound(was, now, object, lastedMs));
  // A person may call off what was let go and has not gone yet.
  const isCalledOff =
    now.outcome === 'cancelled' && ['cancel', 'migrate'].some((request) => requestIs(object, request));
  if (was.outcome !== undefined && was.outcome !== now.outcome && !isCalledOff)
    found.push(['outcome', `${id} had ended as ${was.outcome}, now ${now.outcome ?? 'open'}`]);
  if (!isNeededRightly(was, now)) found.push(['outcome', `${id}: needed ${was.needed}, now ${now.needed}`]);
  if (lost(was.confirmation, now.confirmation)) found.push(['goodbye-lost', `${id}: the goodbye changes`]);
  for (const pod of was.pods) {
    const same = now.pods.find(({ uid }) => uid === pod.uid);
    if (same === undefined || lost(pod.confirmation, same.confirmation))
      found.push(['goodbye-lost', `${id}: the goodbye of ${pod.name}, or the pod, is gone`]);
    found.push(...checkAttempts(was, now, pod.ask?.attempts, same?.ask?.attempts));
  }
  found.push(...checkAttempts(was, now, was.ask?.attempts, now.ask?.attempts));
  return found;
}

function checkNewRound(
  was: Conversation,
  now: Conversation,
  app: Application & RecordedObject,
  lastedMs: number,
): Found[] {
  if (now.round !== was.round + 1 || was.outcome !== undefined)
    return [['rounds', `${now.id}: round ${was.round} (${was.outcome ?? 'open'}), then ${now.round}`]];
  const isWished = was.givenUpAt !== undefined && requestIs(app, 'retry');
  const isOver = lastedMs >= timeoutOf(was) - TOLERANCE_MS;
  if (isWished || (isOver && was.round <= (app.spec.shutdown?.retries ?? 0))) return [];
  return [
    [
      'rounds',
      `${now.id}: round ${now.round} begins without leave (${isOver ? 'no retry left' : 'too early'})`,
    ],
  ];
}

function checkAttempts(was: Conversation, now: Conversation, before = 0, after = 0): Found[] {
  if (was.round !== now.round || after === before || after === before + 1) return [];
  return [['attempts', `${now.id}, round ${now.round}: from attempt ${before} to ${after}`]];
}

/** More pods that are asked may have to say goodbye; nothing else changes how many. */
function isNeededRightly(was: Conversation, now: Conversation): boolean {
  if (was.needed === now.needed) return true;
  const joined = now.pods.length - was.pods.length;
  const more = now.needed - was.needed;
  return now.scope === 'application' && now.form === 'pod' && more > 0 && more <= joined;
}

const lost = (was: { receivedAt: string } | undefined, now: { receivedAt: string } | undefined) =>
  was !== undefined && was.receivedAt !== now?.receivedAt;

function requestIs({ metadata, status }: Application & RecordedObject, request: string): boolean {
  const asked = [metadata.annotations?.[ANNOTATION_REQUEST], status?.shutdown?.handledRequest];
  return asked.some((text) => text?.startsWith(request));
}

/** An end has its reason; checked where it appears. */
function checkEnd(
  world: World,
  was: Conversation | undefined,
  now: Conversation,
  before: AppVersion | undefined,
  version: AppVersion,
  roundSeenMs: number,
): Found[] {
  const { id, outcome } = now;
  if (outcome === undefined || was?.outcome !== undefined) return [];
  const app = version.object;
  const left = now.pods.filter(({ uid }) => isLeft(world, uid, version.revision));
  switch (outcome) {
    case 'confirmed': {
      // Of the pod form as many as there can be, once the silent ones have gone.
      const isAnyoneSilent =
        now.form === 'service' || left.some(({ confirmation }) => confirmation === undefined);
      const enough = goodbyesOf(now) >= now.needed || (goodbyesOf(now) > 0 && !isAnyoneSilent);
      return enough
        ? []
        : [['outcome', `${id} is confirmed with ${goodbyesOf(now)} of ${now.needed} goodbyes`]];
    }
    case 'voluntary':
      return goodbyesOf(now) >= now.needed ? [] : [['outcome', `${id} is voluntary without a goodbye`]];
    case 'completed':
      return app.status?.signals?.complete ? [] : [['outcome', `${id} is completed without the signal`]];
    case 'released':
    case 'cancelled': {
      const wanted = outcome === 'released' ? 'release' : 'cancel';
      const isAsked = requestIs(app, wanted) || (before !== undefined && requestIs(before.object, wanted));
      return isAsked ? [] : [['outcome', `${id} is ${outcome}, and nobody asked for it`]];
    }
    case 'timed-out':
      return checkTimeOut(now, app, version.atMs - roundSeenMs);
    case 'pods-gone':
      return left.length === 0 ? [] : [['outcome', `${id}: pods-gone, but ${left[0]?.name ?? ''} is there`]];
  }
}

function checkTimeOut(now: Conversation, app: Application, lastedMs: number): Found[] {
  const { id, round } = now;
  const { retries = 0, failure = 'delete' } = app.spec.shutdown ?? {};
  const timeoutMs = timeoutOf(now);
  if (failure !== 'delete')
    return [['outcome', `${id} is timed-out although its failure policy is ${failure}`]];
  if (round <= retries) return [['outcome', `${id} is timed-out in round ${round}, with ${retries} retries`]];
  if (lastedMs < timeoutMs - TOLERANCE_MS)
    return [['too-early', `${id} is timed-out after ${Math.round(lastedMs)} ms of ${timeoutMs}`]];
  return [];
}

function timeoutOf({ deadline, roundStartedAt }: Conversation): number {
  return Date.parse(deadline) - Date.parse(roundStartedAt);
}

function isLeft({ pods }: World, uid: string, revision: number): boolean {
  const pod = pods.find((candidate) => candidate.uid === uid);
  if (pod === undefined || !isThereAt(pod, revision)) return false;
  const version = versionAt(pod, revision);
  return version !== undefined && isInhabited(version.object);
}
