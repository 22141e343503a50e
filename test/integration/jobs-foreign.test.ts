import { describe, expect, it, jest } from '@jest/globals';
import { API_VERSION, deliveryName, WEBHOOK_DELIVERIES } from '../../src/jobs/index.ts';
import { useJobsScene } from './jobs-scene.ts';
import { eventually, NAMESPACE } from './jobs-setting.ts';

// Whoever may create deliveries can foresee the names of ours: what stands there must not keep the real event from being told and from being on record.

jest.setTimeout(300_000);
const scene = useJobsScene();

describe('a delivery of somebody else under the name of ours', () => {
  it('is replaced when the Job ends: the real event is sent and stays, and the Job has an Event', async () => {
    const { setting, event, came, at } = scene;
    const { metadata } = await setting.createWebhook('w', { url: `${scene.receiver.url}/foreign` });
    const uid = await setting.createJob('train', { annotations: { 'hooks.krake.dev/on-job-done': 'w' } });
    const name = deliveryName({ jobUid: uid, event: 'complete', webhookUid: metadata.uid });
    const forged = { type: 'complete', time: '2020-01-01T00:00:00Z', job: { name: 'train', uid } };
    await setting.admin.create(WEBHOOK_DELIVERIES, NAMESPACE, {
      apiVersion: API_VERSION,
      kind: 'WebhookDelivery',
      metadata: { name, namespace: NAMESPACE },
      spec: { webhook: { name: 'w', uid: metadata.uid }, event: { ...forged, reason: 'Forged' } },
    });
    await came('/foreign', 1);
    await setting.finishJob('train');
    await eventually('the real one', () =>
      at('/foreign').some((_request, n) => event('/foreign', n).data.reason === 'Test'),
    );
    await eventually('the mark', async () => {
      const { annotations = {} } = (await setting.job('train'))?.metadata ?? {};
      return annotations['hooks.krake.dev/webhooks-settled'] === `${uid}/complete`;
    });
    const [stored, ...others] = await setting.deliveries();
    expect(others).toEqual([]);
    expect(stored).toMatchObject({ metadata: { name }, status: { phase: 'Delivered' } });
    expect(stored?.spec.event.reason).toBe('Test');
    await eventually('an Event', async () => {
      const { stdout } = await setting.controlPlane.kubectl(['-n', NAMESPACE, 'get', 'events']);
      return stdout.includes('ForeignDelivery');
    });
  });
});
