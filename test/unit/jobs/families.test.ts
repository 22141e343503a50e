import { describe, expect, it } from '@jest/globals';
import { parseFamilies, planFamilies, syncFamilies, type JobFamily } from '../../../src/jobs/families.ts';
import type { Webhook } from '../../../src/jobs/index.ts';
import { KubeApiError, KubeUnreachableError } from '../../../src/kube/index.ts';
import { webhookOf } from '../deliveries/delivery-fixtures.ts';

const family = (jobFamily: string, url: string, requestBody = ''): JobFamily => ({
  jobFamily,
  url,
  requestBody,
});
const made = (name: string, jobFamily: string, url: string, requestBody = ''): Webhook =>
  webhookOf({ format: 'verbatim', url, requestBody, cronJobs: [jobFamily] }, { name, uid: `${name}-uid` });

function outline(existing: readonly Webhook[], families: readonly JobFamily[]) {
  const { changes, creations, deletions } = planFamilies(existing, families);
  return {
    changed: changes.map(({ webhook, spec }) => `${webhook.metadata.name} ${spec.url}`),
    created: creations.map(({ name, spec }) => `${name} ${spec.url}`),
    deleted: deletions.map(({ metadata }) => metadata.name),
  };
}

describe('planFamilies', () => {
  it.each<[string, Webhook[], JobFamily[], Partial<ReturnType<typeof outline>>]>([
    ['nothing yet', [], [family('a', 'http://a')], { created: ['family-a-1 http://a'] }],
    ['as it should be', [made('x', 'a', 'http://a')], [family('a', 'http://a')], {}],
    ['a new URL', [made('x', 'a', 'http://a')], [family('a', 'http://b')], { changed: ['x http://b'] }],
    ['a new body', [made('x', 'a', 'http://a')], [family('a', 'http://a', '1')], { changed: ['x http://a'] }],
    ['gone', [made('x', 'a', 'http://a')], [], { deleted: ['x'] }],
    [
      'another family',
      [made('x', 'a', 'http://a')],
      [family('b', 'http://a')],
      { created: ['family-b-1 http://a'], deleted: ['x'] },
    ],
    [
      'one of several of a family changes, the others stay',
      [made('x', 'a', 'http://1'), made('y', 'a', 'http://2')],
      [family('a', 'http://3'), family('a', 'http://1')],
      { changed: ['y http://3'] },
    ],
    [
      'one more of a family',
      [made('family-a-1', 'a', 'http://1')],
      [family('a', 'http://1'), family('a', 'http://2')],
      { created: ['family-a-2 http://2'] },
    ],
  ])('%s', (_what, existing, families, expected) => {
    expect(outline(existing, families)).toEqual({ changed: [], created: [], deleted: [], ...expected });
  });
});

describe('parseFamilies', () => {
  it.each(['ftp://a', 'http://', 'http://u:p@a', 'http://a b', 'HTTP://a'])('does not take %j', (url) => {
    expect(() => parseFamilies(JSON.stringify([{ jobFamily: 'a', url }]))).toThrow('entry 0.url: must be');
  });
});

describe('syncFamilies', () => {
  const families = parseFamilies('[{jobFamily: a, url: "http://a"}, {jobFamily: b, url: "http://b"}]');
  function start(refuse: (name: string) => Error | undefined) {
    const created: string[] = [];
    const client = {
      list: () => Promise.resolve({ items: [] }),
      create: (_resource: unknown, _namespace: unknown, { metadata }: { metadata: { name: string } }) => {
        const error = refuse(metadata.name);
        if (error !== undefined) return Promise.reject(error);
        created.push(metadata.name);
        return Promise.resolve({ metadata });
      },
    } as unknown as Parameters<typeof syncFamilies>[0];
    return { client, created };
  }

  it('a namesake that is not ours is told of, and the others are made', async () => {
    const { client, created } = start((name) =>
      name === 'family-a-1' ? new KubeApiError('exists', 409, 'AlreadyExists') : undefined,
    );
    const problems = await syncFamilies(client, 'shop', families);
    expect(problems).toEqual([expect.stringContaining('shop/family-a-1 exists')]);
    expect(created).toEqual(['family-b-1']);
  });

  it('an API server that is away is no problem of an entry', async () => {
    const { client } = start(() => new KubeUnreachableError('away'));
    await expect(syncFamilies(client, 'shop', families)).rejects.toThrow(KubeUnreachableError);
  });
});
