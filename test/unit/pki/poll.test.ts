import { describe, expect, it } from '@jest/globals';
import { createPoll } from '../../../src/pki/poll.ts';
import { createManualClock, createMemoryLogger, settle } from './fakes.ts';

function setUp(run: () => Promise<void>) {
  const clock = createManualClock();
  const logger = createMemoryLogger();
  const poll = createPoll({ clock, logger }, { subject: 'thing', intervalMs: () => 5_000, run });
  const stop = new AbortController();
  return { clock, logger, poll, stop };
}

describe('createPoll', () => {
  it('runs at once, then each interval, until it is stopped', async () => {
    let runs = 0;
    const { clock, poll, stop } = setUp(() => {
      runs++;
      return Promise.resolve();
    });
    poll.start(stop.signal);
    await settle();
    expect(runs).toBe(1);
    await clock.advance(10_000);
    expect(runs).toBe(3);
    await poll.stop();
    await clock.advance(60_000);
    expect(runs).toBe(3);
  });

  it('retries soon, backs off to the interval, logs a failure once, and tells when it works again', async () => {
    let works = false;
    let runs = 0;
    const { clock, logger, poll, stop } = setUp(() => {
      runs++;
      return works ? Promise.resolve() : Promise.reject(new Error('away'));
    });
    poll.start(stop.signal);
    await clock.advance(250 + 500 + 1_000 + 2_000);
    expect(runs).toBe(5);
    expect(logger.lines.map((line) => line.level)).toEqual(['error']);
    expect(logger.lines[0]?.fields).toEqual({ subject: 'thing', error: 'away' });
    works = true;
    await clock.advance(5_000);
    expect(runs).toBe(6);
    expect(logger.lines.map((line) => line.message)).toEqual(['failed, will be tried again', 'works again']);
    await poll.stop();
  });

  it('runs at once when woken, and once more when woken during a run', async () => {
    let runs = 0;
    const gates: (() => void)[] = [];
    const { poll, stop } = setUp(() => {
      runs++;
      return new Promise((resolve) => gates.push(resolve));
    });
    poll.start(stop.signal);
    await settle();
    poll.wake();
    poll.wake();
    gates[0]?.();
    await settle();
    expect(runs).toBe(2);
    gates[1]?.();
    await settle();
    expect(runs).toBe(2);
    poll.wake();
    await settle();
    expect(runs).toBe(3);
    gates[2]?.();
    await poll.stop();
  });

  it('tells of the first success, and fails those who wait when it ends before', async () => {
    let works = false;
    const { clock, poll, stop } = setUp(() => (works ? Promise.resolve() : Promise.reject(new Error('no'))));
    poll.start(stop.signal);
    works = true;
    await clock.advance(250);
    await expect(poll.succeeded()).resolves.toBeUndefined();

    const other = setUp(() => Promise.reject(new Error('no')));
    other.poll.start(other.stop.signal);
    other.stop.abort();
    await expect(other.poll.succeeded()).rejects.toThrow('stopped before this had succeeded: thing');
    await Promise.all([poll.stop(), other.poll.stop()]);
  });

  it('does not run when it is already aborted', async () => {
    let runs = 0;
    const { poll, stop } = setUp(() => {
      runs++;
      return Promise.resolve();
    });
    stop.abort();
    poll.start(stop.signal);
    await poll.stop();
    expect(runs).toBe(0);
  });
});
