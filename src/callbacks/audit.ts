import { APPLICATIONS } from '../applications/index.ts';
import type { Hook } from '../contract/index.ts';
import type { Clock, RecordedEvent } from '../kube/index.ts';
import type { AnswerReason } from './answers.ts';
import type { Evidence } from './prove-sender.ts';
import { createTokenBuckets } from './token-buckets.ts';

/** One answer, as it is told of. */
export interface AuditedAnswer {
  readonly status: number;
  readonly reason: AnswerReason;
  readonly hook: Hook;
  readonly namespace: string;
  readonly name: string;
  /** Of the Application. */
  readonly uid: string;
  readonly evidence: Evidence;
}

/** Tells of accepted and refused signals by Events on the Application. */
export interface Audit {
  answered(answer: AuditedAnswer): void;
}

export interface AuditDeps {
  readonly events: { record(event: RecordedEvent): void };
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
}

/** What comes in this time is one Event. It also parts the Event from the request, whose time must not tell anything. */
const GATHER_MS = 2_000;
/** The same refusal of the same application is told again after this at the earliest, with how often it came. */
const QUIET_MS = 300_000;
const MAX_GATHERED = 2_000;
/** Of one application in a while: the recorder allows 25 Events an object, and the controller's are among them. */
const ACCEPTED_BURST = 10;
const REFUSALS_BURST = 5;
/** Of all applications: somebody who guesses names and tokens makes few. */
const ALL_REFUSALS = { ratePerSecond: 1, burst: 50 };

interface Gathered {
  last: AuditedAnswer;
  count: number;
  scheduled: boolean;
  toldAtMs: number | undefined;
}

/**
 * An accepted signal is one Event, a repeat of it none. Refusals of one application for one reason are gathered: a flood is one Event in five
 * minutes, which says how many there were. 429 and 503 are none: they say nothing of who sent.
 */
export function createAudit({ events, clock }: AuditDeps): Audit {
  const monotonic = () => clock.monotonic();
  const slow = (burst: number) => createTokenBuckets({ ratePerSecond: burst / 300, burst }, monotonic);
  const accepted = slow(ACCEPTED_BURST);
  const refusedOfOne = slow(REFUSALS_BURST);
  const refusedOfAll = createTokenBuckets(ALL_REFUSALS, monotonic);
  const gathered = new Map<string, Gathered>();

  function tell(key: string, entry: Gathered): void {
    const { last, count } = entry;
    entry.scheduled = false;
    entry.count = 0;
    entry.toldAtMs = clock.monotonic();
    if (refusedOfOne.take(last.uid) > 0 || refusedOfAll.take('') > 0) return;
    events.record(refusedEvent(last, count));
    gathered.set(key, entry);
  }

  function refused(answer: AuditedAnswer): void {
    const key = `${answer.uid}/${answer.reason}`;
    const entry = gathered.get(key) ?? { last: answer, count: 0, scheduled: false, toldAtMs: undefined };
    entry.last = answer;
    entry.count += 1;
    gathered.delete(key);
    gathered.set(key, entry);
    if (gathered.size > MAX_GATHERED)
      for (const oldest of gathered.keys()) if (gathered.delete(oldest)) break;
    const isQuiet = entry.toldAtMs !== undefined && clock.monotonic() - entry.toldAtMs < QUIET_MS;
    if (entry.scheduled || isQuiet) return;
    entry.scheduled = true;
    clock.after(GATHER_MS, () => tell(key, entry));
  }

  return {
    answered(answer) {
      if (answer.reason === 'stored') {
        if (accepted.take(answer.uid) === 0) events.record(acceptedEvent(answer));
      } else if ([401, 403, 409].includes(answer.status)) refused(answer);
    },
  };
}

function acceptedEvent(answer: AuditedAnswer): RecordedEvent {
  const note = `the signal ${answer.hook} was accepted, proven by ${answer.evidence.proof ?? 'token'}${whose(answer.evidence)}`;
  return { ...about(answer), type: 'Normal', reason: 'SignalAccepted', note };
}

function refusedEvent(answer: AuditedAnswer, count: number): RecordedEvent {
  const times = count === 1 ? 'once' : `${count} times`;
  const note = `the signal ${answer.hook} was refused ${times}, the last time with ${answer.status} ${answer.reason}${whose(answer.evidence)}`;
  return { ...about(answer), type: 'Warning', reason: 'SignalRefused', note };
}

function about({ namespace, name, uid }: AuditedAnswer): Pick<RecordedEvent, 'regarding' | 'action'> {
  const regarding = { apiVersion: APPLICATIONS.apiVersion, kind: 'Application', namespace, name, uid };
  return { regarding, action: 'ReceiveSignal' };
}

function whose({ pod, certificateSha256 }: Evidence): string {
  return [
    ...(pod === undefined ? [] : [`, pod ${pod.name} (${pod.uid})`]),
    ...(certificateSha256 === undefined ? [] : [`, certificate ${shortHash(certificateSha256)}`]),
  ].join('');
}

/** As much of a hash as tells certificates apart. */
export function shortHash(sha256: string): string {
  return sha256.slice(0, 16);
}
