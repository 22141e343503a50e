import type { Application } from '../../src/applications/index.ts';
import { FINALIZER_SHUTDOWN, LABEL_APPLICATION } from '../../src/contract/index.ts';
import type { Conversation, RecordedObject, Violation } from './history.ts';
import { isInhabited, letsItsPodsGo } from './may-go.ts';
import { conversationsOf, type Life, type World } from './world.ts';

const RULE = 'stuck';

export interface EndOptions {
  /** Ms since 1970 when the recording ended. */
  readonly now: number;
  /** Whatever is due for longer than this is overdue. */
  readonly patienceMs: number;
}

/** At the end nothing is held but by a conversation whose deadline is to come, or that waits for a person. */
export function checkEndState(world: World, { now, patienceMs }: EndOptions): Violation[] {
  const present = world.lives.filter(({ deleted }) => deleted === undefined);
  const isHolding = (c: Conversation) => c.outcome === undefined && !letsItsPodsGo(c);
  const isRightly = (c: Conversation) =>
    isHolding(c) && (c.givenUpAt !== undefined || Date.parse(c.deadline) + patienceMs > now);
  const stuck = (life: Life, why: string): Violation => ({
    rule: RULE,
    text: `${life.kind} ${life.namespace}/${life.name}: ${why}`,
  });

  return present.flatMap((life) => {
    const last = life.versions.at(-1);
    if (last === undefined) return [];
    const { object } = last;
    const found: Violation[] = [];
    const apps = applicationsOf(world, life, object);
    const isHeld = apps.some(({ object: app }) => conversationsOf(app).some(isRightly));
    if (isHeldByUs(object) && dueSince(object, now) > patienceMs && !isHeld)
      found.push(stuck(life, 'is being deleted and held by us, and no open conversation says why'));
    if (life.kind === 'Application')
      found.push(
        ...checkApplication(world, life, object as Application & RecordedObject, isRightly).map((why) =>
          stuck(life, why),
        ),
      );
    return found;
  });
}

function checkApplication(
  world: World,
  { namespace, name }: Life,
  app: Application & RecordedObject,
  isRightly: (c: Conversation) => boolean,
): string[] {
  const conversations = conversationsOf(app);
  const found = conversations
    .filter((c) => c.outcome === undefined && !isRightly(c))
    .map(
      (c) =>
        `conversation ${c.id} is open, although ${letsItsPodsGo(c) ? 'its goodbye is there' : `its deadline was ${c.deadline}`}`,
    );
  const pods = world.pods.filter(
    (pod) =>
      pod.deleted === undefined &&
      pod.namespace === namespace &&
      pod.versions.at(-1)?.object.metadata.labels?.[LABEL_APPLICATION] === name,
  );
  for (const uid of Object.keys(app.status?.shutdown?.going ?? {}))
    if (!conversations.some(isRightly)) found.push(`pod ${uid} is to go, and nobody is being asked`);
  for (const c of conversations.filter(letsItsPodsGo)) {
    const wanted = c.pods.filter(({ cause }) => cause !== undefined || c.reason === 'requested');
    for (const { uid } of wanted) {
      const pod = pods.find((life) => life.uid === uid)?.versions.at(-1);
      if (pod !== undefined && isInhabited(pod.object))
        found.push(`conversation ${c.id} lets pod ${pod.object.metadata.name} go, and it is still there`);
    }
  }
  return found;
}

/** Of a workload, Secret or Application: the Applications that may hold it. */
function applicationsOf({ applications }: World, { namespace, uid }: Life, object: RecordedObject) {
  return applications
    .filter((life) => life.namespace === namespace && life.deleted === undefined)
    .flatMap(({ uid: own, versions }) => {
      const last = versions.at(-1);
      if (last === undefined) return [];
      const owners = (object.metadata.ownerReferences ?? []).map((owner) => owner.uid);
      const isIts =
        own === uid ||
        owners.includes(own) ||
        last.object.status?.workloads?.some((workload) => workload.uid === uid) === true;
      return isIts ? [last] : [];
    });
}

function isHeldByUs({ metadata }: RecordedObject): boolean {
  return (
    metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true
  );
}

function dueSince({ metadata }: RecordedObject, now: number): number {
  return now - Date.parse(metadata.deletionTimestamp ?? '');
}
