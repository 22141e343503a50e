import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import {
  APPLICATION,
  COMPLETE,
  HOOKS,
  NAMESPACE,
  OUR_GROUP,
  RESOURCES,
  deployment,
  injectedContainers,
  pod,
  startAdmission,
  type AdmissionSetting,
  type Pod,
} from './admission-setting.ts';

const PODS = 'pods.hooks.krake.dev';
const WORKLOADS = 'workloads.hooks.krake.dev';
const DEPLOYMENTS = 500;

jest.setTimeout(300_000);
let setting: AdmissionSetting;
beforeAll(async () => {
  setting = await startAdmission();
}, 600_000);
afterAll(() => setting.stop(), 60_000);

const create = (object: object, namespace = NAMESPACE): Promise<Pod> =>
  setting.client.create<Pod>(RESOURCES.pods, namespace, object);

/** The sum of a counter of the API server over all its series of one webhook. */
async function counter(metric: string, webhook: string): Promise<number> {
  const text = await setting.controlPlane.metricsText();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) && line.includes(`name="${webhook}"`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
const calls = async (): Promise<readonly number[]> => [
  await counter('apiserver_admission_webhook_request_total', PODS),
  await counter('apiserver_admission_webhook_request_total', WORKLOADS),
];

describe('the first pods of a Deployment', () => {
  it(`are injected, milliseconds after its creation, ${DEPLOYMENTS} times`, async () => {
    // The policy would refuse a missed pod, and the ReplicaSet would try again: here a miss must show.
    await setting.kubectl(['delete', 'validatingadmissionpolicybinding', 'krake-hooks-injected']);
    const failedOpen = async (): Promise<readonly number[]> => [
      await counter('apiserver_admission_webhook_fail_open_count', PODS),
      await counter('apiserver_admission_webhook_fail_open_count', WORKLOADS),
    ];
    const failedBefore = await failedOpen();
    const names = Array.from({ length: DEPLOYMENTS }, (_, i) => `first-${i}`);
    for (let at = 0; at < names.length; at += 25) {
      await Promise.all(
        names.slice(at, at + 25).map((name) => {
          return setting.client.create(RESOURCES.deployments, NAMESPACE, deployment(name));
        }),
      );
    }
    const pods = await waitFor(
      'all first pods',
      async () => {
        const { items } = await setting.client.list<Pod>(RESOURCES.pods, NAMESPACE);
        const first = items.filter(({ metadata }) => metadata.name?.startsWith('first-'));
        return first.length >= DEPLOYMENTS ? first : undefined;
      },
      { timeoutMs: 200_000, intervalMs: 500 },
    );
    const missed = pods.filter((each) => {
      const application = `deployment-${each.metadata.labels?.app ?? ''}`;
      return injectedContainers(each, application).join() !== 'main';
    });
    expect(missed.map(({ metadata }) => metadata.name)).toEqual([]);
    expect(new Set(pods.map(({ metadata }) => metadata.labels?.app)).size).toBe(DEPLOYMENTS);
    expect(await failedOpen()).toEqual(failedBefore);
  });
});

describe('a pod', () => {
  it('of its own is labelled and injected', async () => {
    const made = await create(pod({ name: 'alone', annotations: COMPLETE }));
    expect(made.metadata.labels?.[APPLICATION]).toBe('pod-alone');
    expect(injectedContainers(made, 'pod-alone')).toEqual(['main']);
  });

  it('with only a generateName gets an application of its own', async () => {
    const made = [];
    for (let i = 0; i < 2; i++) made.push(await create(pod({ generateName: 'run-', annotations: COMPLETE })));
    const applications = made.map(({ metadata }) => metadata.labels?.[APPLICATION] ?? '');
    for (const [i, application] of applications.entries()) {
      expect(application).toMatch(/^pod-run-[a-z0-9]{5}$/);
      expect(injectedContainers(made[i] as Pod, application)).toEqual(['main']);
    }
    expect(new Set(applications).size).toBe(2);
  });

  it('keeps fields that the API server knows and we do not', async () => {
    const spec = {
      containers: [
        {
          name: 'main',
          image: 'example.invalid/main',
          resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
          env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        },
      ],
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'zone',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: {},
          nodeTaintsPolicy: 'Honor',
        },
      ],
      schedulingGates: [{ name: 'example.com/wait' }],
      setHostnameAsFQDN: true,
    };
    const plain = await create(pod({ name: 'plain' }, spec));
    const made = await create(pod({ name: 'rich', annotations: COMPLETE }, spec));
    expect(injectedContainers(made, 'pod-rich')).toEqual(['main']);
    const { volumes, containers, securityContext, ...rest } = made.spec;
    const {
      volumes: plainVolumes,
      containers: plainContainers,
      securityContext: plainSecurity,
      ...plainRest
    } = plain.spec;
    expect(rest).toEqual(plainRest);
    expect(securityContext).toEqual({ ...plainSecurity, fsGroup: OUR_GROUP });
    expect(volumes).toHaveLength((plainVolumes?.length ?? 0) + 1);
    expect(containers[0]).toMatchObject({ resizePolicy: spec.containers[0]?.resizePolicy });
    expect(containers[0]?.env?.[0]).toEqual(plainContainers[0]?.env?.[0]);
  });

  it('passes Pod Security "restricted", native sidecar and init container chosen', async () => {
    await setting.namespace('restricted', { 'pod-security.kubernetes.io/enforce': 'restricted' });
    const securityContext = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    };
    const image = 'example.invalid/main';
    const spec = {
      initContainers: [
        { name: 'prepare', image, securityContext },
        { name: 'proxy', image, securityContext, restartPolicy: 'Always' },
      ],
      containers: [{ name: 'main', image, securityContext }],
    };
    const annotations = { ...COMPLETE, 'hooks.krake.dev/containers': 'prepare,proxy,main' };
    const made = await create(pod({ name: 'secure', annotations }, spec), 'restricted');
    const env = [...(made.spec.initContainers ?? []), ...made.spec.containers].map((c) =>
      c.env?.map((e) => e.name),
    );
    expect(env).toEqual(
      Array.from({ length: 3 }, () => ['KRAKE_TOKEN', 'KRAKE_COMPLETE_TOKEN', 'KRAKE_COMPLETE_URL']),
    );
    await expect(create(pod({ name: 'insecure', annotations: COMPLETE }), 'restricted')).rejects.toThrow(
      'restricted',
    );
  });
});

