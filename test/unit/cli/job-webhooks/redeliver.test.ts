import { describe, expect, it } from '@jest/globals';
import { readRedelivery } from '../../../../src/cli/job-webhooks/delivery-commands.ts';
import { enableWebhook } from '../../../../src/cli/job-webhooks/enable-webhook.ts';
import { redeliver } from '../../../../src/cli/job-webhooks/redeliver.ts';
import type { WebhookDelivery } from '../../../../src/jobs/index.ts';
import {
  deadLetter,
  delivery,
  jobWebhookWorld,
  NOW,
  REDELIVER,
  taken,
  webhook,
  type JobWebhookWorld,
} from './job-webhook-fixtures.ts';

const AT = '2026-11-21T07:55:00.000Z';
const ok = { number: 5, at: AT, durationMs: 12, status: 200 };
const bad = { number: 5, at: AT, durationMs: 9, status: 503 };
type Status = NonNullable<WebhookDelivery['status']>;
const delivered: Status = { phase: 'Delivered', deliveredAt: AT, finishedAt: AT, attempts: 5, log: [ok] };
const run = ({ deps }: JobWebhookWorld, names: readonly string[] = ['jd-1'], waitMs = 5_000) =>
  redeliver(deps, { namespace: 'shop', names, waitMs });
const namesWritten = ({ written }: JobWebhookWorld) =>
  (written as WebhookDelivery[]).map(({ metadata }) => metadata.uid);

describe('redeliver', () => {
  it('asks by the annotation, bound to the UID, and says what came of it', async () => {
    const world = jobWebhookWorld([webhook()], [deadLetter('jd-1', AT)], taken(delivered));
    await expect(run(world)).resolves.toBe(0);
    expect(world.written).toEqual([
      { metadata: { uid: 'uid-jd-1', annotations: { [REDELIVER]: '2026-11-21T08:00:00.000Z' } } },
    ]);
    expect(world.lines).toEqual(['asked for 1 of 1', 'jd-1: delivered: HTTP 200 after 12 ms']);
  });

  it.each([
    {
      what: 'is refused again',
      status: { phase: 'DeadLetter', reason: 'Refused', log: [{ ...bad, status: 401 }] } satisfies Status,
      code: 1,
      line: 'jd-1: DeadLetter: Refused: HTTP 401',
    },
    {
      what: 'goes on being tried',
      status: { phase: 'Pending', roundAttempts: 1, nextAttemptAt: AT, log: [bad] } satisfies Status,
      code: 1,
      line: `jd-1: failed: HTTP 503; the next attempt is at ${AT}`,
    },
  ])('ends with 1 when it $what', async ({ status, code, line }) => {
    const world = jobWebhookWorld([webhook()], [deadLetter('jd-1', AT)], taken(status));
    await expect(run(world)).resolves.toBe(code);
    expect(world.lines.at(-1)).toBe(line);
  });

  it('ends with 2 when nobody takes it up, in the time given for all', async () => {
    const letters = [deadLetter('jd-1', AT), deadLetter('jd-2', AT)];
    const world = jobWebhookWorld([webhook()], letters);
    await expect(run(world, ['jd-1', 'jd-2'], 3_000)).resolves.toBe(2);
    expect(world.elapsedMs()).toBe(3_000);
    expect(world.lines.at(-1)).toContain('jd-2: no attempt was made in time: is krake-hooks running');
  });

  it('does not wait when it is not to, and asks for one only once', async () => {
    const world = jobWebhookWorld([webhook()], [deadLetter('jd-1', AT)]);
    await expect(run(world, ['jd-1', 'jd-1'], 0)).resolves.toBe(0);
    expect(world.elapsedMs()).toBe(0);
    expect(world.written).toHaveLength(1);
  });

  it('an answer of an earlier round is no answer', async () => {
    const world = jobWebhookWorld([webhook()], [delivery({ status: { ...delivered, redelivered: 'once' } })]);
    await expect(run(world, ['jd-1'], 1_000)).resolves.toBe(2);
  });

  it('chooses dead letters since a time, of a Webhook, the oldest first', async () => {
    const world = jobWebhookWorld(
      [webhook(), webhook({ name: 'other' })],
      [
        deadLetter('late', '2026-11-21T07:59:00Z'),
        deadLetter('first', '2026-11-21T07:30:00Z'),
        deadLetter('long-ago', '2026-11-21T07:29:59Z'),
        deadLetter('others', '2026-11-21T07:45:00Z', 'other'),
        delivery({ name: 'went-well', status: delivered }),
        delivery({ name: 'waits' }),
        {
          ...deadLetter('asked', AT),
          metadata: { ...deadLetter('asked', AT).metadata, annotations: { [REDELIVER]: 'x' } },
        },
      ],
    );
    const since = Date.parse('2026-11-21T07:30:00Z');
    await redeliver(world.deps, {
      namespace: 'shop',
      names: [],
      failedSince: since,
      webhook: 'audit',
      waitMs: 0,
    });
    expect(namesWritten(world)).toEqual(['uid-first', 'uid-late']);
  });

  it('leaves out what cannot be sent, and says why', async () => {
    const world = jobWebhookWorld(
      [webhook({ name: 'off', spec: { disabled: true } }), webhook()],
      [deadLetter('a', AT, 'off'), deadLetter('b', AT, 'deleted'), deadLetter('c', AT)],
    );
    await redeliver(world.deps, { namespace: 'shop', names: [], failedSince: 0, waitMs: 0 });
    expect(namesWritten(world)).toEqual(['uid-c']);
    expect(world.lines).toEqual([
      'left out: a: its Webhook off is disabled (spec.disabled is set); first: krake-hooks webhooks enable off -n shop',
      'left out: b: its Webhook deleted was deleted; a namesake is another endpoint',
      'asked for 1 of 1',
    ]);
  });

  it.each([
    {
      names: ['jd-9'],
      message: 'there is no WebhookDelivery "jd-9" in namespace shop; did you mean "jd-1"?',
    },
    { names: ['jd-1', 'gone'], message: 'gone cannot be sent again: its Webhook deleted was deleted' },
  ])('asks for none when one of those named cannot be: $message', async ({ names, message }) => {
    const world = jobWebhookWorld([webhook()], [deadLetter('jd-1', AT), deadLetter('gone', AT, 'deleted')]);
    await expect(run(world, names)).rejects.toThrow(message);
    expect(world.written).toEqual([]);
  });
});

