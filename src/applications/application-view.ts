import type { CompleteAction, Hook } from '../contract/index.ts';
import type { Application, ApplicationSpec, ApplicationStatus, BoundWorkload } from './application.ts';
import type { LabelledPod } from './labelled-pod.ts';
import type { LiveWorkload } from './live-workload.ts';
import type { Member } from './member.ts';

export type SecretState =
  | { readonly state: 'absent' }
  /** There is a Secret of that name that we did not make. */
  | { readonly state: 'foreign' }
  | {
      readonly state: 'ours';
      readonly uid: string;
      readonly resourceVersion: string;
      /** SHA-256 of the token in it; undefined: it holds none. */
      readonly tokenSha256: string | undefined;
      /** CA bundle, labels and owner are as they should be. */
      readonly inOrder: boolean;
    };

/** What was read from the API server and not from a watch cache. */
export interface LiveState {
  readonly workloads: readonly LiveWorkload[];
  readonly secret: SecretState;
}

/** All that the plan for one Application knows. */
export interface ApplicationView {
  readonly namespace: string;
  readonly name: string;
  readonly namespaceState: 'enabled' | 'disabled' | 'terminating';
  /** Read live; undefined: there is none. */
  readonly application: Application | undefined;
  /** Annotated workloads, from the watch caches. */
  readonly members: readonly Member[];
  /** Pods that carry the label, from the watch cache. */
  readonly pods: readonly LabelledPod[];
  /** Undefined until it was read in this pass; whatever cannot be undone waits for it. */
  readonly live: LiveState | undefined;
  /** UIDs of workloads that were patched in this pass: once must do. */
  readonly tried: ReadonlySet<string>;
  readonly caBundleSha256: string;
}

/** An Event to be recorded once the step has succeeded. */
export interface PlannedEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  /** Workloads it is about, besides the Application. */
  readonly workloads: readonly BoundWorkload[];
}

export type StatusChange = ApplicationStatus;

/** The next thing to do. After each but `rest` the plan is asked again. */
export type Step =
  | { readonly do: 'observe' }
  | { readonly do: 'create'; readonly spec: ApplicationSpec; readonly events: readonly PlannedEvent[] }
  | { readonly do: 'update-spec'; readonly spec: ApplicationSpec; readonly events: readonly PlannedEvent[] }
  | { readonly do: 'write-status'; readonly status: StatusChange; readonly events: readonly PlannedEvent[] }
  /** A new token: its hash into this status first, then the Secret. */
  | {
      readonly do: 'issue-token';
      readonly status: StatusChange;
      readonly events: readonly PlannedEvent[];
      readonly why: 'first' | 'anew' | 'repair';
    }
  /** CA bundle, labels and owner; the token stays. */
  | { readonly do: 'write-secret'; readonly events: readonly PlannedEvent[] }
  | { readonly do: 'delete-secret'; readonly uid: string }
  | {
      readonly do: 'claim';
      readonly workload: LiveWorkload;
      readonly hooks: readonly Hook[];
      readonly completeAction: CompleteAction;
    }
  | { readonly do: 'release'; readonly workload: LiveWorkload }
  | { readonly do: 'repair-stamp'; readonly workload: LiveWorkload; readonly events: readonly PlannedEvent[] }
  | {
      readonly do: 'delete-workload';
      readonly workload: LiveWorkload;
      readonly events: readonly PlannedEvent[];
    }
  | {
      readonly do: 'scale-workload';
      readonly workload: LiveWorkload;
      readonly events: readonly PlannedEvent[];
    }
  | { readonly do: 'delete-application' }
  /** Nothing to do now; look again at this time (ms since 1970) at the latest. */
  | { readonly do: 'rest'; readonly until?: number; readonly events?: readonly PlannedEvent[] };
