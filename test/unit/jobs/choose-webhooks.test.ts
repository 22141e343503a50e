import { describe, expect, it } from '@jest/globals';
import { chooseWebhooks } from '../../../src/jobs/choose-webhooks.ts';
import { webhookSpecSchema, type JobEvent, type Webhook } from '../../../src/jobs/index.ts';
import { matchesSelector } from '../../../src/jobs/label-selector.ts';
import { deliveryName, derivedUuid, isUuid } from '../../../src/jobs/names.ts';
import { chooseOld } from '../../../src/jobs/collector.ts';
import { parseFamilies } from '../../../src/jobs/families.ts';

const webhook = (name: string, spec: object = {}, creationTimestamp = '2030-01-01T00:00:00Z'): Webhook => ({
  apiVersion: 'hooks.krake.dev/v1alpha1',
  kind: 'Webhook',
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, creationTimestamp },
  spec: webhookSpecSchema.parse({ url: 'http://x/', ...spec }),
});
const event = (type: JobEvent['type']): JobEvent => ({
  type,
  time: '2030-01-01T00:00:05.000Z',
  job: { name: 'train', uid: 'u' },
  succeeded: 0,
  failed: 0,
  labels: {},
});
const asks = { done: ['done'], failed: ['failed'], complete: ['complete'] };
const named = ['done', 'failed', 'complete'].map((name) => webhook(name));

describe('chooseWebhooks', () => {
  it.each([
    ['complete', ['done', 'complete']],
    ['failed', ['done', 'failed']],
    ['suspended', []],
  ] as const)('%s by annotation', (type, expected) => {
    const job = { labels: {}, asks };
    expect(
      chooseWebhooks(event(type), job, undefined, named).webhooks.map(({ metadata }) => metadata.name),
    ).toEqual(expected);
    // The owner's annotations count as the Job's own.
    expect(chooseWebhooks(event(type), { labels: {} }, asks, named).webhooks).toHaveLength(expected.length);
  });

  it('names that nobody has are told', () => {
    expect(chooseWebhooks(event('complete'), { labels: {}, asks }, undefined, []).missing).toEqual([
      'done',
      'complete',
    ]);
  });

  it.each<[string, object, object, boolean]>([
    ['a selector that matches', { selector: { matchLabels: { a: 'b' } } }, { labels: { a: 'b' } }, true],
    ['one that does not', { selector: { matchLabels: { a: 'c' } } }, { labels: { a: 'b' } }, false],
    ['an empty selector', { selector: {} }, { labels: {} }, true],
    ['no selector', {}, { labels: {} }, false],
    [
      'its family',
      { cronJobs: ['nightly'] },
      { labels: {}, owner: { kind: 'CronJob', name: 'nightly' } },
      true,
    ],
    [
      'another family',
      { cronJobs: ['daily'] },
      { labels: {}, owner: { kind: 'CronJob', name: 'nightly' } },
      false,
    ],
    [
      'an owner of another kind',
      { cronJobs: ['nightly'] },
      { labels: {}, owner: { kind: 'Deployment', name: 'nightly' } },
      false,
    ],
    ['an event that it does not ask for', { selector: {}, events: ['failed'] }, { labels: {} }, false],
  ])('%s', (_name, spec, job, chosen) => {
    const { webhooks } = chooseWebhooks(event('complete'), job as never, undefined, [webhook('x', spec)]);
    expect(webhooks).toHaveLength(chosen ? 1 : 0);
  });

  it('a selector sees nothing of before the Webhook was created', () => {
    const late = webhook('late', { selector: {} }, '2030-01-01T00:00:06Z');
    const just = webhook('just', { selector: {} }, '2030-01-01T00:00:05Z');
    const { webhooks } = chooseWebhooks(event('complete'), { labels: {} }, undefined, [late, just]);
    expect(webhooks).toEqual([just]);
  });
});

describe('matchesSelector', () => {
  const expression = (operator: string, values?: string[]) =>
    ({ matchExpressions: [{ key: 'a', operator, values }] }) as never;
  it.each<[string, object, Record<string, string>, boolean]>([
    ['In', expression('In', ['1', '2']), { a: '2' }, true],
    ['In, absent', expression('In', ['1']), {}, false],
    ['NotIn', expression('NotIn', ['1']), { a: '2' }, true],
    ['NotIn, absent', expression('NotIn', ['1']), {}, true],
    ['Exists', expression('Exists'), { a: '' }, true],
    ['DoesNotExist', expression('DoesNotExist'), { a: '' }, false],
  ])('%s', (_name, selector, labels, expected) => {
    expect(matchesSelector(selector, labels)).toBe(expected);
  });
});

describe('names', () => {
  it('are the same for the same, and differ in each part', () => {
    const parts = { jobUid: 'j', event: 'complete', webhookUid: 'w' };
    expect(deliveryName(parts)).toMatch(/^jd-[0-9a-f]{40}$/);
    expect(deliveryName(parts)).toBe(deliveryName({ ...parts }));
    const others = [{ jobUid: 'k' }, { event: 'failed' }, { webhookUid: 'v' }, { occasion: '1' }].map(
      (other) => deliveryName({ ...parts, ...other }),
    );
    expect(new Set([deliveryName(parts), ...others]).size).toBe(5);
  });
  it('UUIDs are told apart by parts, not by their text', () => {
    expect(isUuid(derivedUuid('a', 'b'))).toBe(true);
    expect(derivedUuid('a', 'bc')).not.toBe(derivedUuid('ab', 'c'));
    expect(derivedUuid('a\n1\nb')).not.toBe(derivedUuid('a', 'b'));
  });
});

describe('chooseOld', () => {
  const finished = (name: string, second: number, namespace = 'a') => ({
    namespace,
    name,
    uid: name,
    finishedAt: new Date(second * 1_000).toISOString(),
  });
  it('by age and by number, each namespace for itself', () => {
    const all = [
      finished('old', 1),
      finished('b', 50),
      finished('c', 60),
      finished('d', 70),
      finished('e', 2, 'z'),
    ];
    const names = (max: number, ttlMs: number) =>
      chooseOld(all, { now: 100_000, ttlMs, max }).map(({ name }) => name);
    expect(names(10, 60_000)).toEqual(['old', 'e']);
    expect(names(2, 1e9)).toEqual(['b', 'old']);
    expect(names(10, 1e9)).toEqual([]);
  });
});

describe('parseFamilies', () => {
  it("reads the original's file", () => {
    const text =
      '- jobFamily: "a"\n  url: "http://localhost:8080/"\n  requestBody: ""\n  description: ""\n- {jobFamily: b, url: "https://x/"}\n';
    expect(parseFamilies(text)).toMatchObject([{ jobFamily: 'a' }, { jobFamily: 'b', url: 'https://x/' }]);
    expect(parseFamilies('')).toEqual([]);
  });
  it.each([
    'a: b',
    '- {jobFamily: A_, url: "http://x"}',
    '- {jobFamily: a, url: "file:///x"}',
    '- {url: "http://x"}',
  ])('refuses %s', (text) => {
    expect(() => parseFamilies(text)).toThrow(/job families/);
  });
});
