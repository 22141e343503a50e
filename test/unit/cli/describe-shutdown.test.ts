import { describe, expect, it } from '@jest/globals';
import { describeShutdown } from '../../../src/cli/describe-shutdown.ts';
import type { Subject } from '../../../src/cli/explain-subject.ts';

const HOOKS = 'hooks.krake.dev/hooks';
const TIMEOUT = 'hooks.krake.dev/shutdown-timeout';
const containers = { containers: [{ name: 'app' }] };
const deployment = (own: Record<string, string>, template: Record<string, string> = {}): Subject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', annotations: own },
  spec: { template: { metadata: { annotations: template }, spec: containers } },
});

describe('describeShutdown', () => {
  it.each([[{}], [{ [HOOKS]: 'complete' }], [{ [TIMEOUT]: '5m' }]])('says nothing for %j', (own) => {
    expect(describeShutdown(deployment(own))).toEqual([]);
  });

  it('tells of the defaults', () => {
    expect(describeShutdown(deployment({ [HOOKS]: 'complete,shutdown' }))).toEqual([
      'shutdown: before deletion, eviction it is asked by PUT at the Service shutdown (first port, http, /shutdown); its goodbye is awaited for 60 s, then it goes without',
    ]);
  });

  it('tells of all that is chosen', () => {
    const own = {
      [HOOKS]: 'shutdown',
      [TIMEOUT]: '90s',
      'hooks.krake.dev/shutdown-service': 'https://pod:8080/save',
      'hooks.krake.dev/shutdown-retries': '2',
      'hooks.krake.dev/shutdown-failure': 'give-up',
      'hooks.krake.dev/shutdown-on': 'scale-down',
      'hooks.krake.dev/shutdown-when': 'any',
    };
    expect(describeShutdown(deployment(own))).toEqual([
      'shutdown: before scale-down it is asked by PUT at each pod (port 8080, https, /save), of which any must say goodbye; its goodbye is awaited for 90 s in each of 3 rounds, then it is held until a person decides',
    ]);
  });

  it('takes the workload’s own settings over those of the template that asks', () => {
    const [line] = describeShutdown(
      deployment({ [TIMEOUT]: '10s' }, { [HOOKS]: 'shutdown', [TIMEOUT]: '20s' }),
    );
    expect(line).toContain('awaited for 10 s');
  });

  it('reads a CronJob, and a Job template that asks', () => {
    const cronJob = (own: Record<string, string>, inJob: Record<string, string>): Subject => ({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'nightly', annotations: own },
      spec: { jobTemplate: { metadata: { annotations: inJob }, spec: { template: { spec: containers } } } },
    });
    expect(describeShutdown(cronJob({ [HOOKS]: 'shutdown', [TIMEOUT]: '7s' }, {}))[0]).toContain('for 7 s');
    expect(describeShutdown(cronJob({}, { [HOOKS]: 'shutdown', [TIMEOUT]: '8s' }))[0]).toContain('for 8 s');
  });
});
