import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { FINALIZER_SHUTDOWN, WORKLOAD_KINDS } from '../../src/contract/index.ts';
import { KubeApiError } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { clientOfServiceAccount } from './service-account-client.ts';
import { HELD_KINDS } from './left-behind.ts';
import {
  letGo,
  MANIFESTS,
  startUninstallSetting,
  untilGone,
  type UninstallSetting,
} from './uninstall-setting.ts';

// The service is dead all the time: there is no node, so its pods never run.

jest.setTimeout(400_000);
/** Applications, each with three objects that are held. */
const MANY = Number(process.env.MANY_APPLICATIONS ?? 300);
const OFF = ['emergency-off', '--yes'] as const;
const SWITCHES = [
  'mutatingwebhookconfigurations krake-hooks',
  'validatingwebhookconfigurations krake-hooks-gate',
  'validatingadmissionpolicybindings krake-hooks-injected',
  'clusterrolebindings krake-hooks-controller',
];

let setting: UninstallSetting;
beforeAll(async () => {
  setting = await startUninstallSetting();
  await setting.apply();
}, 600_000);
afterAll(() => setting.stop());

const switchedOn = async () => {
  const installed = await setting.installed();
  return SWITCHES.filter((name) => installed.includes(name));
};

describe('emergency-off', () => {
  it('does nothing unasked', async () => {
    const { code, output } = await setting.run('emergency-off');
    expect(code).toBe(1);
    expect(output).toContain('nothing was done');
    expect(await switchedOn()).toEqual(SWITCHES);
  });

  it('takes away what refuses and what holds, of every kind, and says so', async () => {
    await setting.namespace('shop');
    for (const kind of HELD_KINDS) await setting.holdWorkload('shop', kind, 'web');
    expect(await setting.held()).toHaveLength(3 * HELD_KINDS.length);

    const output = await setting.succeed(...OFF);

    expect(output).toContain('krake-hooks is off');
    expect(output).toContain('kubectl apply -k manifests');
    for (const { plural } of HELD_KINDS.map((kind) => WORKLOAD_KINDS[kind]))
      expect(output).toContain(`1 ${plural}`);
    expect(await setting.held()).toEqual([]);
    expect(await switchedOn()).toEqual([]);
  });

  it('leaves the finalizers of others, and everything that nobody waits for', async () => {
    for (const kind of HELD_KINDS) {
      const found = await setting.admin.get({
        resource: WORKLOAD_KINDS[kind],
        namespace: 'shop',
        name: 'web',
      });
      expect(found?.metadata.finalizers).toEqual(['test.krake.dev/other']);
      expect(found?.metadata.deletionTimestamp).toBeUndefined();
    }
    const { stdout } = await setting.controlPlane.kubectl([
      ...['-n', 'shop', 'get', 'applications,secrets', '-o', 'name'],
    ]);
    expect(stdout.trim().split('\n')).toHaveLength(2 * HELD_KINDS.length);
  });

  it('may be repeated', async () => {
    const output = await setting.succeed(...OFF);
    expect(output).toContain('no webhook configuration of ours is there');
    expect(output).toContain('no object has a finalizer of ours');
  });

  it('is undone by applying the manifests', async () => {
    await setting.apply();
    expect(await switchedOn()).toEqual(SWITCHES);
    await setting.run(...OFF);
    await setting.controlPlane.kubectl(['apply', '--server-side', '-k', MANIFESTS, '--force-conflicts']);
    expect(await switchedOn()).toEqual(SWITCHES);
  });

  it('ends what waits in namespaces that are being deleted', async () => {
    await setting.namespace('doomed');
    for (const kind of HELD_KINDS) await setting.holdWorkload('doomed', kind, 'web');
    await setting.controlPlane.kubectl(['delete', 'namespace', 'doomed', '--wait=false']);
    await waitFor('its objects to be deleted', async () => {
      const { items } = await setting.admin.list(WORKLOAD_KINDS.Deployment, 'doomed');
      return items.every(({ metadata }) => metadata.deletionTimestamp !== undefined) || undefined;
    });

    await setting.succeed(...OFF);

    await letGo(setting, 'doomed');
    await untilGone(setting, 'doomed');
  });

  it('is not undone by a controller that is alive and puts finalizers back', async () => {
    await setting.apply();
    await setting.namespace('contested');
    await setting.holdWorkload('contested', 'Deployment', 'web');
    const { client } = await clientOfServiceAccount(
      setting.controlPlane,
      'krake-system',
      'krake-hooks-controller',
    );
    const ref = { resource: WORKLOAD_KINDS.Deployment, namespace: 'contested', name: 'web' };
    const body = { metadata: { finalizers: [FINALIZER_SHUTDOWN] } };
    let refused = 0;
    const isOver = new AbortController();
    const putsBack = (async () => {
      while (!isOver.signal.aborted) {
        try {
          await client.patch(ref, { type: 'merge', body });
        } catch (error) {
          // Two who write the same object as fast as they can meet now and then, and a busy API server refuses for other reasons.
          if (error instanceof KubeApiError && error.status === 403) refused += 1;
        }
      }
    })();

    await setting.succeed(...OFF);

    const before = refused;
    await waitFor('it to try again', () => refused > before + 5 || undefined);
    isOver.abort();
    await putsBack;
    client.close();
    expect(await setting.held()).toEqual([]);
  });

  it('goes on where it was killed, and through many objects in a time that their number explains', async () => {
    await setting.apply();
    await setting.namespace('many');
    await setting.holdMany('many', MANY);
    const first = setting.command(...OFF);
    // It stands still while it is looked at, so that it has not ended meanwhile.
    await waitFor(
      'it to have begun',
      async () => {
        first.process.kill('SIGSTOP');
        if ((await setting.held()).length < 3 * MANY) return true;
        first.process.kill('SIGCONT');
        return undefined;
      },
      { intervalMs: 20 },
    );
    first.process.kill('SIGKILL');
    await first.ended;
    const left = await setting.held();
    expect(left.length).toBeGreaterThan(0);

    const startedAt = Date.now();
    await setting.succeed(...OFF);

    const perSecond = left.length / ((Date.now() - startedAt) / 1_000);
    process.stderr.write(`emergency-off: ${left.length} finalizers, ${Math.round(perSecond)} a second\n`);
    expect(await setting.held()).toEqual([]);
    expect(Date.now() - startedAt).toBeLessThan(60_000 + 40 * MANY);
  });

  it('ends a deletion of the manifests that waits for the dead service', async () => {
    await setting.apply();
    await setting.holdWorkload('contested', 'StatefulSet', 'waits');
    const deletion = setting.controlPlane.kubectl(
      ['delete', '-k', MANIFESTS, '--ignore-not-found', '--timeout=240s'],
      {
        timeoutMs: 250_000,
      },
    );
    // What the controller's finalizers hold, which are those that the command has to take off.
    await waitFor('role and account of the controller to be terminating', async () => {
      const name = 'krake-hooks-controller';
      const found = [
        await setting.admin.get({
          resource: { apiVersion: 'rbac.authorization.k8s.io/v1', plural: 'clusterroles' },
          name,
        }),
        await setting.admin.get({
          resource: { apiVersion: 'v1', plural: 'serviceaccounts' },
          namespace: 'krake-system',
          name,
        }),
      ];
      return found.every((object) => object?.metadata.deletionTimestamp !== undefined) || undefined;
    });

    const output = await setting.succeed(...OFF);

    expect(output).toContain('whose deletion had begun');
    await deletion;
    expect(await setting.installed()).toEqual([]);
    expect(await setting.held()).toEqual([]);
  });

  it('works where not even the CRD is there', async () => {
    await setting.admin.patch(
      { resource: WORKLOAD_KINDS.Deployment, namespace: 'contested', name: 'web' },
      { type: 'merge', body: { metadata: { finalizers: [FINALIZER_SHUTDOWN] } } },
    );
    // The API server forgets a kind a moment after its CRD is gone.
    await waitFor('the kind to be gone', async () => {
      const applications = { apiVersion: 'hooks.krake.dev/v1alpha1', plural: 'applications' };
      const error: unknown = await setting.admin
        .list(applications, undefined)
        .catch((cause: unknown) => cause);
      return (error instanceof KubeApiError && error.status === 404) || undefined;
    });

    await setting.succeed(...OFF);

    expect(await setting.held()).toEqual([]);
  });
});
