/** What is kept of `status.shutdown`, and of how the application wants to be asked. Positions are indices in the status. */
export interface KnownShutdown {
  /** `spec.shutdown.service`: whether one service speaks for the application, or each pod for itself. */
  readonly form: 'service' | 'pod';
  /** Conversations begun so far; undefined: there is no `status.shutdown` yet. */
  readonly sequence: number | undefined;
  readonly conversations: readonly KnownConversation[];
  /** `status.signals.shutdownFrom`: by UID or address of the pod, when each goodbye was stored that nobody had asked for; undefined: it is not there. */
  readonly volunteered: ReadonlyMap<string, string> | undefined;
}

export interface KnownConversation {
  readonly id: string;
  readonly form: 'service' | 'pod';
  readonly deadline: string;
  /** Undefined: it goes on. */
  readonly outcome: string | undefined;
  readonly endedAt: string | undefined;
  /** service form: when the goodbye was stored. */
  readonly confirmedAt: string | undefined;
  /** Of the pods that go, in both forms. */
  readonly podUids: readonly string[];
  /** pod form; of the service form none are kept. */
  readonly pods: readonly KnownPod[];
}

export interface KnownPod {
  readonly uid: string;
  readonly name: string;
  readonly address: string | undefined;
  readonly confirmedAt: string | undefined;
}