describe('readRedelivery', () => {
  const flags = { namespace: 'shop', set: [], wait: '20s' } as const;

  it.each([
    { names: [], more: {}, message: 'name deliveries, or give --failed-since' },
    { names: ['a'], more: { failedSince: '2h' }, message: 'name deliveries, or give --failed-since' },
    { names: ['a'], more: { webhook: 'audit' }, message: '--webhook narrows --failed-since' },
    {
      names: [],
      more: { failedSince: 'yesterday' },
      message: '--failed-since yesterday: write a duration like 2h',
    },
    { names: ['a'], more: { wait: '' }, message: '--wait "": write a duration' },
  ])('refuses $more with $names', ({ names, more, message }) => {
    expect(() => readRedelivery(names, { ...flags, ...more }, NOW)).toThrow(message);
  });

  it.each([
    { failedSince: '90m', expected: NOW - 5_400_000 },
    { failedSince: '2026-11-21T06:30:00Z', expected: NOW - 5_400_000 },
  ])('reads --failed-since $failedSince', ({ failedSince, expected }) => {
    expect(readRedelivery([], { ...flags, failedSince }, NOW)).toMatchObject({
      failedSince: expected,
      waitMs: 20_000,
    });
  });
});

describe('enableWebhook', () => {
  const gone = { reason: 'Gone', message: 'the endpoint answered 410', since: AT, generation: 1 } as const;
  const specs = ({ written }: JobWebhookWorld) => (written as { spec: object }[]).map(({ spec }) => spec);

  it.each([
    { what: 'disabled by hand', found: webhook({ spec: { disabled: true } }), writes: [{ disabled: false }] },
    {
      what: 'disabled by its endpoint: the spec has to change',
      found: webhook({ status: { disabled: gone } }),
      writes: [{ disabled: true }, { disabled: false }],
    },
    { what: 'enabled', found: webhook({ status: { disabled: { ...gone, generation: 0 } } }), writes: [] },
  ])('one that is $what', async ({ found, writes }) => {
    const world = jobWebhookWorld([found], []);
    await enableWebhook(world.deps, 'shop', 'audit');
    expect(specs(world)).toEqual(writes);
  });
});
