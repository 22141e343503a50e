import { describe, expect, it } from '@jest/globals';
import type { Processed } from '../../../src/outbound/index.ts';
import { settle } from '../kube/manual-clock.ts';
import { FAILED, held, OK, setting } from './queues-setting.ts';

describe('endpoint queues', () => {
  it('deal with so many items of an endpoint at a time, in their order', async () => {
    const { behave, end, underWay } = held();
    const { queues } = setting(behave);
    for (const key of ['1', '2', '3', '4']) queues.add('a', key);
    queues.add('b', '1');
    expect(underWay()).toEqual(['a/1', 'a/2', 'b/1']);
    expect(queues.state('a')).toEqual({ breaker: 'closed', waiting: 2, active: 2 });
    await end('a/2');
    expect(underWay()).toEqual(['a/1', 'b/1', 'a/3']);
    await end('a/1');
    await end('a/3');
    await end('a/4');
    expect(queues.state('a')).toBeUndefined();
    expect(queues.load()).toEqual({ waiting: 0, active: 1, openBreakers: 0, lateMs: 0 });
  });

  it('do not let an endpoint that hangs touch another', async () => {
    const { clock, calls, queues } = setting((endpoint) =>
      endpoint === 'dead' ? new Promise(() => undefined) : Promise.resolve(OK),
    );
    for (let index = 0; index < 100; index++) queues.add('dead', String(index));
    for (let index = 0; index < 100; index++) queues.add('alive', String(index));
    await clock.advance(0);
    expect(calls.filter((call) => call.startsWith('0 alive/'))).toHaveLength(100);
    expect(calls.filter((call) => call.includes('dead/'))).toHaveLength(2);
    await clock.advance(30_000);
    expect(queues.load()).toEqual({ waiting: 98, active: 2, openBreakers: 0, lateMs: 30_000 });
  });

  it('bring an item when it is due, at the earlier of two times, and again when it says so', async () => {
    let answers = 0;
    const { clock, calls, queues } = setting(() =>
      Promise.resolve(++answers === 1 ? { health: 'healthy', againInMs: 5_000 } : OK),
    );
    queues.add('a', '1', 60_000);
    queues.add('a', '1', 2_000);
    queues.add('a', '1', 90_000);
    await clock.advance(100_000);
    expect(calls).toEqual(['2000 a/1', '7000 a/1']);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('bring what was added while it was dealt with once more, and never two at a time', async () => {
    const { behave, end, underWay } = held();
    const { queues, calls } = setting(behave);
    queues.add('a', '1');
    queues.add('a', '1');
    queues.add('a', '1');
    expect(underWay()).toEqual(['a/1']);
    await end('a/1');
    expect(underWay()).toEqual(['a/1']);
    await end('a/1');
    expect(calls).toHaveLength(2);
  });

  it('take items out, also those under way', async () => {
    const { behave, end } = held();
    const { clock, queues, calls } = setting(behave, 1);
    for (const key of ['1', '2', '3']) queues.add('a', key);
    queues.remove('a', '1');
    queues.remove('a', '2');
    queues.remove('other', '9');
    await end('a/1', FAILED);
    await clock.advance(10_000);
    expect(calls).toEqual(['0 a/1', '0 a/3']);
  });

  it('pause an endpoint that asks for it', async () => {
    let first = true;
    const { clock, calls, queues } = setting(() => {
      const result: Processed = first ? { health: 'healthy', pauseMs: 30_000, againInMs: 1_000 } : OK;
      first = false;
      return Promise.resolve(result);
    }, 1);
    queues.add('a', '1');
    queues.add('a', '2');
    queues.add('b', '1');
    await clock.advance(40_000);
    expect(calls).toEqual(['0 a/1', '0 b/1', '30000 a/2', '30000 a/1']);
  });

  it('log what throws, and bring it again', async () => {
    let first = true;
    const { clock, calls, logger, queues } = setting(() => {
      if (!first) return Promise.resolve(OK);
      first = false;
      return Promise.reject(new Error('a defect'));
    });
    queues.add('a', '1');
    await clock.advance(10_000);
    expect(calls).toEqual(['0 a/1', '5000 a/1']);
    expect(logger.lines).toMatchObject([
      { level: 'error', fields: { endpoint: 'a', key: '1', error: 'a defect' } },
    ]);
  });

  it('stop: abort what is under way, wait for it, and begin nothing', async () => {
    const ended: string[] = [];
    const { clock, calls, queues } = setting(
      (_endpoint, key, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            ended.push(key);
            resolve({ health: 'neutral', againInMs: 0 });
          });
        }),
    );
    for (const key of ['1', '2', '3']) queues.add('a', key);
    await queues.stop();
    queues.add('a', '4');
    await clock.advance(100_000);
    expect(ended).toEqual(['1', '2']);
    expect(calls).toHaveLength(2);
    expect(clock.pendingTimers()).toBe(0);
  });
});

describe('stopping with patience', () => {
  it('lets what is under way end, and aborts what does not', async () => {
    const { behave, end, underWay } = held();
    const aborted: string[] = [];
    const { clock, queues, calls } = setting((endpoint, key, signal) => {
      signal.addEventListener('abort', () => {
        if (!underWay().includes(`${endpoint}/${key}`)) return;
        aborted.push(key);
        void end(`${endpoint}/${key}`);
      });
      return behave(endpoint, key, signal);
    });
    for (const key of ['1', '2', '3']) queues.add('a', key);
    let isStopped = false;
    const stopped = queues.stop(3_000).then(() => void (isStopped = true));
    await end('a/1');
    await clock.advance(2_900);
    expect([aborted, isStopped]).toEqual([[], false]);
    await clock.advance(200);
    await stopped;
    expect(aborted).toEqual(['2']);
    expect(calls).toHaveLength(2);
  });
});

