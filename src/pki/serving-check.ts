import { systemClock, type Clock } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { createPoll } from './poll.ts';
import { verifyServing, type ServingVerdict } from './verify-serving.ts';

export interface ServingCheckDeps {
  readonly logger: Logger;
  readonly clock?: Clock;
  /**
   * The CA bundles (PEM) that callers use now; the listener must verify with each. Webhooks: `() => readCaBundles(client, ref)`, what is
   * in the live webhook configuration; callbacks: `() => Promise.resolve([pki.trustBundle.pem()])`. Empty: nobody can call yet.
   */
  readonly caBundles: () => Promise<readonly string[]>;
}

export interface ServingCheckOptions {
  /** Name of the listener, for logs. */
  readonly listener: string;
  /** Where it listens; empty or a wildcard: localhost is called. */
  readonly host: string;
  readonly port: () => number;
  readonly servername: string;
  /** Time between checks while they succeed, and while they do not; default 10 s and 200 ms. */
  readonly intervalMs?: number;
  readonly retryIntervalMs?: number;
}

export interface ServingCheck {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** The listener's certificate verifies as callers verify it. */
  ready(): boolean;
  /** Why it is not ready; undefined: it is. */
  reason(): string | undefined;
}

const INTERVAL_MS = 10_000;
const RETRY_INTERVAL_MS = 200;
/** A listener that was ready stays so for this many failed checks: one lost packet, or a bundle that is being written, is no outage. */
const FAILURES_BEFORE_NOT_READY = 3;

/** Readiness by a self-call: ready only while the listener really serves what its callers trust. */
export function createServingCheck(deps: ServingCheckDeps, options: ServingCheckOptions): ServingCheck {
  const logger = deps.logger.child({ component: 'serving-check', listener: options.listener });
  const intervalMs = options.intervalMs ?? INTERVAL_MS;
  const retryIntervalMs = options.retryIntervalMs ?? RETRY_INTERVAL_MS;
  let failures = FAILURES_BEFORE_NOT_READY;
  let reason: string | undefined = 'not checked yet';
  let bundles: readonly string[] = [];

  async function check(): Promise<void> {
    try {
      bundles = await deps.caBundles();
    } catch (error) {
      // Without an answer the bundles known so far count: readiness must not fall on all replicas because the API server is away.
      logger.debug('the CA bundle could not be read', { error: String(error) });
    }
    const verdict = await verifyAll();
    const wasReady = isReady();
    failures = verdict.ok ? 0 : failures + 1;
    const before = reason;
    reason = verdict.ok ? undefined : verdict.reason;
    if (isReady() !== wasReady) {
      logger[isReady() ? 'info' : 'error'](
        isReady() ? 'the serving certificate verifies' : 'the serving certificate does not verify',
        { reason },
      );
    } else if (reason !== undefined && reason !== before) {
      logger.warn('the serving certificate does not verify yet', { reason });
    }
  }

  async function verifyAll(): Promise<ServingVerdict> {
    if (bundles.length === 0) return { ok: false, reason: 'no CA bundle is known, so nobody can call' };
    const host = loopback(options.host);
    for (const caPem of bundles) {
      const verdict = await verifyServing({
        host,
        port: options.port(),
        servername: options.servername,
        caPem,
      });
      if (!verdict.ok) return verdict;
    }
    return { ok: true };
  }

  function isReady(): boolean {
    return failures < FAILURES_BEFORE_NOT_READY;
  }

  const poll = createPoll(
    { clock: deps.clock ?? systemClock, logger },
    {
      subject: 'serving certificate',
      intervalMs: () => (failures === 0 ? intervalMs : retryIntervalMs),
      run: check,
    },
  );
  return {
    name: `serving-check-${options.listener}`,
    start(signal) {
      poll.start(signal);
      return Promise.resolve();
    },
    stop: () => poll.stop(),
    ready: isReady,
    reason: () => (isReady() ? undefined : reason),
  };
}

function loopback(host: string): string {
  return ['', '0.0.0.0', '::'].includes(host) ? 'localhost' : host;
}
