import { describe, expect, it } from '@jest/globals';
import { sendTestEvent } from '../../../../src/cli/job-webhooks/send-test-event.ts';
import { deliverySpecSchema, type WebhookDelivery } from '../../../../src/jobs/index.ts';
import { jobWebhookWorld, webhook, type JobWebhookWorld } from './job-webhook-fixtures.ts';

const AT = '2026-11-21T08:00:00.000Z';
const NAME = 'test-00000000-0000-4000-8000-000000000000';
const withStatus = (status: WebhookDelivery['status']) => (found: WebhookDelivery) => ({
  ...found,
  ...(status && { status }),
});
const run = ({ deps }: JobWebhookWorld, realBody = false) =>
  sendTestEvent(deps, { namespace: 'shop', webhook: 'audit', waitMs: 2_000, realBody });

describe('sendTestEvent', () => {
  it('makes one delivery of type test, which stays as a record', async () => {
    const log = [{ number: 1, at: AT, durationMs: 7, status: 204 }];
    const world = jobWebhookWorld([webhook()], [], withStatus({ phase: 'Delivered', log }));
    await expect(run(world)).resolves.toBe(0);
    expect(world.written).toHaveLength(1);
    const [created] = world.written as WebhookDelivery[];
    expect(created?.metadata.name).toBe(NAME);
    expect(deliverySpecSchema.parse(created?.spec)).toMatchObject({
      webhook: { name: 'audit', uid: 'uid-audit' },
      event: { type: 'test', time: AT },
    });
    expect(world.lines).toEqual([
      `a test event for Webhook audit, webhook-id ${NAME}`,
      'delivered: HTTP 204 after 7 ms',
    ]);
  });

  it.each([
    {
      what: 'the endpoint fails',
      status: {
        phase: 'Pending',
        roundAttempts: 1,
        nextAttemptAt: AT,
        log: [{ number: 1, at: AT, durationMs: 7, error: 'connect: refused' }],
      } satisfies NonNullable<WebhookDelivery['status']>,
      code: 1,
      says: 'failed: connect: refused',
    },
    { what: 'nobody delivers', status: undefined, code: 2, says: 'no attempt was made in time' },
  ])('withdraws it when $what', async ({ status, code, says }) => {
    const world = jobWebhookWorld([webhook()], [], withStatus(status));
    await expect(run(world)).resolves.toBe(code);
    expect(world.written.at(-1)).toBe(NAME);
    expect(world.lines.at(-2)).toContain(says);
    expect(world.lines.at(-1)).toBe('the test event is withdrawn');
  });

  it('sends nothing to one that is disabled, or absent', async () => {
    const world = jobWebhookWorld([webhook({ spec: { disabled: true } })], []);
    await expect(run(world)).rejects.toThrow('first: krake-hooks webhooks enable audit -n shop');
    await expect(run(jobWebhookWorld([], []))).rejects.toThrow(
      'there is no Webhook "audit" in namespace shop',
    );
    expect(world.written).toEqual([]);
  });

  it('has no test event for one that sends its body as it stands; asked for, it sends that', async () => {
    const log = [{ number: 1, at: AT, durationMs: 7, status: 200 }];
    const url = 'https://audit.example.com/?key=canary';
    const verbatim = webhook({ spec: { format: 'verbatim', requestBody: '{"deploy":"canary"}', url } });
    const world = jobWebhookWorld([verbatim], [], withStatus({ phase: 'Delivered', log }));
    const refusal = run(world);
    await expect(refusal).rejects.toThrow('(19 bytes), to https://audit.example.com/?…');
    await expect(refusal).rejects.toThrow('krake-hooks webhooks test audit -n shop --real-body');
    await expect(refusal).rejects.not.toThrow('canary');
    expect(world.written).toEqual([]);
    await expect(run(world, true)).resolves.toBe(0);
    expect(world.lines[0]).toBe(`the real body for Webhook audit, webhook-id ${NAME}`);
  });
});