describe('the breaker of an endpoint', () => {
  it('opens after failures in a row, tries with one call, and stays open longer each time', async () => {
    const { clock, calls, queues } = setting(() => Promise.resolve(FAILED), 8);
    for (const key of ['1', '2', '3', '4', '5']) queues.add('a', key);
    await clock.advance(0);
    // All five began before the third failure was known.
    expect(calls).toHaveLength(5);
    expect(queues.state('a')?.breaker).toBe('open');
    await clock.advance(120_000);
    expect(calls.slice(5).map((call) => Math.round(Number.parseInt(call) / 1_000))).toEqual([10, 30, 70]);
    expect(queues.load().openBreakers).toBe(1);
  });

  it('closes with the first success, and lets all through', async () => {
    let isUp = false;
    const { clock, calls, queues } = setting(() => Promise.resolve(isUp ? OK : FAILED), 4);
    for (let index = 0; index < 20; index++) queues.add('a', String(index));
    await clock.advance(5_000);
    const before = calls.length;
    expect(before).toBeLessThan(10);
    isUp = true;
    await clock.advance(10_000);
    expect(calls).toHaveLength(before + 20);
    expect(queues.state('a')).toBeUndefined();
  });

  it('is closed by a success in between', async () => {
    let count = 0;
    const { clock, calls, queues } = setting(() => Promise.resolve(++count % 3 === 0 ? OK : FAILED), 1);
    for (let index = 0; index < 9; index++) queues.add('a', String(index));
    await clock.advance(0);
    expect(calls).toHaveLength(9);
    expect(queues.state('a')?.breaker).toBe('closed');
  });

  it('is not impressed by what began before it opened, nor by what says nothing of the endpoint', async () => {
    const { behave, end, underWay } = held();
    const { clock, queues } = setting(behave, 5);
    for (const key of ['1', '2', '3', 'late', 'later']) queues.add('a', key);
    for (const key of ['1', '2', '3']) await end(`a/${key}`, FAILED);
    await end('a/late', OK);
    expect(queues.state('a')?.breaker).toBe('open');
    await clock.advance(10_000);
    expect(underWay()).toEqual(['a/later', 'a/1']);
    await end('a/1', { health: 'neutral' });
    expect(underWay()).toEqual(['a/later', 'a/2']); // another one tries
    await end('a/later', FAILED);
    expect(underWay()).toEqual(['a/2']);
    await end('a/2', OK);
    expect(underWay()).toEqual(['a/3']);
    expect(queues.state('a')?.breaker).toBe('closed');
  });

  it('and a pause hold nothing that somebody asks for; it goes first, and its success lets the others through', async () => {
    let isUp = false;
    const { clock, calls, queues } = setting((_endpoint, key) => {
      if (key === 'busy') return Promise.resolve({ health: 'healthy', pauseMs: 30_000 });
      return Promise.resolve(isUp ? OK : FAILED);
    }, 1);
    for (const key of ['1', '2', '3', '4']) queues.add('a', key);
    queues.add('b', 'busy');
    queues.add('b', '1');
    await clock.advance(5_000);
    expect(calls.splice(0)).toEqual(['0 a/1', '0 b/busy', '0 a/2', '0 a/3']);
    queues.addFirst('a', 'asked');
    await settle();
    expect(calls.splice(0)).toEqual(['5000 a/asked']);
    expect(queues.state('a')?.breaker).toBe('open');
    isUp = true;
    queues.addFirst('a', '3');
    queues.addFirst('b', 'asked');
    await settle();
    expect(calls.splice(0)).toEqual(['5000 a/3', '5000 b/asked', '5000 a/4', '5000 a/1', '5000 a/2']);
    await clock.advance(30_000);
    expect(calls).toEqual(['6000 a/asked', '30000 b/1']);
  });

  it('what is asked for while it is dealt with comes again at once, as soon as there is a place', async () => {
    const { behave, end, underWay } = held();
    const { queues } = setting(behave, 1);
    for (const key of ['1', '2']) queues.add('a', key);
    queues.addFirst('a', '1');
    queues.addFirst('a', '3');
    expect(underWay()).toEqual(['a/1']);
    expect(queues.load().lateMs).toBe(0);
    await end('a/1', FAILED);
    expect(underWay()).toEqual(['a/3']);
    await end('a/3');
    expect(underWay()).toEqual(['a/1']);
  });

  it('is closed for an endpoint that is another one now', async () => {
    const { clock, calls, queues } = setting(() => Promise.resolve(FAILED), 1);
    for (const key of ['1', '2', '3', '4']) queues.add('a', key);
    await clock.advance(0);
    expect(calls).toHaveLength(3);
    queues.reset('a');
    expect(calls).toHaveLength(4);
    queues.drop('a');
    await clock.advance(100_000);
    expect(calls).toHaveLength(4);
    expect(queues.state('a')).toBeUndefined();
    expect(clock.pendingTimers()).toBe(0);
  });
});
