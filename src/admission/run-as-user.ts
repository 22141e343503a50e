import type { JsonObject } from '../review/index.ts';
import { asObject, asObjects } from './read-leniently.ts';

/** The container's own goes before the pod's. Undefined: the image decides, which is not known here. */
export function runAsUser(container: JsonObject, ofPod: JsonObject | undefined): unknown {
  return asObject(container.securityContext)?.runAsUser ?? ofPod?.runAsUser ?? undefined;
}

/** All containers say the same user, each itself or the pod for it: the kubelet knows no other (it does not look at the images'). */
export function hasOneUser({ containers, initContainers, securityContext }: JsonObject): boolean {
  const users = [...asObjects(containers), ...asObjects(initContainers)].map((container) =>
    runAsUser(container, asObject(securityContext)),
  );
  return typeof users[0] === 'number' && new Set(users).size === 1;
}
