import type { Logger } from '../observability/index.ts';
import type { Clock } from './clock.ts';
import type { KubeClient } from './kube-client.ts';

/** The object that an Event is about. */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Absent for cluster-scoped objects; their Events live in `default`. */
  readonly namespace?: string;
  readonly uid: string;
}

export interface RecordedEvent {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** Why, in one CamelCase word; the same as in logs and metrics. */
  readonly reason: string;
  /** What was done or tried, in one CamelCase word. */
  readonly action: string;
  /** For people; cut to 1 kB. Never a token or key. */
  readonly note: string;
}

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

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  throw new Error(`not built yet: ${options.component}`);
}
