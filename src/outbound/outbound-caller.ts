/** Who a call is made for; a label of the metrics. */
export type OutboundPurpose = 'shutdown' | 'webhook';

/** One HTTP call to a place that somebody else has chosen. */
export interface OutboundCall {
  readonly purpose: OutboundPurpose;
  readonly method: 'GET' | 'POST' | 'PUT' | 'OPTIONS';
  /** http or https, without user information; the fragment is not sent. */
  readonly url: string;
  /** Names in any case. `host`, `connection`, `content-length` and `user-agent` are the caller's own. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /**
   * The namespace of whoever chose the URL: short names of Services mean those of this namespace, and Services of ours or of a namespace that is not allowed are
   * refused. Default: ours.
   */
  readonly namespace?: string;
  /** Goes to this IP address instead of resolving the URL's host, which still gives the Host header and the name in the certificate. */
  readonly connectTo?: { readonly address: string; readonly port: number };
  /** https: the name that the certificate has to have; default: the host of the URL. */
  readonly servername?: string;
  /** Name resolution, TCP and TLS together. */
  readonly connectTimeoutMs: number;
  /** From the connection until the answer's head has come; Infinity: until the signal ends the call. */
  readonly answerTimeoutMs: number;
  /** After the head: how long the body is read, within what is left of `answerTimeoutMs`; default 5 s. */
  readonly bodyTimeoutMs?: number;
  /** So much of the body is kept; then the connection is closed. 0: it is closed once the head has come. */
  readonly maxAnswerBytes: number;
  /** Calls of one group (a namespace) may take only a part of the places, so that those of others find one. */
  readonly group?: string;
  /** Within the group likewise (an application of the namespace). */
  readonly member?: string;
  /** Ends the call at any time, also while it waits for its turn. */
  readonly signal?: AbortSignal;
}

/** The head of an answer has come, so its status counts; what then becomes of the body changes nothing. Redirects are not followed: a 3xx is an answer. */
export interface Answered {
  readonly kind: 'answered';
  readonly status: number;
  /** Of {@link KEPT_HEADERS} those that came, names in lower case, values cut to 256 characters. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first bytes of the body as UTF-8, best effort: text of a stranger. */
  readonly body: string;
  /** There was more, or it could not be read to its end: too long, too slow, cut off. */
  readonly truncated: boolean;
  /** It was reached by the name of a Service. */
  readonly inCluster?: true;
  /** From the call's turn (waiting for it does not count). */
  readonly durationMs: number;
}

export const KEPT_HEADERS = ['content-type', 'location', 'retry-after'] as const;

export const FAILURE_REASONS = [
  /** The URL is none, is neither http nor https, or contains user information; or `connectTo` is no address. */
  'invalid-url',
  /** A header or the method cannot be sent. */
  'invalid-request',
  /** The address policy refuses where it leads. Nothing was sent, no connection was opened. */
  'address-refused',
  /** The name has no address, or no name server said so in time. */
  'dns',
  'connect',
  'connect-timeout',
  'tls',
  /** Connected, but no head came in time. The request may have been carried out. */
  'answer-timeout',
  /** The connection ended before the head. The request may have been carried out. */
  'closed',
  /** What came is no HTTP. */
  'bad-answer',
  /** The signal was aborted or the caller closed. If it had been sent, the request may have been carried out. */
  'aborted',
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

export interface Failed {
  readonly kind: 'failed';
  readonly reason: FailureReason;
  /** At most 200 characters for people: what happened and what to do. No header, body, path or query of the request; nothing of the answer. */
  readonly message: string;
  readonly durationMs: number;
}

export type CallResult = Answered | Failed;

export interface OutboundCaller {
  /**
   * Makes the call once; never rejects, never tries again, never follows a redirect. Ends at the latest after `connectTimeoutMs` +
   * `answerTimeoutMs` from its turn, or with its signal. Each call has a connection of its own, to an address that was checked, and closes it.
   */
  call(call: OutboundCall): Promise<CallResult>;
  /** Aborts the calls under way and those that wait; further ones are answered `aborted`. Resolves when all have ended. */
  close(): Promise<void>;
}
