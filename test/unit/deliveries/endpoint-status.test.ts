import { describe, expect, it } from '@jest/globals';
import { createEndpointStatus } from '../../../src/deliveries/index.ts';
import type { Webhook } from '../../../src/jobs/index.ts';
import type { KubeClient } from '../../../src/kube/index.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';
import { T0, webhookOf } from './delivery-fixtures.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DISABLE_AFTER_MS = 5 * DAY_MS;

/** The Webhook as the API server has it: merge patches of its status are applied at once. */
function start() {
  const stored: Record<string, unknown> = {};
  const disabled: string[] = [];
  const metadata: object[] = [];
  let writes = 0;
  const client = {
    patch: (_ref: unknown, { body }: { body: { metadata: object; status: Record<string, unknown> } }) => {
      writes += 1;
      metadata.push(body.metadata);
      Object.assign(stored, body.status);
      for (const [key, value] of Object.entries(stored))
        if (value === null) Reflect.deleteProperty(stored, key);
      return Promise.resolve({ metadata: {} });
    },
  } as unknown as Pick<KubeClient, 'patch'>;
  const lead = () =>
    createEndpointStatus(
      { client, logger: createRecordingLogger(), onDisabled: (_webhook, why) => void disabled.push(why) },
      { disableAfterMs: DISABLE_AFTER_MS },
    );
  const webhook = (generation = 1): Webhook => ({
    ...webhookOf({}, { generation, resourceVersion: '7' }),
    status: structuredClone(stored),
  });
  return { lead, webhook, disabled, stored, metadata, writes: () => writes };
}

const disabledBy = (generation: number) => ({
  reason: 'Gone' as const,
  message: 'the endpoint answered 410',
  since: '2030-01-01T00:00:00.000Z',
  generation,
});

describe('createEndpointStatus', () => {
  it('disables what has failed again and again for long, and counts on after a change of leaders', () => {
    const { lead, webhook, disabled } = start();
    let status = lead();
    for (let hours = 0; hours <= 120; hours += 4) {
      if (hours === 60) status = lead();
      status.failed(webhook(), 'HTTP 503', T0 + hours * HOUR_MS);
    }
    expect(disabled).toEqual([]);
    status.failed(webhook(), 'HTTP 503', T0 + 121 * HOUR_MS);
    expect(disabled).toEqual([expect.stringContaining('2030-01-01T00:00:00.000Z')]);
  });

  it('a dead letter in January and one failure in February are not a month of failures', () => {
    const { lead, webhook, disabled, stored } = start();
    const status = lead();
    for (let hours = 0; hours < 72; hours += 4) status.failed(webhook(), 'HTTP 503', T0 + hours * HOUR_MS);
    status.failed(webhook(), 'HTTP 503', T0 + 31 * DAY_MS);
    expect(disabled).toEqual([]);
    expect(stored.failingSince).toBe('2030-02-01T00:00:00.000Z');
  });

  it('few failures over a long time are too few', () => {
    const { lead, webhook, disabled } = start();
    const status = lead();
    for (const days of [0, 2, 4, 6]) status.failed(webhook(), 'HTTP 503', T0 + days * DAY_MS);
    expect(disabled).toEqual([]);
    status.failed(webhook(), 'HTTP 503', T0 + 8 * DAY_MS);
    expect(disabled).toHaveLength(1);
  });

  it('a changed spec, as of one that is enabled again, begins anew', () => {
    const { lead, webhook, disabled, stored } = start();
    const status = lead();
    for (let hours = 0; hours <= 121; hours += 11) status.failed(webhook(), 'HTTP 503', T0 + hours * HOUR_MS);
    expect(disabled).toHaveLength(1);
    status.failed(webhook(2), 'HTTP 503', T0 + 122 * HOUR_MS);
    expect(disabled).toHaveLength(1);
    expect(stored).toMatchObject({ failing: { attempts: 1, generation: 2 } });
  });

  it('says no longer that it is disabled when its spec has changed since, unless it is disabled anew', () => {
    const { lead, webhook, stored, metadata, writes } = start();
    const status = lead();
    status.gone(webhook(), T0);
    status.seen(webhook());
    expect(stored.disabled).toMatchObject({ generation: 1 });
    expect(writes()).toBe(1);
    status.seen(webhook(2));
    expect(stored.disabled).toBeUndefined();
    // Upon what was seen, and nothing newer.
    expect(metadata.at(-1)).toEqual({ uid: 'w-uid', resourceVersion: '7' });
    status.succeeded(webhook(2), T0);
    expect(stored.disabled).toBeUndefined();
    status.gone(webhook(2), T0 + 1);
    // A watch that is behind.
    status.seen({ ...webhook(2), status: { disabled: disabledBy(1) } });
    expect(stored.disabled).toMatchObject({ generation: 2 });
  });

  it('a success ends the row', () => {
    const { lead, webhook, disabled, stored } = start();
    const status = lead();
    for (let hours = 0; hours <= 200; hours += 4) {
      status.failed(webhook(), 'HTTP 503', T0 + hours * HOUR_MS);
      if (hours === 100) status.succeeded(webhook(), T0 + hours * HOUR_MS + 1);
    }
    expect(disabled).toEqual([]);
    status.succeeded(webhook(), T0 + 201 * HOUR_MS);
    expect(stored).toEqual({ lastDeliveredAt: '2030-01-09T09:00:00.000Z' });
  });

  it('writes of a thousand failures in a minute one', () => {
    const { lead, webhook, writes } = start();
    const status = lead();
    for (let n = 0; n < 1_000; n += 1) status.failed(webhook(), 'HTTP 503', T0 + n * 60);
    expect(writes()).toBe(1);
  });
});
