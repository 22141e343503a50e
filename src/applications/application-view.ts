import type { Auth, CompleteAction, Hook } from '../contract/index.ts';
import type { Application, ApplicationSpec, ApplicationStatus, BoundWorkload } from './application.ts';
import type { LabelledPod } from './labelled-pod.ts';
import type { LiveWorkload } from './live-workload.ts';
import type { Member } from './member.ts';
import type { ConversationPod, ShutdownTarget } from './conversation.ts';
import type { CertificateIdentity } from './secret-contents.ts';
import type { KnownCalls } from './shutdown/conversation-calls.ts';
import type { PlannedCall } from './shutdown/draft.ts';
import type { LivePod } from './shutdown/live-pod.ts';
import type { DesiredReplicas } from './shutdown/surplus.ts';

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
      /** Its certificate, complete, with the key that belongs to it; undefined: there is none, or it is damaged. */
      readonly certificate: CertificateIdentity | undefined;
      /** CA bundle, labels, finalizer and owner are as they should be, and nothing is in it that should not. */
      readonly inOrder: boolean;
      readonly deleting: boolean;
      /** Our finalizer is on it. */
      readonly held: boolean;
      /** Of others. */
      readonly finalizers: readonly string[];
    };

export type OwnSecret = Extract<SecretState, { readonly state: 'ours' }>;

/** What was read from the API server and not from a watch cache. */
export interface LiveState {
  readonly workloads: readonly LiveWorkload[];
  readonly secret: SecretState;
  /** Undefined until something depended on them in this pass. */
  readonly pods: readonly LivePod[] | undefined;
  /** How many pods the owners want of which some are to go; read with the pods. */
  readonly desired?: DesiredReplicas;
  /** What the shutdown service leads to; undefined: there is none, or it has no selector. */
  readonly target: ShutdownTarget | undefined;
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
  /** UIDs of pods whose removal was refused in this pass, and why. */
  readonly refused?: ReadonlyMap<string, string>;
  readonly caBundleSha256: string;
  /** SHA-256 of the certificate that signs those of applications now, in hex; undefined: applications have none. */
  readonly issuerSha256: string | undefined;
  /** When that ends, ms since 1970: nothing that it signs outlives it. Undefined: as `issuerSha256`. */
  readonly issuerNotAfter: number | undefined;
  /** The calls that this process makes, or made, for it. */
  readonly calls: KnownCalls;
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

/** A pod that is to be removed as somebody asked. */
export type RemovablePod = ConversationPod & { readonly cause: NonNullable<ConversationPod['cause']> };

export type StatusChange = ApplicationStatus;

/** The next thing to do. After each but `rest` the plan is asked again. */
export type Step =
  | { readonly do: 'observe' }
  | { readonly do: 'create'; readonly spec: ApplicationSpec; readonly events: readonly PlannedEvent[] }
  | { readonly do: 'update-spec'; readonly spec: ApplicationSpec; readonly events: readonly PlannedEvent[] }
  /** Enough pods are complete: what follows cannot be undone, so it is decided upon fresh readings alone. */
  | { readonly do: 'store-complete'; readonly status: StatusChange; readonly events: readonly PlannedEvent[] }
  | { readonly do: 'write-status'; readonly status: StatusChange; readonly events: readonly PlannedEvent[] }
  /**
   * A new token and certificate: their hashes into this status first, then both into the Secret. With a pod identity there is neither, and the
   * Secret has the CA bundle alone.
   */
  | {
      readonly do: 'issue-token';
      readonly status: StatusChange;
      readonly events: readonly PlannedEvent[];
      readonly why: 'first' | 'anew' | 'repair' | 'rotate';
    }
  /** A new certificate beside those that this status lists; the token stays. */
  | {
      readonly do: 'issue-certificate';
      readonly status: StatusChange;
      readonly events: readonly PlannedEvent[];
    }
  /** CA bundle, labels and owner; token and certificate stay. */
  | { readonly do: 'write-secret'; readonly events: readonly PlannedEvent[] }
  | { readonly do: 'delete-secret'; readonly uid: string }
  | {
      readonly do: 'claim';
      readonly workload: LiveWorkload;
      readonly hooks: readonly Hook[];
      readonly completeAction: CompleteAction;
      readonly auth: Auth;
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
  | { readonly do: 'observe-pods' }
  /** Stores the conversations, attempts counted, and then makes these calls. */
  | {
      readonly do: 'ask';
      readonly status: StatusChange;
      readonly calls: readonly PlannedCall[];
      readonly events: readonly PlannedEvent[];
    }
  /** Our finalizer comes off. */
  | { readonly do: 'release-workload'; readonly workload: LiveWorkload }
  | {
      readonly do: 'move-workload';
      readonly workload: LiveWorkload;
      readonly nodeSelector: Readonly<Record<string, string>>;
    }
  | {
      readonly do: 'remove-pods';
      readonly pods: readonly RemovablePod[];
      /** One for each of the pods, in their order; told of those that were removed. */
      readonly events: readonly PlannedEvent[];
    }
  /** Of the Application itself. */
  | { readonly do: 'set-finalizer'; readonly wanted: boolean }
  | { readonly do: 'release-secret'; readonly secret: OwnSecret }
  /** The person's request was carried out: its annotation goes. */
  | { readonly do: 'drop-request'; readonly request: string }
  /** Nothing to do now; look again at this time (ms since 1970) at the latest. */
  | { readonly do: 'rest'; readonly until?: number; readonly events?: readonly PlannedEvent[] };
