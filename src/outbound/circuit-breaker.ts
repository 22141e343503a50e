import { backoffMs } from './retry-timing.ts';

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long it stays open the first time, at most and at least half of it; each further time in a row twice as long. */
  readonly openMs: number;
  /** No longer than this. */
  readonly maxOpenMs: number;
}

/**
 * Whether an endpoint may be called: after some failures in a row it is open and lets nothing through for a while; then one call tries, and
 * its end closes or opens it again. What calls say that began before it opened changes nothing any more.
 */
export interface Breaker {
  /** `0`: now (half-open: one call at a time); a time: not before; undefined: a call is just trying, its end decides. */
  notBeforeMs(nowMs: number): number | undefined;
  /** A call begins; give the result to `ended`. */
  began(nowMs: number): BreakerCall;
  ended(call: BreakerCall, health: EndpointHealth, nowMs: number): void;
  readonly state: (nowMs: number) => 'closed' | 'open' | 'half-open';
}

/** What a call says of its endpoint; `neutral`: nothing, since nothing was sent. */
export type EndpointHealth = 'healthy' | 'failing' | 'neutral';

/** To which time of the breaker a call belongs. */
export interface BreakerCall {
  readonly generation: number;
}

/** @param random from 0 to below 1: endpoints that went down together are not tried together */
export function createBreaker(options: BreakerOptions, random: () => number): Breaker {
  let failures = 0;
  let timesOpened = 0;
  let openUntilMs = 0;
  let generation = 0;
  let isTrying = false;

  const open = (nowMs: number): void => {
    timesOpened += 1;
    generation += 1;
    failures = 0;
    const { openMs, maxOpenMs } = options;
    const wholeMs = backoffMs(timesOpened, { baseMs: openMs, capMs: maxOpenMs }, 1);
    openUntilMs = nowMs + wholeMs * (0.5 + random() / 2);
  };
  const close = (): void => {
    failures = 0;
    timesOpened = 0;
  };

  return {
    notBeforeMs: (nowMs) => {
      if (timesOpened === 0) return 0;
      if (isTrying) return undefined;
      return nowMs >= openUntilMs ? 0 : openUntilMs;
    },
    began: () => {
      if (timesOpened > 0) isTrying = true;
      return { generation };
    },
    ended: (call, health, nowMs) => {
      if (call.generation !== generation) return;
      isTrying = false;
      if (health === 'healthy') close();
      if (health !== 'failing') return;
      failures += 1;
      if (timesOpened > 0 || failures >= options.failures) open(nowMs);
    },
    state: (nowMs) => (timesOpened === 0 ? 'closed' : nowMs >= openUntilMs ? 'half-open' : 'open'),
  };
}
