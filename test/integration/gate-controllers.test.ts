import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import {
  APPLICATION_LABEL,
  conversation,
  HOOKS_ANNOTATION,
  injectedSpec,
  podPath,
  shutdown,
  startGateSetting,
  type GateSetting,
} from './gate-setting.ts';

// Who removes pods in Kubernetes' own name: its garbage collector, its namespace controller, its workload controllers.

jest.setTimeout(300_000);
let setting: GateSetting;
let namespace: string;
beforeAll(async () => {
  setting = await startGateSetting();
}, 600_000);
afterAll(() => setting.stop());
beforeEach(async () => {
  namespace = await setting.namespace();
});

const released = { outcome: 'released', endedAt: '2026-01-01T00:01:00Z' };
const going = async () => Object.values((await setting.get(namespace, 'web')).status?.shutdown?.going ?? {});
const kubectl = (...args: string[]) => setting.kubectl('-n', namespace, ...args);

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  }[];
}
const pods = async () => {
  const { body } = await setting.call('GET', `/api/v1/namespaces/${namespace}/pods`);
  return (body as unknown as PodList).items.map(({ metadata }) => metadata);
};

/** A ReplicaSet of running pods; their names. */
async function replicaSet(replicas: number): Promise<string[]> {
  const metadata = {
    labels: { app: 'web', [APPLICATION_LABEL]: 'web' },
    annotations: { [HOOKS_ANNOTATION]: 'shutdown' },
  };
  const object = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata, spec: injectedSpec('web') },
    },
  };
  await setting.controlPlane.kubectl(['create', '-f', '-'], { input: JSON.stringify(object) });
  const made = await waitFor('the pods of the ReplicaSet', async () => {
    const found = await pods();
    return found.length === replicas ? found : undefined;
  });
  for (const { name } of made) await setting.setPhase(namespace, name, 'Running');
  return made.map(({ name }) => name);
}

describe('a ReplicaSet that is scaled down', () => {
  it('takes its pods away at once by default', async () => {
    await setting.application(namespace, 'web');
    await replicaSet(2);
    await kubectl('scale', 'replicaset', 'web', '--replicas=0');
    await waitFor('the pods to go', async () => ((await pods()).length === 0 ? true : undefined));
    expect(await going()).toEqual([]);
  });

  it('waits for the goodbye of those that go when scale-down is chosen', async () => {
    await setting.application(namespace, 'web', { shutdown: { causes: ['scale-down'] } });
    await replicaSet(3);
    await kubectl('scale', 'replicaset', 'web', '--replicas=2');
    const [only] = await waitFor('the scale-down to be remembered', async () => {
      const found = await going();
      return found.length > 0 ? found : undefined;
    });
    expect(only).toMatchObject({ cause: 'scale-down' });
    expect(await pods()).toHaveLength(3);
  });

  it('does not cut short a goodbye that is awaited for another reason', async () => {
    await setting.application(namespace, 'web');
    await replicaSet(1);
    const [pod] = await pods();
    const uid = pod?.uid ?? '';
    await setting.setStatus(
      namespace,
      'web',
      shutdown(conversation([uid], { reason: 'requested', deadline: '2100-01-01T00:00:00Z' })),
    );
    await kubectl('scale', 'replicaset', 'web', '--replicas=0');
    await waitFor('the scale-down to be remembered', async () =>
      (await going()).length > 0 ? true : undefined,
    );
    expect(await pods()).toHaveLength(1);
  });
});

