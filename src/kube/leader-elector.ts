import type { Logger } from '../observability/index.ts';
import { pause, systemClock, type Clock } from './clock.ts';
import type { KubeClient } from './kube-client.ts';
import { createLeaseLock } from './lease-lock.ts';

export interface LeaderElectorOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly namespace: string;
  readonly leaseName: string;
  /** Unique for each process start (pod name and a random part): a restarted process must not take itself for its predecessor. */
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  /**
   * Leads until the signal is aborted, which happens before another can lead. What it returns is waited for before this process
   * campaigns again; a rejection gives the leadership up.
   */
  readonly onStartedLeading: (signal: AbortSignal) => Promise<void> | void;
  readonly onStoppedLeading?: () => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface LeaderElector {
  readonly name: string;
  /** Campaigns, leads, and campaigns again after a loss, until stopped; resolves at once. */
  start(signal: AbortSignal): Promise<void>;
  /** Ends leading, waits for the leader's work, then releases the Lease so that another leads at once. */
  stop(): Promise<void>;
  /** Always true once started: a standby is as ready as a leader. */
  ready(): boolean;
  isLeader(): boolean;
}

/**
 * Leader election on a Lease after client-go's: see LeaderElector for what it promises.
 *
 * Why never two: a leader's signal is aborted `renewDeadlineMs` after the begin of its last successful renewal, and others take the lease
 * `leaseDurationMs`, which is longer, after they saw that renewal, each by its own monotonic clock. (What a process does
 * while its event loop stands still, nobody can tell it: decisive writes carry preconditions besides.)
 */
export function createLeaderElector(options: LeaderElectorOptions): LeaderElector {
  checkDurations(options);
  const { logger, clock = systemClock, random = Math.random, renewDeadlineMs, retryPeriodMs } = options;
  const { client, namespace, leaseName, identity, leaseDurationMs } = options;
  const lock = createLeaseLock({
    ...{ client, clock, namespace, leaseName, identity, leaseDurationMs },
    requestTimeoutMs: renewDeadlineMs / 2,
  });
  const fields = { lease: leaseName, identity };
  let leading: AbortController | undefined;
  let running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;

  const retryPause = (signal: AbortSignal) => pause(clock, retryPeriodMs * (0.8 + 0.4 * random()), signal);

  /** When the lease was held by us for certain: the time before the request, on our clock; undefined: it is not known. */
  const tryHold = async (): Promise<{ readonly since: number } | 'other' | 'unknown'> => {
    const since = clock.monotonic();
    try {
      return (await lock.tryHold()) ? { since } : 'other';
    } catch (error) {
      logger.debug('lease could not be written', { ...fields, error: messageOf(error) });
      return 'unknown';
    }
  };

  /** Renews until `done`; returns early, with the leadership aborted, when it is lost. */
  const keep = async (since: number, leadership: AbortController, done: AbortSignal): Promise<void> => {
    const expire = () => leadership.abort(new LostLeaseError('the lease could not be renewed in time'));
    let cancel = clock.after(since + renewDeadlineMs - clock.monotonic(), expire);
    for (;;) {
      await retryPause(done);
      if (done.aborted || leadership.signal.reason instanceof LostLeaseError) break;
      const held = await tryHold();
      if (held === 'other') leadership.abort(new LostLeaseError('another holds the lease'));
      if (typeof held === 'string') continue;
      cancel();
      cancel = clock.after(held.since + renewDeadlineMs - clock.monotonic(), expire);
    }
    cancel();
  };

  /** Leads until the lease is lost, the work fails or `signal` is aborted; returns when the work has ended. */
  const lead = async (since: number, signal: AbortSignal): Promise<void> => {
    const leadership = new AbortController();
    const workEnded = new AbortController();
    leading = leadership;
    const resign = () => leadership.abort(signal.reason);
    signal.addEventListener('abort', resign, { once: true });
    leadership.signal.addEventListener('abort', () => tellStopped(leadership.signal.reason), { once: true });
    logger.info('leading', fields);
    const work = Promise.resolve()
      .then(() => options.onStartedLeading(leadership.signal))
      .catch((error: unknown) => {
        if (leadership.signal.aborted) return;
        logger.error("the leader's work failed", { ...fields, error: messageOf(error) });
        leadership.abort(error);
      });
    const workAndLeadership = Promise.all([work, aborted(leadership.signal)]);
    const renewing = keep(since, leadership, workEnded.signal);
    await workAndLeadership;
    workEnded.abort();
    await renewing;
    signal.removeEventListener('abort', resign);
    leading = undefined;
    if (!(leadership.signal.reason instanceof LostLeaseError)) await release();
  };

  const tellStopped = (reason: unknown): void => {
    logger.info('not leading any more', { ...fields, reason: messageOf(reason) });
    try {
      options.onStoppedLeading?.();
    } catch (error) {
      logger.error('onStoppedLeading threw', { ...fields, error: messageOf(error) });
    }
  };

  const release = async (): Promise<void> => {
    try {
      await lock.release();
    } catch (error) {
      logger.warn('lease could not be released, it runs out by itself', {
        ...fields,
        error: messageOf(error),
      });
    }
  };

  const run = async (signal: AbortSignal): Promise<void> => {
    do {
      const held = await tryHold();
      if (typeof held === 'object') await (signal.aborted ? release() : lead(held.since, signal));
      await retryPause(signal);
    } while (!signal.aborted);
  };

  return {
    name: `leader election ${leaseName}`,
    start: (signal) => {
      if (running !== undefined) throw new Error(`leader election ${leaseName}: is running already`);
      const controller = new AbortController();
      const onAbort = () => controller.abort(signal.reason);
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      const ended = run(controller.signal).finally(() => {
        signal.removeEventListener('abort', onAbort);
        running = undefined;
      });
      running = { controller, ended };
      return Promise.resolve();
    },
    stop: async () => {
      if (running === undefined) return;
      running.controller.abort(new Error('stopped'));
      // Work that does not end must not hold up the end of the process; its lease is then left to run out.
      const ended = new AbortController();
      void running.ended.finally(() => ended.abort());
      await pause(clock, renewDeadlineMs, ended.signal);
    },
    ready: () => running !== undefined,
    isLeader: () => leading !== undefined && !leading.signal.aborted,
  };
}

class LostLeaseError extends Error {
  override readonly name = 'LostLeaseError';
}

function checkDurations({ leaseDurationMs, renewDeadlineMs, retryPeriodMs }: LeaderElectorOptions): void {
  if (leaseDurationMs <= renewDeadlineMs) {
    throw new RangeError('leaseDuration must be longer than renewDeadline, or two could lead at once');
  }
  if (renewDeadlineMs <= retryPeriodMs * 1.2) {
    throw new RangeError(
      'renewDeadline must be longer than 1.2 times retryPeriod, or no renewal comes in time',
    );
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