describe('another webhook that adds a container', () => {
  // The API server calls them in the order of their configurations' names; ours is krake-hooks.
  const sidecar = { name: 'sidecar', image: 'example.invalid/sidecar', env: [{ name: 'OWN', value: '1' }] };

  it('before us or after us: the same pod comes of it', async () => {
    const made: Pod[] = [];
    for (const name of ['aaa', 'zzz']) {
      const end = await setting.otherWebhook(name, sidecar);
      try {
        made.push(
          await waitFor(`the webhook ${name} to be called`, async () => {
            const dry = pod({ name: 'both', annotations: COMPLETE });
            const found = await setting.client.create<Pod>(RESOURCES.pods, NAMESPACE, dry, { dryRun: true });
            return found.spec.containers.length === 2 ? found : undefined;
          }),
        );
      } finally {
        await end();
      }
    }
    for (const each of made) expect(injectedContainers(each, 'pod-both')).toEqual(['sidecar', 'main']);
    const [before, after] = made.map(({ spec }) => spec.containers.map(({ name, env }) => ({ name, env })));
    expect(before).toEqual(after);
  });

  it('also for a pod whose name is not chosen yet', async () => {
    const end = await setting.otherWebhook('zzz', sidecar);
    try {
      const made = await waitFor('the webhook to be called', async () => {
        const dry = pod({ generateName: 'both-', annotations: COMPLETE });
        const found = await setting.client.create<Pod>(RESOURCES.pods, NAMESPACE, dry, { dryRun: true });
        return found.spec.containers.length === 2 ? found : undefined;
      });
      const application = made.metadata.labels?.[APPLICATION] ?? '';
      expect(injectedContainers(made, application)).toEqual(['sidecar', 'main']);
    } finally {
      await end();
    }
  });
});

describe('who is not asked', () => {
  it('pods and namespaces that are not ours, counted at the API server', async () => {
    await setting.manifests.namespace('foreign');
    const exclusions = 'apiserver_admission_match_condition_exclusions_total';
    const before = await calls();
    const excludedBefore = await counter(exclusions, PODS);
    const reviews = await setting.during(async () => {
      for (let i = 0; i < 5; i++) {
        await create(pod({ name: `foreign-${i}`, annotations: COMPLETE }), 'foreign');
        await create(pod({ name: `plain-${i}`, annotations: { team: 'blue' } }));
      }
      await create(pod({ name: 'system', annotations: COMPLETE }), 'kube-public').catch(() => undefined);
    });
    expect(reviews).toEqual([]);
    expect(await calls()).toEqual(before);
    expect((await counter(exclusions, PODS)) - excludedBefore).toBe(5);
    const foreign = await setting.client.get<Pod>({
      resource: RESOURCES.pods,
      namespace: 'foreign',
      name: 'foreign-0',
    });
    expect(foreign?.metadata.labels).toBeUndefined();
    expect(foreign?.spec.containers[0]?.env).toBeUndefined();
  });

  it('changes of a running pod: a thousand of its status, its labels, its finalizers', async () => {
    const made = await create(pod({ name: 'busy', annotations: COMPLETE, finalizers: ['example.com/hold'] }));
    const ref = { resource: RESOURCES.pods, namespace: NAMESPACE, name: 'busy' };
    const before = await calls();
    for (let at = 0; at < 1_000; at += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, i) => {
          const body = { status: { message: `beat ${at + i}` } };
          return setting.client.patch({ ...ref, subresource: 'status' }, { type: 'merge', body });
        }),
      );
    }
    // Annotated differently, or not at all: a running pod stays what it is.
    for (const hooks of ['shutdown', null]) {
      const body = { metadata: { annotations: { [HOOKS]: hooks } } };
      await setting.client.patch(ref, { type: 'merge', body });
    }
    await setting.client.patch(ref, { type: 'merge', body: { metadata: { finalizers: null } } });
    await setting.client.delete(ref, { uid: made.metadata.uid ?? '' });
    expect(await calls()).toEqual(before);
  });
});
