import { describe, expect, it } from '@jest/globals';
import { describeJobWebhooks } from '../../../src/cli/describe-job-webhooks.ts';
import type { Subject } from '../../../src/cli/explain-subject.ts';

const DONE = 'hooks.krake.dev/on-job-done';
const FAILED = 'hooks.krake.dev/on-job-failed';
const COMPLETE = 'hooks.krake.dev/on-job-complete';
const template = { spec: { containers: [{ name: 'app' }] } };
const job = (annotations: Record<string, string>): Subject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'train', annotations },
  spec: { template },
});

describe('describeJobWebhooks', () => {
  it.each([[{}], [{ [DONE]: ' , ' }], [{ 'hooks.krake.dev/hooks': 'complete' }]])(
    'says nothing for %j',
    (annotations) => {
      expect(describeJobWebhooks(job(annotations))).toEqual([]);
    },
  );

  it('names them, and when each is told', () => {
    expect(
      describeJobWebhooks(job({ [DONE]: 'reports', [FAILED]: 'alarm, ops', [COMPLETE]: 'next' })),
    ).toEqual([
      'job webhooks: reports when the Job is done; alarm, ops when it failed; next when it completed',
    ]);
  });

  it('takes those of a CronJob and of its Job template together, each once; a pod template has none', () => {
    const cronJob: Subject = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'nightly', annotations: { [DONE]: 'reports' } },
      spec: {
        jobTemplate: {
          metadata: { annotations: { [DONE]: 'more,reports' } },
          spec: { template: { ...template, metadata: { annotations: { [DONE]: 'never' } } } },
        },
      },
    };
    expect(describeJobWebhooks(cronJob)).toEqual(['job webhooks: reports, more when the Job is done']);
  });
});
