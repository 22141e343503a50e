import { randomBytes } from 'node:crypto';
import type { Logger } from '../observability/index.ts';
import { systemClock, type Clock } from './clock.ts';
import type { RecordedEvent } from './recorded-event.ts';
import { createEventFilter } from './event-filter.ts';
import { createFifo } from './fifo.ts';
import type { KubeClient } from './kube-client.ts';
import { microTime } from './micro-time.ts';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create'>;
  /** Shown as the source, for example `krake-hooks-controller`. */
  readonly component: string;
  /** This replica, for example the pod's name. */
  readonly instance: string;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface EventRecorder {
  /** Best effort: returns at once and never throws. The same event of the same object within 5 minutes is recorded once. */
  record(event: RecordedEvent): void;
  /** Resolves when what was recorded so far is sent or given up, at the latest after some seconds; for an orderly end. */
  flush(): Promise<void>;
}

const EVENTS = { apiVersion: 'events.k8s.io/v1', plural: 'events' } as const;
/** The API server's limit of `note`. */
const MAX_NOTE_BYTES = 1_024;
const MAX_NAME_LENGTH = 253;
/** So few at once, so that a burst of Events does not stand in the way of what they tell about. */
const SENT_AT_ONCE = 4;
/** When so many wait, the API server does not keep up at all; what comes then is dropped. */
const MAX_WAITING = 5_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** A process that ends does not wait longer. */
const FLUSH_MS = 5_000;

/** Writes events.k8s.io/v1 Events, which `kubectl describe` shows under the object: see EventRecorder for what it promises. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, logger, clock = systemClock } = options;
  const filter = createEventFilter();
  const waiting = createFifo<WaitingEvent>();
  const senders = new Set<Promise<void>>();
  let sending = 0;
  let sequence = 0;

  const send = async ({ event, namespace, body }: WaitingEvent): Promise<void> => {
    try {
      await client.create(EVENTS, namespace, body, { timeoutMs: REQUEST_TIMEOUT_MS });
    } catch (error) {
      logger.debug('an Event could not be written', {
        regarding: `${event.regarding.kind} ${namespace}/${event.regarding.name}`,
        reason: event.reason,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  };

  const sendAll = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await send(next);
    // In the same turn in which nothing was left, so that what comes next finds it gone.
    sending -= 1;
  };

  return {
    record: (event) => {
      if (!filter.admits(event, clock.monotonic())) return;
      if (waiting.length >= MAX_WAITING) {
        logger.warn('too many Events at once, one is dropped', { reason: event.reason });
        return;
      }
      // Its time is now, however long it waits.
      const body = buildEvent(event, {
        component: options.component,
        instance: options.instance,
        now: clock.now(),
        sequence: sequence++,
      });
      waiting.push({ event, namespace: event.regarding.namespace ?? 'default', body });
      if (sending >= SENT_AT_ONCE) return;
      sending += 1;
      const sender = sendAll().finally(() => senders.delete(sender));
      senders.add(sender);
    },
    flush: async () => {
      let cancel = (): void => undefined;
      const late = new Promise<void>((resolve) => {
        cancel = clock.after(FLUSH_MS, resolve);
      });
      await Promise.race([Promise.all(senders), late]);
      cancel();
    },
  };
}

interface WaitingEvent {
  readonly event: RecordedEvent;
  readonly namespace: string;
  readonly body: object;
}

interface Reporter {
  readonly component: string;
  readonly instance: string;
  readonly now: number;
  /** Counts this reporter's Events: the order of those of one millisecond. */
  readonly sequence: number;
}

/**
 * The Event object. The name's suffix keeps two Events of one object apart and grows with time: `kubectl describe` shows Events of this API
 * in the order of their names.
 */
export function buildEvent(event: RecordedEvent, reporter: Reporter): object {
  const { regarding, type, reason, action, note } = event;
  const { component, instance, now, sequence } = reporter;
  const suffix = `.${hex(now, 12)}${hex(sequence % 0x1_0000, 4)}${randomBytes(4).toString('hex')}`;
  return {
    apiVersion: EVENTS.apiVersion,
    kind: 'Event',
    metadata: {
      name: `${regarding.name.slice(0, MAX_NAME_LENGTH - suffix.length)}${suffix}`,
      namespace: regarding.namespace ?? 'default',
    },
    eventTime: microTime(now),
    reportingController: component,
    reportingInstance: instance.slice(0, 128),
    regarding,
    type,
    reason: reason.slice(0, 128),
    action: action.slice(0, 128),
    note: cutToBytes(note, MAX_NOTE_BYTES),
  };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const ellipsis = '…';
  const cut = Buffer.from(text).subarray(0, maxBytes - Buffer.byteLength(ellipsis));
  // A character that was cut in two is left out.
  return new TextDecoder().decode(cut, { stream: true }) + ellipsis;
}
