import { describe, expect, it } from '@jest/globals';
import { projectJob } from '../../../src/jobs/job-facts.ts';

const condition = (type: string, status = 'True') => ({
  type,
  status,
  reason: 'R',
  message: 'M',
  lastTransitionTime: '2030-01-01T00:00:05Z',
});
const job = (status: object, meta: object = {}) => ({
  metadata: { namespace: 'shop', name: 'train', uid: 'u', ...meta },
  status,
});

describe('projectJob', () => {
  it.each([
    ['no status', {}, undefined],
    ['conditions null', { conditions: null }, undefined],
    [
      'Complete, not the first',
      { conditions: [condition('SuccessCriteriaMet'), condition('Complete')] },
      'complete',
    ],
    [
      'Complete, the last of many',
      { conditions: [condition('Suspended', 'False'), condition('X'), condition('Complete')] },
      'complete',
    ],
    ['success criteria met, not yet complete', { conditions: [condition('SuccessCriteriaMet')] }, undefined],
    [
      'Failed behind FailureTarget',
      { conditions: [condition('FailureTarget'), condition('Failed')] },
      'failed',
    ],
    ['FailureTarget alone', { conditions: [condition('FailureTarget')] }, undefined],
    ['Complete False', { conditions: [condition('Complete', 'False')] }, undefined],
    ['Complete Unknown', { conditions: [condition('Complete', 'Unknown')] }, undefined],
    ['suspended', { conditions: [condition('Suspended')] }, undefined],
  ])('%s', (_name, status, type) => {
    expect(projectJob(job(status))?.end?.type).toBe(type);
  });

  it('tells what happened, with bounded texts', () => {
    const conditions = [{ ...condition('Failed'), message: 'x'.repeat(5_000) }];
    const facts = projectJob(
      job(
        { conditions, startTime: '2030-01-01T00:00:00Z', failed: 3, succeeded: -1 },
        { labels: { a: 'b' } },
      ),
    );
    expect(facts?.end).toEqual({
      type: 'failed',
      time: '2030-01-01T00:00:05.000Z',
      job: { name: 'train', uid: 'u' },
      reason: 'R',
      message: 'x'.repeat(1_000),
      startTime: '2030-01-01T00:00:00.000Z',
      succeeded: 0,
      failed: 3,
      labels: { a: 'b' },
    });
  });

  it('a text that is cut within a character is what the API server keeps of it', () => {
    const [reason, message] = [`${'r'.repeat(255)}😀 tail`, `${'x'.repeat(999)}😀 tail`];
    const end = projectJob(job({ conditions: [{ ...condition('Failed'), reason, message }] }))?.end;
    expect(end).toMatchObject({ reason: `${'r'.repeat(255)}\uFFFD`, message: `${'x'.repeat(999)}\uFFFD` });
  });

  it('the event is the same before and after our own label', () => {
    const status = { conditions: [condition('Complete')] };
    const before = projectJob(job(status, { labels: { a: 'b' } }));
    const after = projectJob(
      job(status, { labels: { a: 'b', 'app.k8s.job.webhooks/webhooks-called': 'true' } }),
    );
    expect(after?.end).toEqual(before?.end);
    expect([before?.labelled, after?.labelled]).toEqual([false, true]);
  });

  it('reads annotations and the controller', () => {
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'Thing', name: 'x', uid: '1' },
      { apiVersion: 'batch/v1', kind: 'CronJob', name: 'nightly', uid: '2', controller: true },
    ];
    const annotations = { 'hooks.krake.dev/on-job-done': ' a, b ,,', 'hooks.krake.dev/on-job-failed': 'c' };
    expect(projectJob(job({}, { annotations, ownerReferences }))).toMatchObject({
      asks: { done: ['a', 'b'], failed: ['c'], complete: [] },
      owner: { kind: 'CronJob', name: 'nightly' },
    });
    expect(projectJob(job({}))?.asks).toBeUndefined();
    expect(projectJob({ metadata: { name: 'x' } })).toBeUndefined();
  });
});
