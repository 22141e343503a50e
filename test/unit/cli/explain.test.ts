import { describe, expect, it } from '@jest/globals';
import { explain, type ExplainDeps, type Explanation } from '../../../src/cli/explain.ts';
import type { Subject } from '../../../src/cli/explain-subject.ts';

const OPTED_IN = { 'hooks.krake.dev/enabled': 'true' };
const ON_JOB_DONE = { 'hooks.krake.dev/on-job-done': 'reports' };
const JOB_WEBHOOKS = 'job webhooks: reports when the Job is done';

/** A Job in a namespace, with an API server that changes nothing of what it is sent: no admission is reached. */
function explained(annotations: Record<string, string>, labels = OPTED_IN as object): Promise<Explanation> {
  const client = {
    get: () => Promise.resolve({ metadata: { name: 'shop', labels } }),
    create: (_resource: unknown, _namespace: unknown, object: unknown) => Promise.resolve(object),
  } as unknown as ExplainDeps['client'];
  const subject: Subject = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'train', annotations },
    spec: { template: { spec: { containers: [{ name: 'app' }] } } },
  };
  return explain({ client, ownNamespace: 'krake-system' }, subject, 'shop');
}

describe('explain', () => {
  it('of job webhooks alone: nothing is injected, and that is as asked', async () => {
    expect(await explained(ON_JOB_DONE)).toMatchObject({
      injected: false,
      asAsked: true,
      lines: [
        'namespace: opted in (hooks.krake.dev/enabled=true)',
        JOB_WEBHOOKS,
        'hooks: none asked for, and job webhooks need none',
        'result: nothing to inject',
      ],
    });
  });

  it.each<[string, Record<string, string>, object]>([
    ['nothing at all', {}, OPTED_IN],
    ['a namespace without the label', ON_JOB_DONE, {}],
    ['a hook that is misspelt beside them', { ...ON_JOB_DONE, 'hooks.krake.dev/hooks': 'complte' }, OPTED_IN],
    [
      'a hook whose admission is not reached',
      { ...ON_JOB_DONE, 'hooks.krake.dev/hooks': 'complete' },
      OPTED_IN,
    ],
  ])('of %s: not as asked', async (_what, annotations, labels) => {
    const { injected, asAsked, lines } = await explained(annotations, labels);
    expect({ injected, asAsked }).toEqual({ injected: false, asAsked: false });
    expect(lines.at(-1)).toBe('result: NOT injected');
  });

  it('names them beside hooks too', async () => {
    const { lines } = await explained({ ...ON_JOB_DONE, 'hooks.krake.dev/hooks': 'complete' });
    expect(lines).toContain(JOB_WEBHOOKS);
  });
});
