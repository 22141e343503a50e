import { createHash, randomUUID } from 'node:crypto';
import { KubeApiError, type KubeClient } from '../kube/index.ts';
import {
  ANNOTATION_REQUEST,
  boundUid,
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
  /** A Job of that name may be there, as far as the watch cache knows. Where none is, there is nothing to bind to yet: the controller does that when it sees one. */
  readonly mayBeThere: (namespace: string, name: string) => boolean;
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
  const { jobName } = request;
  const seen = deps.mayBeThere(namespace, jobName) ? await deps.job(namespace, jobName) : undefined;
  if (idempotencyKey === undefined) return createNamed(deps, wanted, randomUUID(), seen?.uid);
  const first = await createNamed(deps, wanted, derivedUuid('watcher', namespace, idempotencyKey), seen?.uid);
  if (first.kind === 'created' || !('watcher' in first)) return first;
  const job = seen ?? (await deps.job(namespace, jobName));
  if (job === undefined || !isOfAnother(first.watcher, job.uid)) return first;
  return createNamed(deps, wanted, derivedUuid('watcher', namespace, idempotencyKey, job.uid), job.uid);
}

/** What the key has made before, if it was this request; for a replay whose Webhooks are gone by now. Undefined: nothing. */
export async function findReplay(
  { client }: Pick<CreateWatcherDeps, 'client'>,
  { namespace, request, idempotencyKey }: Omit<NewWatcher, 'webhooks'>,
): Promise<JobDoneWatcher | undefined> {
  if (idempotencyKey === undefined) return undefined;
  const name = derivedUuid('watcher', namespace, idempotencyKey);
  const watcher = await client.get<JobDoneWatcher>({ resource: JOB_DONE_WATCHERS, namespace, name });
  if (watcher === undefined || watcher.metadata.deletionTimestamp !== undefined) return undefined;
  return isOf(watcher, fingerprintOf(request)) ? watcher : undefined;
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
  return { kind: isOf(watcher, fingerprint) ? 'replayed' : 'other-request', watcher };
}

function isOf({ metadata }: JobDoneWatcher, fingerprint: string): boolean {
  return metadata.annotations?.[ANNOTATION_REQUEST] === fingerprint;
}

function isOfAnother(watcher: JobDoneWatcher, jobUid: string): boolean {
  const bound = boundUid(watcher);
  return bound !== undefined && bound !== jobUid;
}

/** Of what the request means, not of its bytes: the order of members and unknown ones do not matter. */
function fingerprintOf({ jobName, timeoutSeconds, jobDoneTriggerWebhooks }: WatcherRequest): string {
  const triggers = jobDoneTriggerWebhooks.map((trigger) => [trigger.webhookId, trigger.timeoutSeconds]);
  return createHash('sha256')
    .update(JSON.stringify([jobName, timeoutSeconds, triggers]))
    .digest('hex');
}
