import { hasEnded, hasStarted, type PodProgress } from '../applications/index.ts';
import { ANNOTATION_HOOKS, LABEL_APPLICATION, splitList, type Hook } from '../contract/index.ts';
import { MalformedObjectError, readObject, readObjects, readString, readStringMap } from '../review/index.ts';

/** What of a pod decides whether it may go. */
export interface PodFacts {
  readonly uid: string;
  readonly name: string;
  readonly resourceVersion: string | undefined;
  readonly createdAtMs: number;
  /** Name of its Application, as its label says. */
  readonly application: string | undefined;
  /** Its own annotation names the shutdown hook: then it got what it needs to say goodbye. */
  readonly asksForShutdown: boolean;
  /** It is being deleted already; nothing can hold that. */
  readonly isTerminating: boolean;
  readonly hasEnded: boolean;
  readonly hasStarted: boolean;
}

const SHUTDOWN: Hook = 'shutdown';

/** @throws MalformedObjectError for what is no pod */
export function readPodFacts(value: unknown, field: string): PodFacts {
  const pod = readObject(value, field);
  const metadata = readObject(pod?.metadata, `${field}.metadata`);
  const uid = readString(metadata?.uid, `${field}.metadata.uid`);
  const name = readString(metadata?.name, `${field}.metadata.name`);
  if (uid === undefined || name === undefined) {
    throw new MalformedObjectError(`${field}.metadata`, 'that of a stored pod, with name and uid');
  }
  const progress = progressOf(pod?.status, `${field}.status`);
  const labels = readStringMap(metadata?.labels, `${field}.metadata.labels`);
  const annotations = readStringMap(metadata?.annotations, `${field}.metadata.annotations`);
  return {
    uid,
    name,
    resourceVersion: readString(metadata?.resourceVersion, `${field}.metadata.resourceVersion`),
    createdAtMs: timeOf(metadata?.creationTimestamp, `${field}.metadata.creationTimestamp`),
    application: labels?.[LABEL_APPLICATION],
    asksForShutdown: splitList(annotations?.[ANNOTATION_HOOKS]).includes(SHUTDOWN),
    isTerminating:
      readString(metadata?.deletionTimestamp, `${field}.metadata.deletionTimestamp`) !== undefined,
    hasEnded: hasEnded(progress),
    hasStarted: hasStarted(progress),
  };
}

function progressOf(value: unknown, field: string): PodProgress {
  const status = readObject(value, field);
  return {
    phase: readString(status?.phase, `${field}.phase`),
    containerStatuses: readObjects(status?.containerStatuses, `${field}.containerStatuses`),
  };
}

/** Ms since 1970. */
function timeOf(value: unknown, field: string): number {
  return Date.parse(readString(value, field) ?? '');
}
