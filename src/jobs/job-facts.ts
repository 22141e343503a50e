import { splitList } from '../contract/index.ts';
import type { KubeObject, OwnerReference } from '../kube/index.ts';
import {
  ANNOTATION_ON_JOB_COMPLETE,
  ANNOTATION_ON_JOB_DONE,
  ANNOTATION_ON_JOB_FAILED,
  ANNOTATION_SETTLED,
  LABEL_WEBHOOKS_CALLED,
} from './annotations.ts';
import type { JobEvent } from './webhook-delivery.ts';

/** Names of Webhooks, by when they are to be told. */
export interface Asks {
  readonly done: readonly string[];
  readonly failed: readonly string[];
  readonly complete: readonly string[];
}

/** What is kept of a Job. */
export interface JobFacts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly createdAt?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly owner?: Pick<OwnerReference, 'apiVersion' | 'kind' | 'name' | 'uid'>;
  readonly asks?: Asks;
  /** Complete or Failed; absent: not yet. Never changes once it is there. */
  readonly end?: JobEvent;
  /** While it is suspended. */
  readonly suspended?: JobEvent;
  /** `UID/event` of the last event whose deliveries have all come to their end. */
  readonly settled?: string;
  readonly labelled: boolean;
}

interface Condition {
  readonly type?: unknown;
  readonly status?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly lastTransitionTime?: unknown;
}

interface JobObject extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly startTime?: unknown;
    readonly completionTime?: unknown;
    readonly succeeded?: unknown;
    readonly failed?: unknown;
  };
}

/** No more than this of a list in an annotation counts. */
const MAX_NAMES = 32;
const MAX_LABELS = 64;
const MAX_MESSAGE = 1_000;
const MAX_REASON = 256;

/** Reads a Job as the watch brings it; undefined for what cannot be one. Pure. */
export function projectJob(object: KubeObject): JobFacts | undefined {
  const { metadata, status } = object as JobObject;
  const { namespace, name, uid, creationTimestamp, annotations = {}, labels = {} } = metadata;
  if (namespace === undefined || name === undefined || uid === undefined) return undefined;
  const job = { namespace, name, uid, labels };
  const asks = readAsks(annotations);
  const settled = annotations[ANNOTATION_SETTLED];
  return {
    ...job,
    ...(creationTimestamp !== undefined && { createdAt: creationTimestamp }),
    ...ownerOf(metadata.ownerReferences),
    ...(asks && { asks }),
    ...happeningsOf(job, status),
    ...(settled !== undefined && { settled }),
    labelled: labels[LABEL_WEBHOOKS_CALLED] === 'true',
  };
}

function ownerOf(references: readonly OwnerReference[] = []): Pick<JobFacts, 'owner'> {
  const owner = references.find((reference) => reference.controller === true);
  if (owner === undefined) return {};
  const { apiVersion, kind, name, uid } = owner;
  return { owner: { apiVersion, kind, name, uid } };
}

function happeningsOf(
  job: Pick<JobFacts, 'name' | 'uid' | 'labels'>,
  status: JobObject['status'],
): Pick<JobFacts, 'end' | 'suspended'> {
  const conditions: readonly Condition[] = Array.isArray(status?.conditions)
    ? (status.conditions as readonly Condition[])
    : [];
  // By type, wherever it stands: other conditions may come before and after it.
  const holds = (type: string) => conditions.find((c) => c.type === type && c.status === 'True');
  const [complete, failed, suspended] = [holds('Complete'), holds('Failed'), holds('Suspended')];
  return {
    ...(complete && { end: eventOf('complete', complete, job, status) }),
    ...(!complete && failed && { end: eventOf('failed', failed, job, status) }),
    ...(suspended && { suspended: eventOf('suspended', suspended, job, status) }),
  };
}

/** The lists in the `on-job-*` annotations; undefined when there are none. */
export function readAsks(annotations: Readonly<Record<string, string>> = {}): Asks | undefined {
  const names = (key: string) => splitList(annotations[key] ?? '').slice(0, MAX_NAMES);
  const asks = {
    done: names(ANNOTATION_ON_JOB_DONE),
    failed: names(ANNOTATION_ON_JOB_FAILED),
    complete: names(ANNOTATION_ON_JOB_COMPLETE),
  };
  return asks.done.length + asks.failed.length + asks.complete.length === 0 ? undefined : asks;
}

/** The event of a Job that was deleted before its end. */
export function deletedEvent(facts: JobFacts, now: number): JobEvent {
  const { name, uid, labels } = facts;
  return {
    type: 'deleted',
    time: new Date(now).toISOString(),
    job: { name, uid },
    succeeded: 0,
    failed: 0,
    labels: some(labels),
  };
}

function eventOf(
  type: JobEvent['type'],
  condition: Condition,
  job: Pick<JobFacts, 'name' | 'uid' | 'labels'>,
  status: JobObject['status'],
): JobEvent {
  const startTime = time(status?.startTime);
  const completionTime = time(status?.completionTime);
  return {
    type,
    time: time(condition.lastTransitionTime) ?? completionTime ?? startTime ?? new Date(0).toISOString(),
    job: { name: job.name, uid: job.uid },
    ...(typeof condition.reason === 'string' &&
      condition.reason !== '' && { reason: cut(condition.reason, MAX_REASON) }),
    ...(typeof condition.message === 'string' &&
      condition.message !== '' && { message: cut(condition.message, MAX_MESSAGE) }),
    ...(startTime !== undefined && { startTime }),
    ...(completionTime !== undefined && { completionTime }),
    succeeded: count(status?.succeeded),
    failed: count(status?.failed),
    labels: some(job.labels),
  };
}

/** Half a character at the cut comes back from the API server as U+FFFD, and what is stored has to be what was wanted. */
function cut(text: string, length: number): string {
  return text.slice(0, length).toWellFormed();
}

/** Our own informing label is none of the Job's: with it the event would differ before and after. */
function some(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels)
      .filter(([key]) => key !== LABEL_WEBHOOKS_CALLED)
      .slice(0, MAX_LABELS),
  );
}

function time(value: unknown): string | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : 0;
}
