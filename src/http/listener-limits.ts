/** Bounds of one listener; what is left out has the default. */
export interface ListenerLimits {
  /**
   * Connections at once. When they are all taken, the one that has been waiting for its client the longest makes room: idle, in its handshake, or with a
   * request that is not whole. Is there none, the new one is closed.
   */
  readonly maxConnections: number;
  /** Connections from one address at once; Infinity where one address is the only caller, as the API server at admission. */
  readonly maxConnectionsPerAddress: number;
  readonly maxHeaderBytes: number;
  readonly handshakeTimeoutMs: number;
  /** From the connection's start, or a request's first byte, until its header is whole. */
  readonly headersTimeoutMs: number;
  /** From a request's first byte until its body is whole. */
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** While stopping: how long idle connections may still bring a request, which is answered with `Connection: close`. */
  readonly idleGraceMs: number;
  /** While stopping: after this what is still open is cut. */
  readonly drainTimeoutMs: number;
}

export const DEFAULT_LIMITS: ListenerLimits = {
  // A TLS connection takes some 40 KB: 160 MB at the worst.
  maxConnections: 4_096,
  maxConnectionsPerAddress: 256,
  maxHeaderBytes: 16_384,
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // Go's client keeps idle connections for 90 s; whoever closes first risks a request that was just being sent.
  keepAliveTimeoutMs: 95_000,
  idleGraceMs: 1_000,
  // Five seconds of shutdownDelay before it, 25 s of shutdownDeadline around both.
  drainTimeoutMs: 15_000,
};
