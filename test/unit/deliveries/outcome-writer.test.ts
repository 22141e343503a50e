import { afterEach, describe, expect, it } from '@jest/globals';
import { createOutcomeWriter, type OutcomeWriter } from '../../../src/deliveries/index.ts';
import { recordOf, type DeliveryRecord } from '../../../src/deliveries/delivery-record.ts';
import type { DeliveryStatus } from '../../../src/jobs/index.ts';
import { KubeApiError, KubeUnreachableError, type KubeClient } from '../../../src/kube/index.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';
import { afterAttempt, type AttemptResult } from '../../../src/deliveries/after-attempt.ts';
import { deliveryOf, T0, webhookOf } from './delivery-fixtures.ts';

/** One object with the API server's optimistic locking; the rest of it is in the integration tests. */
function createStored(status: DeliveryStatus) {
  const stored = { status, version: 1, away: false, writes: 0 };
  const object = () => ({
    ...deliveryOf(stored.status),
    metadata: { ...deliveryOf().metadata, resourceVersion: String(stored.version) },
  });
  const client = {
    get: () => Promise.resolve(object()),
    patch: (
      _ref: unknown,
      patch: { body: { metadata: { resourceVersion?: string }; status: Record<string, unknown> } },
    ) => {
      if (stored.away) return Promise.reject(new KubeUnreachableError('away'));
      if (patch.body.metadata.resourceVersion !== String(stored.version)) {
        return Promise.reject(new KubeApiError('conflict', 409, 'Conflict'));
      }
      stored.version += 1;
      stored.writes += 1;
      const merged = Object.entries<unknown>({ ...stored.status, ...patch.body.status });
      stored.status = Object.fromEntries(merged.filter(([, value]) => value !== null));
      return Promise.resolve(object());
    },
  } as unknown as Pick<KubeClient, 'patch' | 'get'>;
  return { stored, client, read: object };
}

let writer: OutcomeWriter | undefined;
const ending = new AbortController();
afterEach(() => writer?.stop());

async function start(before: DeliveryStatus, isBusy = () => false) {
  const world = createStored(before);
  const started = createOutcomeWriter({ client: world.client, logger: createRecordingLogger(), isBusy });
  writer = started;
  await started.start(ending.signal);
  return { ...world, writer: started, record: recordOf(world.read()) };
}

function change(writer: OutcomeWriter, record: DeliveryRecord, status: DeliveryStatus): void {
  record.status = status;
  writer.changed(record);
}

const PENDING = { phase: 'Pending', attempts: 1, roundAttempts: 1 } as const;
const RETRY = { retryBaseMs: 1_000, retryCapMs: 60_000, retryAfterCeilingMs: 10_000, maxRefusals: 3 };
const DELIVERED = { phase: 'Delivered', attempts: 1, finishedAt: '2030-01-01T00:00:01.000Z' } as const;

describe('createOutcomeWriter', () => {
  it('writes one change after the other, each upon the version of the one before', async () => {
    const { writer, record, stored } = await start({});
    change(writer, record, PENDING);
    await writer.flush(20_000);
    change(writer, record, DELIVERED);
    await writer.flush(20_000);
    expect(stored).toMatchObject({ status: DELIVERED, writes: 2 });
    expect(stored.status.roundAttempts).toBeUndefined();
  });

  it('what somebody else changes beside the status (an annotation) costs a second try', async () => {
    const { writer, record, stored } = await start({});
    stored.version += 1;
    change(writer, record, DELIVERED);
    await writer.flush(20_000);
    expect(stored.status).toMatchObject(DELIVERED);
  });

  it.each<[string, DeliveryStatus, DeliveryStatus, DeliveryStatus]>([
    [
      'delivered, where another has only tried: ours',
      { phase: 'Pending', attempts: 3 },
      DELIVERED,
      DELIVERED,
    ],
    [
      'a failure, where another has delivered: theirs',
      DELIVERED,
      { phase: 'Pending', attempts: 2 },
      DELIVERED,
    ],
    ['delivered twice: theirs', { ...DELIVERED, attempts: 4 }, DELIVERED, { ...DELIVERED, attempts: 4 }],
    [
      'a first failure, where another knows a second: theirs',
      { ...PENDING, attempts: 2 },
      PENDING,
      { attempts: 2 },
    ],
    [
      'the end of a round before a person asked for another: theirs',
      { phase: 'Pending', redelivered: 'a', roundStartedAt: '2030-01-01T00:00:05.000Z' },
      DELIVERED,
      { phase: 'Pending', redelivered: 'a' },
    ],
    [
      'of the round that a person has asked for, where another has ended the one before: ours',
      DELIVERED,
      { phase: 'Pending', redelivered: 'a', roundStartedAt: '2030-01-01T00:00:05.000Z' },
      { phase: 'Pending', redelivered: 'a' },
    ],
  ])('%s', async (_name, theirs, ours, expected) => {
    const { writer, record, stored } = await start({});
    stored.status = theirs;
    stored.version += 1;
    change(writer, record, ours);
    await writer.flush(20_000);
    expect(stored.status).toMatchObject(expected);
    expect(writer.unwritten(record.delivery)).toBeUndefined();
  });

  it('who has lost goes on from what the other knows: its next write puts nothing back', async () => {
    const { writer, record, stored } = await start({});
    const log = [1, 2, 3].map((number) => ({ number, at: '2030-01-01T00:00:00.000Z', durationMs: 1 }));
    const theirs: DeliveryStatus = { phase: 'Pending', attempts: 3, roundAttempts: 3, log };
    stored.status = theirs;
    stored.version += 1;
    change(writer, record, PENDING);
    await writer.flush(20_000);
    expect(record.status).toEqual(theirs);
    const facts = { startedAt: T0, now: T0, random: 0 };
    const outcome: AttemptResult = { kind: 'unsigned', problem: 'no Secret' };
    const known = { metadata: record.delivery.metadata, status: record.status };
    const next = afterAttempt(known, webhookOf().spec, outcome, facts, RETRY);
    change(writer, record, next);
    await writer.flush(20_000);
    expect(stored.status).toMatchObject({ attempts: 4, roundAttempts: 4 });
    expect(stored.status.log).toHaveLength(4);
  });

  it('keeps what it cannot write, for whoever takes the delivery up in this process, and writes it later', async () => {
    const { writer, record, stored } = await start({});
    stored.away = true;
    change(writer, record, DELIVERED);
    await writer.flush(100);
    expect(writer.unwritten(record.delivery)?.status).toEqual(DELIVERED);
    const namesake = { ...record.delivery, metadata: { ...record.delivery.metadata, uid: 'another' } };
    expect(writer.unwritten(namesake)).toBeUndefined();
    stored.away = false;
    await writer.flush(20_000);
    expect(stored.status).toMatchObject(DELIVERED);
  });

  it('gives way while deliveries are being stored, but not for long', async () => {
    const { writer, record, stored } = await start({}, () => true);
    const startedAt = performance.now();
    change(writer, record, DELIVERED);
    while (stored.writes === 0) await writer.flush(20);
    // It gives way for a second. The test's own time limit ends a wait in vain.
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    await writer.flush(20_000);
    expect(stored.writes).toBe(1);
  });
});
