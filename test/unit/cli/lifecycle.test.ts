import { describe, expect, it } from '@jest/globals';
import { createLifecycle, type Component } from '../../../src/cli/lifecycle.ts';
import type { Logger } from '../../../src/observability/index.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

function component(name: string, story: string[], overrides: Partial<Component> = {}): Component {
  return {
    name,
    start() {
      story.push(`start ${name}`);
      return Promise.resolve();
    },
    stop() {
      story.push(`stop ${name}`);
      return Promise.resolve();
    },
    ready: () => true,
    ...overrides,
  };
}

const quick = { shutdownDelayMs: 0, shutdownDeadlineMs: 1_000 };

describe('createLifecycle', () => {
  it('starts in order and stops in reverse', async () => {
    const story: string[] = [];
    const lifecycle = createLifecycle([component('a', story), component('b', story)], silent, quick);
    await lifecycle.start();
    await expect(lifecycle.stop()).resolves.toBe(true);
    expect(story).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  });

  it('stops what has started when one fails, and says why', async () => {
    const story: string[] = [];
    const broken = component('b', story, { start: () => Promise.reject(new Error('port in use')) });
    const lifecycle = createLifecycle([component('a', story), broken, component('c', story)], silent, quick);
    await expect(lifecycle.start()).rejects.toThrow('port in use');
    expect(story).toEqual(['start a', 'stop a']);
  });

  it('starts nothing more once it is stopped', async () => {
    const story: string[] = [];
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const slow = component('b', story, { start: () => promise });
    const lifecycle = createLifecycle([component('a', story), slow, component('c', story)], silent, quick);
    const started = lifecycle.start();
    await expect(lifecycle.stop()).resolves.toBe(true);
    resolve(undefined);
    await started;
    expect(story).toEqual(['start a', 'stop a']);
  });

  it('a start that is cut by the stop is no failure', async () => {
    const cut = component('b', [], {
      start: (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut')))),
    });
    const lifecycle = createLifecycle([cut], silent, quick);
    const started = lifecycle.start();
    await expect(lifecycle.stop()).resolves.toBe(true);
    await expect(started).resolves.toBeUndefined();
  });

  it('gives up at the deadline', async () => {
    const stuck = component('stuck', [], { stop: () => new Promise(() => undefined) });
    const lifecycle = createLifecycle([stuck], silent, { shutdownDelayMs: 0, shutdownDeadlineMs: 20 });
    await lifecycle.start();
    await expect(lifecycle.stop()).resolves.toBe(false);
  });

  it('gives more time to whoever must not be cut, and to nobody else', async () => {
    const slow = (overrunning: boolean, stopMs: number) =>
      component('slow', [], {
        // Nobody waits for the end of one that is cut.
        stop: () => new Promise((resolve) => setTimeout(resolve, stopMs).unref()),
        overrunning: () => overrunning,
      });
    // Far apart, so that a machine that stands still for a moment does not change what comes first.
    for (const [overrunning, overrunMs, stopMs, inTime] of [
      [true, 600_000, 60, true],
      [true, 5, 20_000, false],
      [false, 600_000, 20_000, false],
    ] as const) {
      const options = { shutdownDelayMs: 0, shutdownDeadlineMs: 10, overrunMs };
      const lifecycle = createLifecycle([slow(overrunning, stopMs)], silent, options);
      await lifecycle.start();
      await expect(lifecycle.stop()).resolves.toBe(inTime);
    }
  });

  it('stops the others when one fails to stop', async () => {
    const story: string[] = [];
    const broken = component('b', story, { stop: () => Promise.reject(new Error('no')) });
    const lifecycle = createLifecycle([component('a', story), broken], silent, quick);
    await lifecycle.start();
    await expect(lifecycle.stop()).resolves.toBe(true);
    expect(story.at(-1)).toBe('stop a');
  });
});
