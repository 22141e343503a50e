import { APPLICATIONS } from '../applications/index.ts';
import type { Clock, RecordedEvent } from '../kube/index.ts';
import { createTokenBuckets } from '../http/index.ts';
import type { AuditedAnswer } from './audited-answer.ts';
import type { Evidence } from './prove-sender.ts';
import { createRefusalGathering, GATHER_MS } from './gather-refusals.ts';

/** Tells of accepted and refused signals by Events on the Application. A component: to be stopped after the listener, before the Events are flushed. */
export interface Audit {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  /** Tells of what is left. */
  stop(): Promise<void>;
  ready(): boolean;
  answered(answer: AuditedAnswer): void;
}

export interface AuditDeps {
  readonly events: { record(event: RecordedEvent): void };
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
}

/** Accepted ones of one application in a while: the recorder allows 25 Events an object, and others are among them. */
const ACCEPTED = { ratePerSecond: 10 / 300, burst: 10 };

/**
 * An accepted signal is one Event, a repeat of it none. Refusals of one application for one reason are gathered: a flood is one Event in five
 * minutes, and what it went on with is told at their end. 403 has budgets of its own: it takes a credential, and nobody without one can keep it back. 429
 * and 503 are none: they say nothing of who sent.
 *
 * The Events of refusals are made by a timer, apart from the request, whose time must not tell anything.
 */
export function createAudit({ events, clock }: AuditDeps): Audit {
  const monotonic = () => clock.monotonic();
  const accepted = createTokenBuckets(ACCEPTED, monotonic);
  const record = (last: AuditedAnswer, count: number) => events.record(refusedEvent(last, count));
  const forbidden = createRefusalGathering(record, monotonic);
  const others = createRefusalGathering(record, monotonic);
  let cancel: (() => void) | undefined;
  let isStopped = false;

  /** One timer for all, as long as there is something to tell. */
  function schedule(): void {
    if (isStopped) return;
    cancel ??= clock.after(GATHER_MS, () => {
      cancel = undefined;
      const left = [forbidden.tell(), others.tell()];
      if (left.includes(true)) schedule();
    });
  }

  return {
    name: 'callbacks audit',
    start: () => Promise.resolve(),
    stop() {
      isStopped = true;
      cancel?.();
      forbidden.tell(true);
      others.tell(true);
      return Promise.resolve();
    },
    ready: () => true,
    answered(answer) {
      if (answer.reason === 'stored') {
        if (accepted.take(answer.uid) === 0) events.record(acceptedEvent(answer));
        return;
      }
      if (![401, 403, 409].includes(answer.status)) return;
      (answer.status === 403 ? forbidden : others).add(answer);
      schedule();
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
