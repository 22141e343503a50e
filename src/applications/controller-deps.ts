import type { EventRecorder, KubeClient, KubeObject, WatchClient } from '../kube/index.ts';
import type { ConversationReason, Outcome } from './conversation.ts';
import type { ShutdownCaller } from './shutdown/call-application.ts';
import type { Logger } from '../observability/index.ts';

/** What the controller counts; labels are from small sets. */
export interface ControllerMetrics {
  /** Something was done: `secret-written`, `secret-repaired`, `stamp-repaired`, `delete`, `scale-to-zero`, … */
  action(action: string): void;
  /** From the second in which the complete signal was stored until the API server accepted the action. */
  signalToAction(action: string, seconds: number): void;
  /** A conversation before pods go has ended: why it began, how it ended, how long it took. */
  conversationEnded(reason: ConversationReason, outcome: Outcome, seconds: number): void;
}

/** What every Secret gets as `ca-bundle.pem`. */
export interface TrustSource {
  pem(): string;
  onChange(listener: () => void): () => void;
  /** Afterwards `pem()` is at least as new as this call. */
  refresh(): Promise<void>;
}

export interface ReconcileDeps {
  readonly client: KubeClient & Pick<WatchClient, 'list'>;
  readonly logger: Logger;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly trustBundle: Pick<TrustSource, 'pem'>;
  readonly metrics: ControllerMetrics;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  /** Asks an application to shut down. */
  readonly callShutdown: ShutdownCaller;
  /** The URL at which an application says goodbye. */
  readonly confirmUrl: (namespace: string, application: string) => string;
  /**
   * The JSON Patch that brings the stamp of a workload (with apiVersion and kind) in order, or takes it away, as admission does at its next
   * update; undefined: it is in order, or its kind has none. Pure; knows nothing of namespaces.
   */
  readonly stampPatch: (object: KubeObject) => readonly unknown[] | undefined;
}
