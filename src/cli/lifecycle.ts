import type { Logger } from '../observability/index.ts';

/** A part of the process with a life of its own. */
export interface Component {
  readonly name: string;
  /** Resolves when it runs; a rejection ends the process. The signal is aborted when the process is to stop at once. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when everything it began has ended. */
  stop(): Promise<void>;
  ready(): boolean;
  /** What it is doing must not be cut at the deadline if it can be helped (`overrunMs`). */
  overrunning?(): boolean;
}

export interface LifecycleOptions {
  /** How long the service stays open, not ready, before it stops: time for its endpoints to be removed. */
  readonly shutdownDelayMs: number;
  /** From the request to stop until everything is cut. */
  readonly shutdownDeadlineMs: number;
  /** So much longer, while a component says that it is overrunning; default: no time. */
  readonly overrunMs?: number;
}

export interface Lifecycle {
  /** Starts the components in order, until it is stopped. When one fails, those before it are stopped and the error is thrown. */
  start(): Promise<void>;
  /** Not ready → delay → stop in reverse order; resolves true if all ended before the deadline. Called twice: the same promise. */
  stop(): Promise<boolean>;
  stopping(): boolean;
}

export function createLifecycle(
  components: readonly Component[],
  logger: Logger,
  options: LifecycleOptions,
): Lifecycle {
  const cut = new AbortController();
  const started: Component[] = [];
  let stopped: Promise<boolean> | undefined;
  const isStopping = () => stopped !== undefined;

  async function stopStarted(): Promise<void> {
    for (const component of started.toReversed()) {
      try {
        await component.stop();
        logger.debug('component stopped', { component: component.name });
      } catch (error) {
        logger.warn('component did not stop cleanly', { component: component.name, error: String(error) });
      }
    }
  }

  async function stop(): Promise<boolean> {
    logger.info('stopping', { delayMs: options.shutdownDelayMs, deadlineMs: options.shutdownDeadlineMs });
    const deadline = timer(options.shutdownDeadlineMs);
    const overrun = { timer: timer(0) };
    const inTime = await Promise.race([
      timer(options.shutdownDelayMs)
        .done.then(stopStarted)
        .then(() => true),
      deadline.done
        .then(() => {
          if (!started.some((component) => component.overrunning?.() === true)) return;
          logger.warn('still at work at the deadline', { overrunMs: options.overrunMs ?? 0 });
          overrun.timer = timer(options.overrunMs ?? 0);
          return overrun.timer.done;
        })
        .then(() => false),
    ]);
    deadline.cancel();
    overrun.timer.cancel();
    cut.abort();
    return inTime;
  }

  return {
    async start() {
      for (const component of components) {
        if (isStopping()) return;
        try {
          await component.start(cut.signal);
        } catch (error) {
          if (isStopping()) return;
          cut.abort();
          await stopStarted();
          throw error;
        }
        started.push(component);
        logger.debug('component started', { component: component.name });
      }
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
    stopping: isStopping,
  };
}

function timer(ms: number): { done: Promise<void>; cancel(): void } {
  let handle: NodeJS.Timeout | undefined;
  const done = new Promise<void>((resolve) => {
    handle = setTimeout(resolve, ms);
  });
  return { done, cancel: () => clearTimeout(handle) };
}
