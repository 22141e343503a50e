import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { FINALIZER_SHUTDOWN, WORKLOAD_KINDS } from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { SECRETS } from './left-behind.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { clientOfServiceAccount } from './service-account-client.ts';
import { startService, type ServiceProcess } from './service.ts';
import { MANIFESTS, startUninstallSetting, untilGone, type UninstallSetting } from './uninstall-setting.ts';

// `kubectl delete -k manifests`, which waits for nothing between one object and the next, with a live service that has exactly the
// rights of the manifests. What the kubelet does, the test does: SIGTERM as soon as the namespace is being deleted.

jest.setTimeout(500_000);
const ACCOUNT = 'krake-hooks-controller';
const KRAKE_SYSTEM = { resource: { apiVersion: 'v1', plural: 'namespaces' }, name: 'krake-system' } as const;
const CA = { resource: SECRETS, namespace: 'krake-system', name: 'krake-hooks-ca' } as const;

let setting: UninstallSetting;
beforeAll(async () => {
  setting = await startUninstallSetting();
}, 600_000);
afterAll(() => setting.stop());

/** So many replicas of the controller, of which one leads. */
async function startControllers(count: number): Promise<ServiceProcess[]> {
  const kubeconfig = await writeAccountKubeconfig(setting.controlPlane, 'krake-system', ACCOUNT);
  const starting = Array.from({ length: count }, () =>
    startService(setting.controlPlane, { parts: ['controller'], kubeconfig }),
  );
  const services = await Promise.all(starting);
  await Promise.all(services.map((service) => service.untilReady()));
  await waitFor('one of them to lead', async () => {
    const metrics = await Promise.all(services.map((service) => service.get('/metrics')));
    return metrics.some(({ text }) => /^krake_hooks_leader 1$/m.test(text)) || undefined;
  });
  return services;
}

/** Annotated Deployments without pods; resolves when the controller has put its finalizers everywhere. */
async function makeLiveApplications(namespace: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, at) => `web-${at}`);
  for (const name of names) {
    const labels = { app: name };
    const annotations = { 'hooks.krake.dev/hooks': 'shutdown' };
    await setting.admin.create(WORKLOAD_KINDS.Deployment, namespace, {
      metadata: { name, annotations },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { containers: [{ name: 'main', image: 'example.invalid/main' }] },
        },
      },
    });
  }
  await waitFor(
    'the controller to hold them',
    async () => {
      const held = await setting.held();
      return held.filter((object) => object.includes(` ${namespace}/`)).length === 3 * count || undefined;
    },
    { timeoutMs: 60_000 },
  );
}

/** SIGTERM to all, once the namespace is being deleted: the kubelet's part. */
async function terminateWithTheNamespace(services: readonly ServiceProcess[]): Promise<(number | null)[]> {
  await waitFor(
    'the namespace to be terminating',
    async () => (await setting.admin.get(KRAKE_SYSTEM))?.metadata.deletionTimestamp,
    { intervalMs: 20 },
  );
  return Promise.all(services.map((service) => service.end()));
}

const deleteManifests = () =>
  setting.controlPlane.kubectl(['delete', '-k', MANIFESTS, '--ignore-not-found', '--timeout=240s'], {
    timeoutMs: 250_000,
  });

async function expectNothingLeft(namespace: string): Promise<void> {
  expect(await setting.held()).toEqual([]);
  expect(await setting.installed()).toEqual([]);
  const { stdout } = await setting.controlPlane.kubectl(['-n', namespace, 'get', 'secrets', '-o', 'name']);
  expect(stdout).toBe('');
}

