import { WORKLOAD_KINDS } from '../contract/index.ts';
import type { KubeClient, KubeObject } from '../kube/index.ts';
import { readObject, readString, type AdmissionRequest } from '../review/index.ts';
import { causeOf } from './cause-of.ts';
import type { Asked, PassReason } from './decide-gate.ts';
import type { GateRequestKind } from './gate-metrics.ts';
import { readPodFacts } from './pod-facts.ts';

export type ReadAsked =
  | { readonly outcome: 'asked'; readonly asked: Asked; readonly isDryRun: boolean }
  | { readonly outcome: 'passes'; readonly reason: PassReason };

export function kindOfRequest({ kind, operation, subResource }: AdmissionRequest): GateRequestKind {
  if (operation === 'DELETE' && kind.group === '' && kind.kind === 'Pod' && subResource === '')
    return 'deletion';
  return operation === 'CREATE' && kind.kind === 'Eviction' && subResource === 'eviction'
    ? 'eviction'
    : 'other';
}

/**
 * The pod that a request is about. A deletion brings it along (`oldObject`; the request of a deleted collection has no name). An eviction shows only
 * its name, so the pod is read.
 *
 * @throws MalformedObjectError for what is no pod or eviction
 * @throws KubeApiError or KubeUnreachableError when the pod of an eviction cannot be read
 */
export async function readAsked(
  request: AdmissionRequest,
  client: Pick<KubeClient, 'get'>,
  timeoutMs: number,
): Promise<ReadAsked> {
  switch (kindOfRequest(request)) {
    case 'other':
      return { outcome: 'passes', reason: 'other-request' };
    case 'deletion': {
      const pod = readPodFacts(request.oldObject, 'oldObject');
      return {
        outcome: 'asked',
        asked: { pod, cause: causeOf(request.username, false), byEviction: false },
        isDryRun: request.dryRun,
      };
    }
    case 'eviction':
      return readEvicted(request, client, timeoutMs);
  }
}

async function readEvicted(
  { name, namespace, object, dryRun, username }: AdmissionRequest,
  client: Pick<KubeClient, 'get'>,
  timeoutMs: number,
): Promise<ReadAsked> {
  const options = readObject(readObject(object, 'object')?.deleteOptions, 'object.deleteOptions');
  const ref = { resource: WORKLOAD_KINDS.Pod, namespace, name };
  const found = await client.get<KubeObject>(ref, { timeoutMs });
  if (found === undefined) return { outcome: 'passes', reason: 'pod-gone' };
  const pod = readPodFacts(found, 'pod');
  const wanted = readObject(options?.preconditions, 'object.deleteOptions.preconditions');
  const isOther =
    differs(readString(wanted?.uid, 'object.deleteOptions.preconditions.uid'), pod.uid) ||
    differs(
      readString(wanted?.resourceVersion, 'object.deleteOptions.preconditions.resourceVersion'),
      pod.resourceVersion,
    );
  // The API server refuses it then.
  if (isOther) return { outcome: 'passes', reason: 'precondition' };
  return {
    outcome: 'asked',
    asked: { pod, cause: causeOf(username, true), byEviction: true },
    isDryRun: dryRun || isDryRun(options?.dryRun),
  };
}

function differs(wanted: string | undefined, actual: string | undefined): boolean {
  return wanted !== undefined && wanted !== actual;
}

/** `kubectl drain --dry-run=server` says it in the eviction itself. */
function isDryRun(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}
