import type { CallResult, FailureReason } from './outbound-caller.ts';

/**
 * What a result means for a delivery:
 * - `delivered`: a 2xx;
 * - `retry`: it may well succeed later, over days;
 * - `retry-few`: it is likely to fail again until somebody changes something: a few tries, then it has failed;
 * - `disable`: the receiver wants no more of these (410);
 * - `fail`: it cannot be sent as it is.
 */
export type Verdict = 'delivered' | 'retry' | 'retry-few' | 'disable' | 'fail';

/** Timeout, conflict, too early, too many: a matter of time. */
const PASSING: readonly number[] = [408, 409, 425, 429];

const OF_FAILURES: Readonly<Record<FailureReason, Verdict>> = {
  'invalid-url': 'fail',
  'invalid-request': 'fail',
  // Until the name leads elsewhere or the allow list is changed.
  'address-refused': 'retry-few',
  dns: 'retry',
  connect: 'retry',
  'connect-timeout': 'retry',
  tls: 'retry',
  'answer-timeout': 'retry',
  closed: 'retry',
  'bad-answer': 'retry',
  // It was us who ended it.
  aborted: 'retry',
};

/** @param inCluster the target is a Service: behind an ingress that is just being set up, or a pod that is starting, 404 passes */
export function classifyResult(result: CallResult, inCluster: boolean): Verdict {
  if (result.kind === 'failed') return OF_FAILURES[result.reason];
  const { status } = result;
  if (status < 300) return 'delivered';
  if (status === 410) return 'disable';
  if (status >= 500 || PASSING.includes(status) || (status === 404 && inCluster)) return 'retry';
  return 'retry-few';
}
