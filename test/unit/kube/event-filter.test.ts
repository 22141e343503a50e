import { describe, expect, it } from '@jest/globals';
import { createEventFilter } from '../../../src/kube/event-filter.ts';
import { buildEvent } from '../../../src/kube/event-recorder.ts';
import type { RecordedEvent } from '../../../src/kube/recorded-event.ts';

const event = (uid: string, note: string, reason = 'Reason'): RecordedEvent => ({
  regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web', uid },
  type: 'Normal',
  reason,
  action: 'Act',
  note,
});

describe('event filter', () => {
  it('admits the same event of the same object once in five minutes', () => {
    const filter = createEventFilter();
    expect(filter.admits(event('1', 'a'), 0)).toBe(true);
    expect(filter.admits(event('1', 'a'), 299_999)).toBe(false);
    expect(filter.admits(event('1', 'b'), 299_999)).toBe(true);
    expect(filter.admits(event('1', 'a', 'Other'), 299_999)).toBe(true);
    expect(filter.admits(event('2', 'a'), 299_999)).toBe(true);
    expect(filter.admits(event('1', 'a'), 300_000)).toBe(true);
  });

  it('admits 25 different ones of one object in five minutes, which holds nobody else back', () => {
    const filter = createEventFilter();
    const admitted = Array.from({ length: 100 }, (_, i) => filter.admits(event('1', `try ${i}`), i));
    expect(admitted.filter(Boolean)).toHaveLength(25);
    expect(filter.admits(event('2', 'x'), 100)).toBe(true);
    expect(filter.admits(event('1', 'later'), 300_000)).toBe(true);
  });

  it('forgets the oldest beyond its bound', () => {
    const filter = createEventFilter();
    for (let i = 0; i <= 4_096; i++) filter.admits(event(`${i}`, 'x'), 0);
    expect(filter.admits(event('4096', 'x'), 1)).toBe(false);
    expect(filter.admits(event('0', 'x'), 1)).toBe(true);
  });
});

describe('buildEvent', () => {
  const reporter = {
    component: 'controller',
    instance: 'pod-0',
    now: Date.parse('2026-11-21T05:06:07.089Z'),
    sequence: 0,
  };

  it('gives names that grow with time and, within a millisecond, with the sequence', () => {
    const nameAt = (now: number, sequence: number): string => {
      const built = buildEvent(event('1', 'x'), { ...reporter, now, sequence });
      return (built as { metadata: { name: string } }).metadata.name;
    };
    const times = [
      [1, 0],
      [1, 1],
      [1, 300],
      [2, 301],
      [reporter.now, 302],
      [reporter.now, 303],
      [reporter.now + 1, 0x1_0000],
    ] as const;
    const names = times.map(([now, sequence]) => nameAt(now, sequence));
    expect([...names].sort()).toEqual(names);
  });

  it('cuts names and notes to what the API server takes, never in the middle of a character', () => {
    const long = buildEvent(
      { ...event('1', 'ö'.repeat(600)), regarding: { ...event('1', '').regarding, name: 'x'.repeat(253) } },
      reporter,
    ) as { note: string; metadata: { name: string } };
    expect(Buffer.byteLength(long.note)).toBeLessThanOrEqual(1_024);
    expect(long.note).toMatch(/^ö+…$/);
    expect(long.metadata.name).toHaveLength(253);
  });

  it('puts the Event of a cluster-scoped object into default, with the time in six decimals', () => {
    const regarding = { apiVersion: 'v1', kind: 'Namespace', name: 'shop', uid: '1' };
    expect(buildEvent({ ...event('1', 'x'), regarding }, reporter)).toMatchObject({
      metadata: { namespace: 'default' },
      eventTime: '2026-11-21T05:06:07.089000Z',
      reportingController: 'controller',
      reportingInstance: 'pod-0',
    });
  });
});
