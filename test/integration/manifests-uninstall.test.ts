import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import {
  ENABLED,
  MANIFESTS,
  NAMESPACE,
  pod,
  startWithManifests,
  type ManifestsSetting,
} from './manifests-setting.ts';

jest.setTimeout(240_000);
let setting: ManifestsSetting;
beforeAll(async () => {
  setting = await startWithManifests();
  await setting.namespace('shop', ENABLED);
}, 120_000);
afterAll(() => setting.controlPlane.stop());

const COMPLETE = { annotations: { 'hooks.krake.dev/hooks': 'complete' } };

it('kubectl delete -k leaves nothing of ours, and what was annotated lives on', async () => {
  const { controlPlane, create, get } = setting;
  const kubectl = (...args: readonly string[]) => controlPlane.kubectl([...args]);
  const metadata = { name: 'deployment-web', namespace: 'shop' };
  const application = { apiVersion: 'hooks.krake.dev/v1alpha1', kind: 'Application', metadata, spec: {} };
  await kubectl('wait', '--for=condition=Established', 'crd/applications.hooks.krake.dev', '--timeout=30s');
  expect(await create(application)).toBeUndefined();
  const { metadata: created } = await get<{ metadata: { uid: string } }>(
    '-n',
    'shop',
    'application/deployment-web',
  );
  const owner = {
    ...application,
    name: metadata.name,
    uid: created.uid,
    metadata: undefined,
    spec: undefined,
  };
  const secret = { ...metadata, name: 'krake-hooks-deployment-web', ownerReferences: [owner] };
  expect(await create({ apiVersion: 'v1', kind: 'Secret', metadata: secret })).toBeUndefined();
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...metadata, name: 'web', ...COMPLETE },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { ...COMPLETE, labels: { app: 'web', 'hooks.krake.dev/application': 'deployment-web' } },
        spec: { containers: [{ name: 'main', image: 'example.invalid/main' }] },
      },
    },
  };
  expect(await create(deployment)).toBeUndefined();
  await kubectl('-n', 'shop', 'wait', 'deployment/web', '--for=condition=ReplicaFailure', '--timeout=30s');

  // As docs/operations.md says: what could refuse anything, who could make Applications anew, the Applications with all that they
  // own, the rest.
  const ours = ['-l', 'app.kubernetes.io/part-of=krake-hooks'];
  await kubectl('delete', 'mutatingwebhookconfigurations,validatingadmissionpolicybindings', ...ours);
  await kubectl('-n', NAMESPACE, 'delete', 'deployments', ...ours);
  await kubectl(
    'delete',
    'applications.hooks.krake.dev',
    '-A',
    '--all',
    '--cascade=foreground',
    '--timeout=80s',
  );
  await waitFor('the Secret of the Application to go with it', async () => {
    const args = ['-n', 'shop', 'get', 'secret', 'krake-hooks-deployment-web'];
    return (
      (await controlPlane.kubectl(args, { allowFailure: true })).stderr.includes('NotFound') || undefined
    );
  });

  await controlPlane.kubectl(['delete', '-k', MANIFESTS, '--ignore-not-found', '--timeout=90s'], {
    timeoutMs: 100_000,
  });

  const left = await kubectl(
    ...['get', '-A', '-l', 'app.kubernetes.io/part-of=krake-hooks', '-o', 'name'],
    [
      'namespaces,crd,priorityclasses,clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts',
      'configmaps,services,deployments,pods,poddisruptionbudgets,networkpolicies,secrets,leases.coordination.k8s.io',
      'mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings',
    ].join(','),
  );
  expect(left.stdout).toBe('');
  const namespace = await controlPlane.kubectl(['get', 'namespace', NAMESPACE], { allowFailure: true });
  expect(namespace.stderr).toContain('NotFound');
  expect(await create(pod('shop', COMPLETE))).toBeUndefined();
  await kubectl('-n', 'shop', 'rollout', 'restart', 'deployment/web');
  await waitFor('the Deployment’s pod', async () => {
    const { items } = await get<{ items: unknown[] }>('-n', 'shop', 'pods', '-l', 'app=web');
    return items.length > 0 || undefined;
  });
  await kubectl('delete', 'namespace', 'shop', '--timeout=60s');
});