describe('the garbage collector, when a ReplicaSet is deleted', () => {
  it.each(['foreground', 'background'])('%s: waits for the goodbye, then it really goes', async (cascade) => {
    await setting.application(namespace, 'web');
    await replicaSet(2);
    await kubectl('delete', 'replicaset', 'web', `--cascade=${cascade}`, '--wait=false');
    await waitFor('both pods to be remembered', async () =>
      (await going()).length === 2 ? true : undefined,
    );
    expect((await going()).map(({ cause }) => cause)).toEqual(['deletion', 'deletion']);
    const held = await pods();
    expect(held.map(({ deletionTimestamp }) => deletionTimestamp)).toEqual([undefined, undefined]);

    await setting.setStatus(
      namespace,
      'web',
      shutdown(
        conversation(
          held.map(({ uid }) => uid),
          released,
        ),
      ),
    );
    await waitFor('the pods to go', async () => ((await pods()).length === 0 ? true : undefined), {
      // Garbage collection comes again later and later.
      timeoutMs: 90_000,
    });
    await waitFor('the ReplicaSet to be gone', async () => {
      const { code } = await kubectl('get', 'replicaset', 'web');
      return code === 0 ? undefined : true;
    });
  });
});

describe('a namespace that is deleted', () => {
  it('waits for the goodbye of its pods, and then really goes', async () => {
    await setting.application(namespace, 'web');
    const names = await replicaSet(2);
    // As the controller holds it: what is stored must survive the pods.
    const path = `/apis/hooks.krake.dev/v1alpha1/namespaces/${namespace}/applications/web`;
    await setting.call('PATCH', path, { metadata: { finalizers: ['hooks.krake.dev/shutdown'] } });
    await setting.kubectl('delete', 'namespace', namespace, '--wait=false');
    await waitFor('both pods to be remembered', async () =>
      (await going()).length === 2 ? true : undefined,
    );
    expect((await going()).map(({ name, cause }) => ({ name, cause })).sort(byName)).toEqual(
      names.map((name) => ({ name, cause: 'deletion' })).sort(byName),
    );

    const held = await pods();
    await setting.setStatus(
      namespace,
      'web',
      shutdown(
        conversation(
          held.map(({ uid }) => uid),
          released,
        ),
      ),
    );
    // What the controller does once they have said goodbye: the namespace controller comes again later and later.
    for (const name of names) await setting.call('DELETE', podPath(namespace, name));
    await setting.call('PATCH', path, { metadata: { finalizers: null } });
    await waitFor(
      'the namespace to be gone',
      async () => ((await setting.kubectl('get', 'namespace', namespace)).code === 0 ? undefined : true),
      { timeoutMs: 120_000 },
    );
  });

  const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
});

describe('who asks', () => {
  const remove = async (name: string, as: string) => {
    await setting.controlPlane.kubectl([
      'create',
      'clusterrolebinding',
      `x-${namespace}-${name}`,
      '--clusterrole=cluster-admin',
      `--user=${as}`,
    ]);
    return waitFor('the API server to know what he may', async () => {
      const { status } = await setting.call('DELETE', podPath(namespace, name), undefined, as);
      return status === 403 ? undefined : status;
    });
  };

  it.each([
    ['system:kube-scheduler', 'eviction', 'delete'],
    ['system:serviceaccount:kube-system:taint-eviction-controller', 'eviction', 'delete'],
    ['system:serviceaccount:kube-system:job-controller', 'scale-down', undefined],
    ['system:serviceaccount:krake-system:krake-hooks-controller', 'deletion', undefined],
  ])('%s: it is remembered as %s', async (as, cause, removal) => {
    await setting.application(namespace, 'web', {
      shutdown: { causes: ['deletion', 'eviction', 'scale-down'] },
    });
    await setting.pod(namespace, 'a');
    expect(await remove('a', as)).toBe(409);
    expect((await going()).map((pod) => [pod.cause, pod.removal])).toEqual([[cause, removal]]);
  });

  it.each(['system:serviceaccount:kube-system:pod-garbage-collector', 'system:node:worker-1'])(
    '%s clears away: it never meets the gate',
    async (as) => {
      await setting.application(namespace, 'web');
      await setting.pod(namespace, 'a');
      // Controllers still try what earlier tests have left, now and then, and are refused.
      const before = await setting.asked('deletion', 'passed');
      expect(await remove('a', as)).toBe(200);
      expect(await setting.asked('deletion', 'passed')).toBe(before);
    },
  );
});
