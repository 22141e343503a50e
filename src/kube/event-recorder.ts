import { randomBytes } from 'node:crypto';
import type { Logger } from '../observability/index.ts';
import { systemClock, type Clock } from './clock.ts';
import type { RecordedEvent } from './recorded-event.ts';
import { createEventFilter } from './event-filter.ts';
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
  /** Resolves when what was recorded so far is sent or given up; for an orderly end. */
  flush(): Promise<void>;
}

const EVENTS = { apiVersion: 'events.k8s.io/v1', plural: 'events' } as const;
/** The API server's limit of `note`. */
const MAX_NOTE_BYTES = 1_024;
const MAX_NAME_LENGTH = 253;
/** More than this many at once means that the API server does not keep up; what comes then is dropped. */
const MAX_UNDER_WAY = 100;
const REQUEST_TIMEOUT_MS = 5_000;

/** Writes events.k8s.io/v1 Events, which `kubectl describe` shows under the object: see EventRecorder for what it promises. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, logger, clock = systemClock } = options;
  const filter = createEventFilter();
  const underWay = new Set<Promise<void>>();
  let sequence = 0;

  const send = async (event: RecordedEvent): Promise<void> => {
    const { regarding, reason } = event;
    const namespace = regarding.namespace ?? 'default';
    try {
      const body = buildEvent(event, {
        component: options.component,
        instance: options.instance,
        now: clock.now(),
        sequence: sequence++,
      });
      await client.create(EVENTS, namespace, body, { timeoutMs: REQUEST_TIMEOUT_MS });
    } catch (error) {
      logger.debug('an Event could not be written', {
        regarding: `${regarding.kind} ${namespace}/${regarding.name}`,
        reason,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  };

  return {
    record: (event) => {
      if (!filter.admits(event, clock.monotonic())) return;
      if (underWay.size >= MAX_UNDER_WAY) {
        logger.warn('too many Events at once, one is dropped', { reason: event.reason });
        return;
      }
      const sent = send(event).finally(() => underWay.delete(sent));
      underWay.add(sent);
    },
    flush: async () => {
      await Promise.all(underWay);
    },
  };
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
