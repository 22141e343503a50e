import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isFinal, type JobDoneWatcher, type WatcherStatus } from '../../../src/jobs/index.ts';
import { planWatcher, type KnownOutcome, type WatcherView } from '../../../src/jobs/plan-watcher.ts';

const T0 = Date.parse('2030-01-01T00:00:00Z');
const at = (seconds: number) => new Date(T0 + seconds * 1_000).toISOString();
const end = (seconds: number, uid = 'job-1') => ({
  type: 'complete' as const,
  time: at(seconds),
  job: { name: 'train', uid },
  succeeded: 1,
  failed: 0,
  labels: {},
});

interface Options {
  readonly webhooks?: readonly { readonly id: string; readonly timeoutSeconds?: number }[];
  readonly timeoutSeconds?: number;
  readonly jobUid?: string;
  readonly status?: WatcherStatus;
}

function watcherOf({
  webhooks = [{ id: 'a' }],
  timeoutSeconds = 0,
  jobUid,
  status,
}: Options = {}): JobDoneWatcher {
  return {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'JobDoneWatcher',
    metadata: { name: 'w', namespace: 'shop', uid: 'w-uid', creationTimestamp: at(0) },
    spec: {
      jobName: 'train',
      timeoutSeconds,
      ...(jobUid !== undefined && { jobUid }),
      webhooks: webhooks.map((trigger) => ({ timeoutSeconds: 0, ...trigger, webhook: trigger.id })),
    },
    ...(status && { status }),
  };
}

function plan(
  options: Options,
  view: Partial<WatcherView> & { readonly outcomes?: Record<string, KnownOutcome> } = {},
) {
  const { outcomes = {}, ...rest } = view;
  return planWatcher({
    watcher: watcherOf(options),
    job: undefined,
    recalledEnd: () => undefined,
    webhook: (name) =>
      name === 'missing'
        ? undefined
        : { uid: name, events: ['complete', 'failed', ...(name === 'told' ? ['timeout'] : [])] },
    delivery: (uid) => outcomes[uid],
    now: T0 + 1_000,
    ...rest,
  });
}

const delivered: KnownOutcome = { name: 'jd-1', phase: 'Delivered', deliveredAt: at(2) };
const dead: KnownOutcome = { name: 'jd-2', phase: 'DeadLetter', reason: 'Refused' };
const pending: KnownOutcome = { name: 'jd-3', phase: 'Pending' };
const done = { job: { uid: 'job-1', end: end(1) } };

