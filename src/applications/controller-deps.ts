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

/** A certificate for an application. Times are milliseconds since 1970. */
export interface IssuedCertificate {
  /** PEM: the certificate, then the intermediate that signed it. */
  readonly certPem: string;
  readonly keyPem: string;
  /** SHA-256 (DER), in hex. */
  readonly sha256: string;
  readonly issuerSha256: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** From then on it is to be replaced. */
  readonly renewAt: number;
}

/** Makes the certificates by which applications prove themselves beside their token. */
export interface CertificateSource {
  issue(application: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  }): Promise<IssuedCertificate>;
  /** Another one: certificates of the former one are replaced. */
  issuerSha256(): string;
  /** When what signs now ends, milliseconds since 1970: no certificate outlives it, and then none can be issued. Undefined: not started. */
  issuerNotAfter(): number | undefined;
  /** What is added to the CA bundle. */
  chainPem(): string;
  onChange(listener: () => void): () => void;
}

export interface ReconcileDeps {
  readonly client: KubeClient & Pick<WatchClient, 'list'>;
  readonly logger: Logger;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly trustBundle: Pick<TrustSource, 'pem'>;
  /** Undefined: applications have a token alone. */
  readonly certificates: Pick<CertificateSource, 'issue'> | undefined;
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
