import type { WorkloadKind } from '../contract/index.ts';
import { MalformedObjectError, readObject, type AdmissionRequest } from '../review/index.ts';
import { unchanged, type Decision } from './decision.ts';
import { checkObject, checkRequest } from './eligibility.ts';
import { injectJob } from './inject-job.ts';
import { injectPod } from './inject-pod.ts';
import { readMeta } from './object-meta.ts';
import type { ReviewSubject } from './review-subject.ts';
import type { AdmissionSettings } from './settings.ts';
import { stampCronJob } from './stamp-cron-job.ts';
import { stampWorkload } from './stamp-workload.ts';

const REVIEWS: Readonly<Record<WorkloadKind, (subject: ReviewSubject) => Decision>> = {
  Deployment: stampWorkload,
  StatefulSet: stampWorkload,
  DaemonSet: stampWorkload,
  ReplicaSet: stampWorkload,
  ReplicationController: stampWorkload,
  CronJob: stampCronJob,
  Job: injectJob,
  Pod: injectPod,
};

/**
 * Decides about one object: a pure function of the request and the settings. It reads nothing else and changes nothing, so a
 * dry run is like any other request. Asked about its own result it answers `up-to-date`, and about one to which another
 * webhook has added a container, it injects that container.
 *
 * @throws MalformedObjectError for what is no Kubernetes object of the kind it says
 */
export function review(request: AdmissionRequest, settings: AdmissionSettings): Decision {
  const reason = checkRequest(request, settings);
  if (reason !== undefined) return unchanged(reason);

  const kind = request.kind.kind as WorkloadKind; // checkRequest has seen to it
  const object = readObject(request.object, 'object');
  if (object === undefined) throw new MalformedObjectError('object', 'present');
  const meta = readMeta(object.metadata, 'metadata');
  const objectReason = checkObject(kind, meta);
  if (objectReason !== undefined) return unchanged(objectReason);
  return REVIEWS[kind]({ kind, request, settings, object, meta });
}
