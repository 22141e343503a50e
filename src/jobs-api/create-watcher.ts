import { createHash, randomUUID } from 'node:crypto';
import { KubeApiError, type KubeClient } from '../kube/index.ts';
import {
  ANNOTATION_REQUEST,
  derivedUuid,
  JOB_DONE_WATCHERS,
  type JobDoneWatcher,
  type JobFacts,
} from '../jobs/index.ts';
import type { WatcherRequest } from './resources.ts';

export interface CreateWatcherDeps {
  readonly client: Pick<KubeClient, 'create' | 'get'>;
  /** The living Job of that name, from the API server: a binding is for ever, and a watch cache may still show a namesake that is gone. */
  readonly job: (namespace: string, name: string) => Promise<Pick<JobFacts, 'uid'> | undefined>;
}

export interface NewWatcher {
  readonly namespace: string;
  readonly request: WatcherRequest;
  /** Names of the Webhooks, in the order of the request. */
  readonly webhooks: readonly string[];
  readonly idempotencyKey: string | undefined;
}

export type WatcherCreation =
  | { readonly kind: 'created' | 'replayed'; readonly watcher: JobDoneWatcher }
  /** The same key with another request. */
  | { readonly kind: 'other-request'; readonly watcher: JobDoneWatcher }
  /** The first request's watcher is just being deleted: neither there nor gone. */
  | { readonly kind: 'in-flight' };

/**
 * Creates a watcher. With a key its name is derived from namespace and key, so of all who race the API server lets one create it and shows it to the
 * others. A key whose watcher is bound to a Job that another of the same name has replaced means the new Job: key and UID name the watcher then.
 */
export async function createWatcher(deps: CreateWatcherDeps, wanted: NewWatcher): Promise<WatcherCreation> {
  const { namespace, idempotencyKey, request } = wanted;
  const job = await deps.job(namespace, request.jobName);
  if (idempotencyKey === undefined) return createNamed(deps, wanted, randomUUID(), job?.uid);
  const first = await createNamed(deps, wanted, derivedUuid('watcher', namespace, idempotencyKey), job?.uid);
  if (job === undefined || !('watcher' in first) || !isOfAnother(first.watcher, job.uid)) return first;
  return createNamed(deps, wanted, derivedUuid('watcher', namespace, idempotencyKey, job.uid), job.uid);
}

async function createNamed(
  { client }: CreateWatcherDeps,
  { namespace, request, webhooks }: NewWatcher,
  name: string,
  jobUid: string | undefined,
): Promise<WatcherCreation> {
  const fingerprint = fingerprintOf(request);
  const body = {
    apiVersion: JOB_DONE_WATCHERS.apiVersion,
    kind: 'JobDoneWatcher',
    metadata: { name, namespace, annotations: { [ANNOTATION_REQUEST]: fingerprint } },
    spec: {
      jobName: request.jobName,
      ...(jobUid !== undefined && { jobUid }),
      timeoutSeconds: request.timeoutSeconds,
      webhooks: request.jobDoneTriggerWebhooks.map(({ timeoutSeconds }, position) => ({
        id: derivedUuid('trigger', name, String(position)),
        webhook: webhooks[position],
        timeoutSeconds,
      })),
    },
  };
  try {
    const watcher = await client.create<JobDoneWatcher>(JOB_DONE_WATCHERS, namespace, body);
    return { kind: 'created', watcher };
  } catch (error) {
    if (!(error instanceof KubeApiError) || error.reason !== 'AlreadyExists') throw error;
  }
  const watcher = await client.get<JobDoneWatcher>({ resource: JOB_DONE_WATCHERS, namespace, name });
  if (watcher === undefined || watcher.metadata.deletionTimestamp !== undefined) return { kind: 'in-flight' };
  const same = watcher.metadata.annotations?.[ANNOTATION_REQUEST] === fingerprint;
  return { kind: same ? 'replayed' : 'other-request', watcher };
}

function isOfAnother({ spec, status }: JobDoneWatcher, jobUid: string): boolean {
  const bound = spec.jobUid ?? status?.jobUid;
  return bound !== undefined && bound !== jobUid;
}

/** Of what the request means, not of its bytes: the order of members and unknown ones do not matter. */
function fingerprintOf({ jobName, timeoutSeconds, jobDoneTriggerWebhooks }: WatcherRequest): string {
  const triggers = jobDoneTriggerWebhooks.map((trigger) => [trigger.webhookId, trigger.timeoutSeconds]);
  return createHash('sha256')
    .update(JSON.stringify([jobName, timeoutSeconds, triggers]))
    .digest('hex');
}