describe('kubectl delete -k with a live service', () => {
  it.each([1, 2])('leaves nothing, with %i replicas of the controller', async (replicas) => {
    await setting.apply();
    const namespace = `shop-${replicas}`;
    await setting.namespace(namespace);
    const services = await startControllers(replicas);
    await makeLiveApplications(namespace, 10);

    const terminated = terminateWithTheNamespace(services);
    await deleteManifests();

    expect(await terminated).toEqual(Array(replicas).fill(0));
    await expectNothingLeft(namespace);
    await setting.controlPlane.kubectl(['delete', 'namespace', namespace, '--wait=false']);
    await untilGone(setting, namespace);
  });

  it('is ended by a container that is restarted when everything is being deleted already', async () => {
    await setting.apply();
    await setting.namespace('late');
    const kubeconfig = await writeAccountKubeconfig(setting.controlPlane, 'krake-system', ACCOUNT);
    const services = await startControllers(1);
    await makeLiveApplications('late', 5);
    for (const service of services) await service.end('SIGKILL');
    const deletion = deleteManifests();
    await waitFor(
      'the namespace to be terminating',
      async () => (await setting.admin.get(KRAKE_SYSTEM))?.metadata.deletionTimestamp,
    );
    // It is among the first things that Kubernetes takes away with the namespace, and no new one can be made there: nothing may wait for that.
    await setting.controlPlane.kubectl([
      '-n',
      CA.namespace,
      'delete',
      'secret',
      CA.name,
      '--ignore-not-found',
    ]);
    expect(await setting.admin.get(CA)).toBeUndefined();

    const late = await startService(setting.controlPlane, { parts: ['controller'], kubeconfig });

    await deletion;
    const code = await waitFor('it to have ended by itself', () => late.process.exitCode ?? undefined, {
      timeoutMs: 60_000,
    });
    expect(code).toBe(0);
    await expectNothingLeft('late');
  });

  it('waits when the service is dead, and uninstall ends it', async () => {
    await setting.apply();
    await setting.namespace('dead');
    const services = await startControllers(1);
    await makeLiveApplications('dead', 3);
    for (const service of services) await service.end('SIGKILL');

    const deletion = deleteManifests();
    await waitFor(
      'everything to be deleted but what is held',
      async () => {
        const left = await setting.installed();
        const isHeld = (name: string) =>
          /^(namespaces|serviceaccounts|clusterrole|customresourcedef|secrets)/.test(name);
        return left.every(isHeld) ? true : undefined;
      },
      { timeoutMs: 120_000 },
    );
    expect((await setting.held()).length).toBeGreaterThanOrEqual(6);
    await setting.succeed('uninstall', '--yes');

    await deletion;
    await expectNothingLeft('dead');
  });

  it('cleans up as well when only the namespace is deleted, and leaves no gate', async () => {
    await setting.apply();
    await setting.namespace('alone');
    const services = await startControllers(2);
    await makeLiveApplications('alone', 5);

    const terminated = terminateWithTheNamespace(services);
    await setting.controlPlane.kubectl(['delete', 'namespace', 'krake-system', '--wait=false']);
    await untilGone(setting, 'krake-system');

    expect(await terminated).toEqual([0, 0]);
    expect(await setting.held()).toEqual([]);
    const left = await setting.installed();
    expect(left.filter((name) => name.startsWith('validatingwebhook'))).toEqual([]);
    // Its roles are let go, so that nothing waits for it when they are deleted.
    const role = {
      resource: { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'clusterroles' },
      name: ACCOUNT,
    };
    expect((await setting.admin.get(role))?.metadata.finalizers).toBeUndefined();
    // Applications are the user's: their data stays.
    const { stdout } = await setting.controlPlane.kubectl([
      '-n',
      'alone',
      'get',
      'applications,secrets',
      '-o',
      'name',
    ]);
    expect(stdout.trim().split('\n')).toHaveLength(10);
    await deleteManifests().catch(() => undefined);
    await setting.run('uninstall', '--yes');
  });

  it('takes a finalizer off a workload of a namespace that is not opted in any more', async () => {
    await setting.apply();
    await setting.namespace('out');
    const { client } = await clientOfServiceAccount(setting.controlPlane, 'krake-system', ACCOUNT);
    const ref = { resource: WORKLOAD_KINDS.Deployment, namespace: 'out', name: 'web' };
    await setting.holdWorkload('out', 'Deployment', 'web');
    await setting.controlPlane.kubectl(['label', 'namespace', 'out', 'hooks.krake.dev/enabled-']);
    const change = (body: object) => client.patch(ref, { type: 'merge', body });
    await waitFor('the policy to know the label', async () => {
      try {
        await change({ spec: { replicas: 1 } });
        await setting.admin.patch(ref, { type: 'merge', body: { spec: { replicas: 0 } } });
        return undefined;
      } catch (error) {
        return String(error).includes('krake-hooks-own-workloads') ? true : undefined;
      }
    });
    await change({ metadata: { finalizers: null } });
    await expect(change({ metadata: { finalizers: [FINALIZER_SHUTDOWN] } })).rejects.toThrow(
      'krake-hooks-own-workloads',
    );
    client.close();
  });

  it('a stolen token of the controller can bind its rights to nobody else', async () => {
    const { client } = await clientOfServiceAccount(setting.controlPlane, 'krake-system', ACCOUNT);
    const resource = { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'clusterrolebindings' };
    const subjects = [{ kind: 'ServiceAccount', name: 'default', namespace: 'out' }];
    await expect(
      client.patch({ resource, name: ACCOUNT }, { type: 'merge', body: { subjects } }),
    ).rejects.toThrow('krake-hooks-own-roles');
    await expect(
      client.patch(
        { resource, name: ACCOUNT },
        { type: 'merge', body: { metadata: { finalizers: ['a.b/c'] } } },
      ),
    ).rejects.toThrow('krake-hooks-own-roles');
    client.close();
  });
});
