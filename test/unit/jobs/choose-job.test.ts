import { describe, expect, it } from '@jest/globals';
import type { JobDoneWatcher } from '../../../src/jobs/index.ts';
import { chooseJob, mayWaitFor } from '../../../src/jobs/choose-job.ts';

const T0 = Date.parse('2030-01-01T00:00:00Z');
const at = (seconds: number) => new Date(T0 + seconds * 1_000).toISOString();
/** Bound to none unless a UID is given; made in second 10. */
const watcher = (jobUid?: string) =>
  ({
    metadata: { creationTimestamp: at(10) },
    spec: { jobName: 'train', ...(jobUid !== undefined && { jobUid }) },
  }) as JobDoneWatcher;
const job = (uid: string, createdAt: number, endedAt?: number) => ({
  uid,
  createdAt: at(createdAt),
  ...(endedAt !== undefined && {
    end: {
      type: 'complete' as const,
      time: at(endedAt),
      job: { name: 'train', uid },
      succeeded: 1,
      failed: 0,
      labels: {},
    },
  }),
});
type Job = ReturnType<typeof job>;

describe('chooseJob', () => {
  it.each<[string, Job | undefined, Job[], string | undefined]>([
    ['none at all', undefined, [], undefined],
    ['registered during its life', job('a', 5), [], 'a'],
    ['registered before its life', job('a', 15), [], 'a'],
    ['registered after its end, and it is still there', job('a', 1, 5), [job('a', 1, 5)], 'a'],
    ['it has ended and gone since', undefined, [job('a', 5, 12)], 'a'],
    ['it has ended and gone since, and there is a namesake', job('b', 20), [job('a', 5, 12)], 'a'],
    ['of two that came and went since, the first', job('c', 30), [job('a', 11, 12), job('b', 13, 20)], 'a'],
    ['registered after the end of one that is gone', undefined, [job('a', 1, 9)], undefined],
    ['registered for the namesake of one that is gone', job('b', 9), [job('a', 1, 8)], 'b'],
    ['all within one second: the one that is there', job('b', 10), [job('a', 10, 10)], 'b'],
    ['one that was seen and has not ended does not count', undefined, [job('a', 5)], undefined],
  ])('%s', (_name, living, ended, uid) => {
    expect(chooseJob(watcher(), living, ended)?.uid).toBe(uid);
  });
});

describe('mayWaitFor', () => {
  it('a bound watcher waits for its own Job alone, whenever that ended', () => {
    expect(mayWaitFor(watcher('a'), job('a', 1, 5))).toBe(true);
    expect(mayWaitFor(watcher('b'), job('a', 1, 50))).toBe(false);
  });

  it('one that is bound to none waits for each that had not ended when it was made', () => {
    expect([9, 10, 11].map((end) => mayWaitFor(watcher(), job('a', 1, end)))).toEqual([false, true, true]);
  });
});
