import type { KubeObject } from '../kube/index.ts';
import { ANNOTATION_REQUEST } from './annotations.ts';
import { isFinal, type JobDoneWatcher } from './job-done-watcher.ts';

/** What is kept of a JobDoneWatcher: all of it until its phase is final. */
export interface KnownWatcher {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly jobName: string;
  readonly finishedAt?: string;
  readonly open?: JobDoneWatcher;
}

export function projectWatcher(object: KubeObject): KnownWatcher | undefined {
  const watcher = object as unknown as JobDoneWatcher;
  const { metadata, spec, status } = watcher;
  if (metadata.deletionTimestamp !== undefined) return undefined;
  const { namespace, name, uid, creationTimestamp, resourceVersion, annotations } = metadata;
  const request = annotations?.[ANNOTATION_REQUEST];
  const kept = {
    namespace,
    name,
    uid,
    creationTimestamp,
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(request !== undefined && { annotations: { [ANNOTATION_REQUEST]: request } }),
  };
  return {
    namespace,
    name,
    uid,
    jobName: spec.jobName,
    ...(isFinal(status?.phase)
      ? { finishedAt: status?.finishedAt ?? creationTimestamp }
      : { open: { ...watcher, metadata: kept } }),
  };
}
