import { LABEL_APPLICATION } from '../../src/contract/index.ts';
import type { RemovalEvent, Violation } from './history.ts';
import { mayGo } from './may-go.ts';
import { conversationsOf, eventsOf, type World } from './world.ts';

const RULE = 'own-removal';

/**
 * The service removes what it names by UID, and of pods only those that somebody wanted to go and that may: each by itself, or all of them with
 * their application.
 */
export function checkOwnRemovals(world: World): Violation[] {
  return eventsOf(world.history, 'removal')
    .filter(({ resource }) => resource !== 'leases')
    .flatMap((removal) => {
      const { resource, name, uid, position } = removal;
      const what = `${resource} ${name}`;
      if (uid === undefined) return [{ rule: RULE, text: `${what} is removed without naming its UID` }];
      const why = resource === 'pods' ? whyNotPod(world, removal, uid, position) : undefined;
      return why === undefined ? [] : [{ rule: RULE, text: `${what} (${uid}) is removed: ${why}` }];
    });
}

function whyNotPod(
  world: World,
  { namespace }: RemovalEvent,
  uid: string,
  position: number,
): string | undefined {
  const pod = world.pods.find((life) => life.uid === uid);
  const application = pod?.versions.at(-1)?.object.metadata.labels?.[LABEL_APPLICATION];
  if (application === undefined) return 'nobody knows it';
  const known = world.applications
    .filter((life) => life.namespace === namespace && life.name === application)
    .flatMap(({ versions }) => versions.filter((version) => version.position < position));
  const createdAt = pod?.versions[0]?.object.metadata.creationTimestamp;
  const reasons = known.filter(({ object }) => mayGo(object, uid, createdAt));
  if (reasons.length === 0) return 'no version of its Application had let it go';
  const isWanted = known.some(
    ({ object }) =>
      object.status?.signals?.complete !== undefined ||
      Object.hasOwn(object.status?.shutdown?.going ?? {}, uid) ||
      conversationsOf(object).some(({ scope, reason, pods }) =>
        pods.some(
          (asked) =>
            asked.uid === uid &&
            (asked.cause !== undefined ||
              reason === 'requested' ||
              (scope === 'application' && reason === 'deletion')),
        ),
      ),
  );
  return isWanted ? undefined : 'nobody had asked for it';
}