describe('planWatcher', () => {
  it('waits for a Job that is not there', () => {
    expect(plan({})).toMatchObject({ wanted: [], status: { phase: 'PENDING' }, canWait: true });
  });

  it('what the API server shows by default is not written', () => {
    const status = { phase: 'PENDING' as const };
    expect(plan({ status })).toMatchObject({ changed: false, status });
    expect(plan({ status, jobUid: 'job-1' }, { job: { uid: 'job-1' } })).toMatchObject({
      changed: false,
      status,
    });
  });

  it('binds to the UID of the Job that it sees, at once', () => {
    const result = plan({}, { job: { uid: 'job-1' } });
    expect(result).toMatchObject({
      status: { phase: 'PENDING', jobUid: 'job-1' },
      changed: true,
      canWait: false,
    });
  });

  it('wants a delivery for each webhook of a done Job, and is on its way until they have ended', () => {
    const two = { webhooks: [{ id: 'a' }, { id: 'b' }] };
    expect(plan(two, done).wanted).toEqual([
      { webhook: 'a', event: end(1) },
      { webhook: 'b', event: end(1) },
    ]);
    const half = plan(two, { ...done, outcomes: { a: delivered, b: pending } });
    expect(half).toMatchObject({ wanted: [], status: { phase: 'PROCESSING' } });
    expect(half.status.webhooks).toEqual([
      { id: 'a', status: 'CALLED', delivery: 'jd-1', calledAt: at(2) },
      { id: 'b', status: 'NOT_CALLED', delivery: 'jd-3' },
    ]);
  });

  it.each([
    ['all delivered', { a: delivered, b: delivered }, 'COMPLETED'],
    ['one of two', { a: delivered, b: dead }, 'PARTIALLY_COMPLETED'],
    ['none', { a: dead, b: dead }, 'FAILED'],
    [
      'all cancelled',
      { a: { name: 'x', phase: 'Cancelled' }, b: { name: 'y', phase: 'Cancelled' } },
      'CANCELLED',
    ],
  ] as const)('%s', (_name, outcomes, phase) => {
    const result = plan({ webhooks: [{ id: 'a' }, { id: 'b' }] }, { ...done, outcomes });
    expect(result.status).toMatchObject({ phase, finishedAt: at(1) });
    expect(result.canWait).toBe(false);
  });

  it.each([[['failed']], [[]]])('is called at the end of the Job, though its events are %j', (events) => {
    const webhook = () => ({ uid: 'a', events });
    expect(plan({}, { ...done, webhook }).wanted).toEqual([{ webhook: 'a', event: end(1) }]);
  });

  it('without webhooks it is COMPLETED with the Job', () => {
    expect(plan({ webhooks: [] }, done).status.phase).toBe('COMPLETED');
    expect(plan({ webhooks: [] }).status.phase).toBe('PENDING');
  });

  it('an unknown webhook is FAILED and the others go on', () => {
    const result = plan(
      { webhooks: [{ id: 'missing' }, { id: 'a' }] },
      { ...done, outcomes: { a: delivered } },
    );
    expect(result.status).toMatchObject({
      phase: 'PARTIALLY_COMPLETED',
      webhooks: [{ status: 'FAILED' }, { status: 'CALLED' }],
    });
  });

  it('a namesake with another UID does not fire it; its own Job gone without an end cancels it', () => {
    const bound = { status: { phase: 'PENDING' as const, jobUid: 'job-0' } };
    expect(plan(bound, done)).toMatchObject({ wanted: [], status: { phase: 'CANCELLED', jobUid: 'job-0' } });
    expect(plan({ jobUid: 'job-0' }, done).status.phase).toBe('CANCELLED');
  });

  it('its own Job gone after its end is served from what the outbox has', () => {
    const bound = { status: { phase: 'PENDING' as const, jobUid: 'job-0' } };
    const result = plan(bound, { recalledEnd: (uid) => (uid === 'job-0' ? end(1, 'job-0') : undefined) });
    expect(result.wanted).toEqual([{ webhook: 'a', event: end(1, 'job-0') }]);
  });

  describe('time limits', () => {
    it.each([
      ['before it is over', 10, T0 + 9_999, undefined, 'PENDING'],
      ['when it is over', 10, T0 + 10_000, undefined, 'TIMEOUT'],
      ['over, but the Job was done in time', 10, T0 + 60_000, 10, 'PROCESSING'],
      ['the Job was done too late', 10, T0 + 60_000, 11, 'TIMEOUT'],
    ])('%s', (_name, timeoutSeconds, now, endedAt, phase) => {
      const job = { uid: 'job-1', ...(endedAt !== undefined && { end: end(endedAt) }) };
      for (const options of [{ timeoutSeconds }, { webhooks: [{ id: 'a', timeoutSeconds }] }]) {
        const result = plan(options, { now, job });
        expect(result.status.phase).toBe(phase);
        if (phase === 'PENDING') expect(result.lookAgainAt).toBe(T0 + 10_000);
      }
    });

    it('each webhook has its own; the earliest is looked at first', () => {
      const webhooks = [{ id: 'a', timeoutSeconds: 20 }, { id: 'b', timeoutSeconds: 10 }, { id: 'c' }];
      expect(plan({ webhooks }).lookAgainAt).toBe(T0 + 10_000);
      const later = plan({ webhooks }, { now: T0 + 15_000 });
      expect(later.status.webhooks?.map(({ status }) => status)).toEqual([
        'NOT_CALLED',
        'TIMEOUT',
        'NOT_CALLED',
      ]);
      expect(later.lookAgainAt).toBe(T0 + 20_000);
    });

    it('who asks for it is told of it, once', () => {
      const options = { webhooks: [{ id: 'told' }], timeoutSeconds: 5 };
      const result = plan(options, { now: T0 + 5_000 });
      expect(result.wanted).toMatchObject([
        { webhook: 'told', event: { type: 'timeout' }, occasion: 'w-uid' },
      ]);
      expect(plan(options, { now: T0 + 5_000, outcomes: { told: pending } }).wanted).toEqual([]);
    });
  });

  it('a final phase never changes, whatever is seen; the plan of a plan changes nothing', () => {
    const outcome = fc.constantFrom(delivered, dead, pending, undefined);
    const arbitrary = fc.record({
      timeouts: fc.array(fc.constantFrom(0, 5, 10), { maxLength: 4 }),
      timeoutSeconds: fc.constantFrom(0, 7),
      ended: fc.constantFrom(undefined, 1, 6, 20),
      jobUid: fc.constantFrom('job-1', 'job-2', undefined),
      seen: fc.constantFrom('job-1', undefined),
      outcome,
      times: fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1, maxLength: 5 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ timeouts, timeoutSeconds, ended, jobUid, seen, outcome: known, times }) => {
        let status: WatcherStatus | undefined;
        for (const now of times.sort((a, b) => a - b)) {
          const webhooks = timeouts.map((timeout, n) => ({ id: `h${n}`, timeoutSeconds: timeout }));
          const job =
            seen === undefined ? undefined : { uid: seen, ...(ended !== undefined && { end: end(ended) }) };
          const options = {
            webhooks,
            timeoutSeconds,
            ...(jobUid !== undefined && { jobUid }),
            ...(status && { status }),
          };
          const view = { now: T0 + now, job, delivery: () => known };
          const next = plan(options, view);
          if (isFinal(status?.phase)) {
            expect(next).toMatchObject({ wanted: [], changed: false });
            expect(next.status).toEqual(status);
          }
          if (next.wanted.length === 0) {
            expect(plan({ ...options, status: next.status }, view).changed).toBe(false);
            status = next.status;
          }
        }
      }),
    );
  });
});
