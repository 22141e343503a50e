import { describe, expect, it } from '@jest/globals';
import { createGoneJobs } from '../../../src/jobs/gone-jobs.ts';
import type { JobFacts } from '../../../src/jobs/job-facts.ts';
import type { KnownDelivery } from '../../../src/jobs/known-delivery.ts';
import type { KnownWatcher } from '../../../src/jobs/known-watcher.ts';

const T0 = Date.parse('2030-01-01T00:00:00Z');
const LIMITS = { keepMs: 60_000, maxChars: 100_000 };

function job(name: string, { ended = true, namespace = 'shop', label = '' } = {}): JobFacts {
  const uid = `uid-${name}`;
  const end = {
    type: 'complete' as const,
    time: new Date(T0).toISOString(),
    job: { name, uid },
    succeeded: 1,
    failed: 0,
    labels: {},
  };
  return { namespace, name, uid, labels: { label }, labelled: false, ...(ended && { end }) };
}

function start() {
  const clock = { now: T0 };
  const watchers: KnownWatcher[] = [];
  const gone = createGoneJobs(
    {
      index: { watchersOf: (_namespace, name) => watchers.filter(({ jobName }) => jobName === name) },
      isServed: (namespace) => namespace === 'shop',
      now: () => clock.now,
    },
    LIMITS,
  );
  return {
    gone,
    clock,
    watchers,
    went: (facts: JobFacts, namesake?: JobFacts) => gone.listener.onJob?.(facts, namesake),
    uids: () => [...gone.untold()].map(({ job: { uid } }) => uid),
  };
}

const waiting = (jobName: string): KnownWatcher => ({
  namespace: 'shop',
  name: `of-${jobName}`,
  uid: `uid-of-${jobName}`,
  jobName,
  open: {
    apiVersion: '',
    kind: 'JobDoneWatcher',
    metadata: { name: '', namespace: 'shop', uid: '', creationTimestamp: new Date(T0).toISOString() },
    spec: { jobName, jobUid: `uid-${jobName}`, timeoutSeconds: 0, webhooks: [] },
  },
});

describe('createGoneJobs', () => {
  it('keeps what the last was that happened to a Job that is gone, or that a namesake has followed', () => {
    const { gone, went, clock } = start();
    clock.now += 5_000;
    went(job('done'));
    went(job('running', { ended: false }), { ...job('running'), uid: 'another' });
    went(job('elsewhere', { namespace: 'not-opted-in' }));
    went(job('living'), job('living'));
    expect([...gone.untold()].map(({ job: { name }, event: { type, time } }) => [name, type, time])).toEqual([
      ['done', 'complete', '2030-01-01T00:00:00.000Z'],
      ['running', 'deleted', '2030-01-01T00:00:05.000Z'],
    ]);
    expect([gone.endOf('uid-done')?.type, gone.endOf('uid-running'), gone.endOf('no')]).toEqual([
      'complete',
      undefined,
      undefined,
    ]);
    const ended = (name: string) => [...gone.endedOf('shop', name)].map(({ uid }) => uid);
    expect([ended('done'), ended('running')]).toEqual([['uid-done'], []]);
  });

  it('forgets what is old, but not while an open watcher waits for it', () => {
    const { gone, went, clock, watchers, uids } = start();
    watchers.push(waiting('awaited'));
    went(job('awaited'));
    went(job('old'));
    clock.now += 59_000;
    went(job('young'));
    clock.now += 7_000;
    went(job('new'));
    expect(uids()).toEqual(['uid-awaited', 'uid-young', 'uid-new']);
    watchers.pop();
    clock.now += 61_000;
    went(job('last'));
    expect(uids()).toEqual(['uid-last']);
    expect([...gone.endedOf('shop', 'awaited')]).toEqual([]);
  });

  it('is bounded by what it holds; the oldest go first', () => {
    const { went, uids } = start();
    for (let n = 0; n < 2_000; n += 1) went(job(`n${n}`, { label: 'x'.repeat(1_000) }));
    expect(uids().length).toBeGreaterThan(50);
    expect(uids().length).toBeLessThan(110);
    expect(uids().at(-1)).toBe('uid-n1999');
  });

  it('what was told and collected is not told again', () => {
    const { gone, went, uids } = start();
    const delivery = (name: string, phase: KnownDelivery['phase']): KnownDelivery => ({
      ...{ namespace: 'shop', name: '', uid: '', webhook: { name: 'w', uid: 'w' }, phase },
      event: job(name).end ?? {
        type: 'complete',
        time: '',
        job: { name, uid: '' },
        succeeded: 0,
        failed: 0,
        labels: {},
      },
    });
    for (const name of ['told', 'replaced', 'kept']) went(job(name));
    gone.listener.onDelivery?.(delivery('told', 'Delivered'), undefined);
    gone.listener.onDelivery?.(delivery('replaced', 'Pending'), undefined);
    gone.listener.onDelivery?.(undefined, delivery('kept', 'Delivered'));
    expect(uids()).toEqual(['uid-replaced', 'uid-kept']);
    expect(gone.endOf('uid-told')?.type).toBe('complete');
  });
});
