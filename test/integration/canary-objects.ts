import { deployment } from '../e2e/workloads.ts';

const KEPT = { 'hooks.krake.dev/hooks': 'complete', 'hooks.krake.dev/complete-action': 'none' };

/** Applications of every kind of hook and of proof. */
export const APPLICATIONS_OF_EACH_KIND = [
  deployment('web', 'sleep 3600', { annotations: KEPT }),
  deployment('seal', 'sleep 3600', { annotations: { ...KEPT, 'hooks.krake.dev/auth': 'pod-identity' } }),
  deployment('otter', 'sleep 3600', { annotations: { ...KEPT, 'hooks.krake.dev/auth': 'pod-identity' } }),
  deployment('db', 'sleep 3600', {
    annotations: {
      'hooks.krake.dev/hooks': 'shutdown',
      'hooks.krake.dev/shutdown-service': 'bye:8080/stop',
      'hooks.krake.dev/shutdown-timeout': '10s',
    },
  }),
] as const;

/** What is begun when another intermediate signs already. */
export const LATE = deployment('late', 'sleep 3600', { annotations: KEPT });

/** A Job that fails, and who is to be told of it. */
export function jobWithWebhook(url: string, signingKey: Buffer): readonly object[] {
  return [
    {
      ...{ kind: 'Secret', apiVersion: 'v1', metadata: { name: 'krake-hooks-webhooks' } },
      stringData: { hook: `whsec_${signingKey.toString('base64')}` },
    },
    {
      ...{ apiVersion: 'hooks.krake.dev/v1alpha1', kind: 'Webhook', metadata: { name: 'hook' } },
      spec: { url, secretRefs: [{ key: 'hook' }] },
    },
    {
      ...{
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'train', annotations: { 'hooks.krake.dev/on-job-done': 'hook' } },
      },
      spec: {
        activeDeadlineSeconds: 2,
        template: {
          spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'example.invalid/a' }] },
        },
      },
    },
  ];
}
