import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Subject } from '../../src/cli/explain-subject.ts';
import { explain } from '../../src/cli/explain.ts';
import { stampPatch } from '../../src/cli/stamp-patch.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { settingsOf } from '../unit/admission/admission-fixtures.ts';
import {
  HOOKS,
  NAMESPACE,
  RESOURCES,
  deployment,
  pod,
  startAdmission,
  type AdmissionSetting,
  type Workload,
} from './admission-setting.ts';

jest.setTimeout(300_000);
let setting: AdmissionSetting;
beforeAll(async () => {
  setting = await startAdmission();
}, 600_000);
afterAll(() => setting.stop(), 60_000);

const FINALIZER = 'hooks.krake.dev/shutdown';
const BOTH = { [HOOKS]: 'complete,shutdown' } as const;

interface Seen extends Workload {
  readonly status?: { readonly observedGeneration?: number };
}
const get = <T extends KubeObject = Seen>(resource: keyof typeof RESOURCES, name: string) =>
  setting.client.get<T>({ resource: RESOURCES[resource], namespace: NAMESPACE, name });
const read = async (name: string, resource: keyof typeof RESOURCES = 'deployments'): Promise<Seen> => {
  const found = await get(resource, name);
  if (found === undefined) throw new Error(`no ${name} among the ${resource}`);
  return found;
};
const finalizersOf = async (name: string, resource?: keyof typeof RESOURCES) =>
  (await read(name, resource)).metadata.finalizers;
const held = (name: string, metadata: object = {}): object => {
  const made = deployment(name, { annotations: BOTH, replicas: 0 }) as { readonly metadata: object };
  return { ...made, metadata: { ...made.metadata, ...metadata } };
};
const apply = (object: object, ...flags: string[]) => setting.kubectl(['apply', ...flags, '-f', '-'], object);

/** The Deployment once its controller has nothing more to write. */
const settled = (name: string) =>
  waitFor(`${name} to be settled`, async () => {
    const found = await read(name);
    const { generation, annotations } = found.metadata;
    const isKnown = annotations?.['deployment.kubernetes.io/revision'] !== undefined;
    return isKnown && found.status?.observedGeneration === generation ? found : undefined;
  });

describe('the finalizer of a workload', () => {
  it.each([
    ['client-side', []],
    ['server-side', ['--server-side']],
  ])('applied %s again and again: nothing is written, nothing differs, it stays', async (how, flags) => {
    const name = `again-${how}`;
    await apply(held(name), ...flags);
    const first = await settled(name);
    expect(first.metadata.finalizers).toEqual([FINALIZER]);
    for (let i = 0; i < 3; i++) await apply(held(name), ...flags);
    const last = await read(name);
    expect(last.metadata.finalizers).toEqual([FINALIZER]);
    expect(last.metadata.generation).toBe(1);
    expect(last.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    // kubectl diff ends with 1 when there is a difference, which throws.
    expect((await setting.kubectl(['diff', ...flags, '-f', '-'], held(name))).stdout).toBe('');
  });

  it('stands beside those of others, whoever applies which', async () => {
    const mine = held('beside', { finalizers: ['example.com/first'] });
    await apply(mine, '--server-side', '--field-manager=first');
    expect(await finalizersOf('beside')).toEqual(['example.com/first', FINALIZER]);
    const second = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'beside', namespace: NAMESPACE, finalizers: ['example.com/second'] },
    };
    await apply(second, '--server-side', '--field-manager=second');
    expect(await finalizersOf('beside')).toEqual(['example.com/first', FINALIZER, 'example.com/second']);
    // Each manager takes away its own and nothing else.
    await apply(held('beside'), '--server-side', '--field-manager=first');
    expect(await finalizersOf('beside')).toEqual([FINALIZER, 'example.com/second']);
  });

  it('comes back with the write that drops it', async () => {
    await apply(held('dropped'));
    // kubectl replaces what it has just read, and does not repeat it when a status was written meanwhile.
    await settled('dropped');
    await setting.kubectl(['replace', '-f', '-'], held('dropped'));
    expect(await finalizersOf('dropped')).toEqual([FINALIZER]);
    await setting.kubectl([
      'patch',
      'deployment/dropped',
      '--type=merge',
      '-p',
      '{"metadata":{"finalizers":null}}',
    ]);
    expect(await finalizersOf('dropped')).toEqual([FINALIZER]);
  });

  it('goes with the hook, and leaves those of others', async () => {
    await apply(held('off', { finalizers: ['example.com/first', FINALIZER, 'example.com/last'] }));
    await setting.kubectl(['annotate', '--overwrite', 'deployment/off', `${HOOKS}=complete`]);
    expect(await finalizersOf('off')).toEqual(['example.com/first', 'example.com/last']);
    await setting.kubectl(['annotate', '--overwrite', 'deployment/off', `${HOOKS}=shutdown`]);
    expect(await finalizersOf('off')).toEqual(['example.com/first', 'example.com/last', FINALIZER]);
    await setting.kubectl(['annotate', 'deployment/off', `${HOOKS}-`]);
    expect(await finalizersOf('off')).toEqual(['example.com/first', 'example.com/last']);
  });

  it.each(['background', 'foreground', 'orphan'])(
    'holds a %s deletion, and can be taken off then',
    async (how) => {
      const name = `deleted-${how}`;
      await apply(held(name));
      await setting.kubectl(['delete', `deployment/${name}`, `--cascade=${how}`, '--wait=false']);
      const { metadata } = await read(name);
      expect(metadata.deletionTimestamp).toBeDefined();
      expect(metadata.finalizers).toContain(FINALIZER);
      await waitFor(`only our finalizer on ${name}`, async () => {
        const { finalizers = [] } = (await read(name)).metadata;
        return finalizers.length === 1 || undefined;
      });
      const patch = JSON.stringify({ metadata: { finalizers: null } });
      await setting.kubectl(['patch', `deployment/${name}`, '--type=merge', '-p', patch]);
      expect(await get('deployments', name)).toBeUndefined();
    },
  );

  it('is repaired by the patch that the controller writes, once', async () => {
    const object = deployment('repaired', { annotations: {}, replicas: 0 });
    await apply(object);
    const before = await settled('repaired');
    const annotated = { ...before, apiVersion: 'apps/v1', kind: 'Deployment' };
    annotated.metadata = { ...before.metadata, annotations: { ...before.metadata.annotations, ...BOTH } };
    const repair = stampPatch(annotated, settingsOf()) ?? [];
    expect(repair).toContainEqual({ op: 'add', path: '/metadata/finalizers', value: [FINALIZER] });
    const annotations = [{ op: 'add', path: '/metadata/annotations', value: annotated.metadata.annotations }];
    const ref = { resource: RESOURCES.deployments, namespace: NAMESPACE, name: 'repaired' };
    await setting.client.patch(ref, { type: 'json', body: [...annotations, ...repair] });
    const after = await read('repaired');
    expect(after.metadata.finalizers).toEqual([FINALIZER]);
    expect(stampPatch({ ...after, apiVersion: 'apps/v1', kind: 'Deployment' }, settingsOf())).toBeUndefined();
  });
});

describe('the finalizer of a Job', () => {
  const job = (name: string, hooks: string): object => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: NAMESPACE, annotations: { [HOOKS]: hooks } },
    spec: {
      suspend: true,
      template: {
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example.invalid/main' }] },
      },
    },
  });

  it('comes with its injection, comes back when it is dropped, goes with the hook', async () => {
    await apply(job('held', 'complete,shutdown'));
    await apply(job('held', 'complete,shutdown'));
    expect(await finalizersOf('held', 'jobs')).toEqual([FINALIZER]);
    const { spec } = await read('held', 'jobs');
    const names = spec.template.spec.containers[0]?.env?.map(({ name }) => name);
    expect(names).toEqual([
      'KRAKE_TOKEN',
      'KRAKE_COMPLETE_TOKEN',
      'KRAKE_COMPLETE_URL',
      'KRAKE_SHUTDOWN_TOKEN',
      'KRAKE_SHUTDOWN_URL',
    ]);
    await setting.kubectl([
      'patch',
      'job/held',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/metadata/finalizers"}]',
    ]);
    expect(await finalizersOf('held', 'jobs')).toEqual([FINALIZER]);
    await setting.kubectl(['annotate', '--overwrite', 'job/held', `${HOOKS}=complete`]);
    expect(await finalizersOf('held', 'jobs')).toBeUndefined();
  });

  it('does not come to one whose pods know nothing of the hook, and that is said', async () => {
    await apply(job('late', 'complete'));
    const { stderr } = await setting.kubectl([
      'annotate',
      '--overwrite',
      'job/late',
      `${HOOKS}=complete,shutdown`,
    ]);
    expect(stderr).toContain('its pods do not know of shutdown');
    expect(await finalizersOf('late', 'jobs')).toBeUndefined();
  });

  it('of a CronJob comes with the settings that were copied to it; the CronJob itself is not held', async () => {
    const annotations = { [HOOKS]: 'shutdown', 'hooks.krake.dev/shutdown-timeout': '5m' };
    const { spec } = job('x', 'shutdown') as { readonly spec: object };
    await apply({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'nightly', namespace: NAMESPACE, annotations },
      spec: { schedule: '0 3 1 1 *', jobTemplate: { spec } },
    });
    expect(await finalizersOf('nightly', 'cronJobs')).toBeUndefined();
    await setting.kubectl(['create', 'job', 'nightly-now', '--from=cronjob/nightly']);
    const { metadata } = await read('nightly-now', 'jobs');
    expect(metadata.finalizers).toEqual([FINALIZER]);
    expect(metadata.annotations).toMatchObject(annotations);
  });
});

describe('what is not held', () => {
  it('a Pod, and the ReplicaSet of a Deployment', async () => {
    await setting.client.create(RESOURCES.pods, NAMESPACE, pod({ name: 'alone', annotations: BOTH }));
    expect((await get<KubeObject>('pods', 'alone'))?.metadata.finalizers).toBeUndefined();
    await apply(deployment('parts', { annotations: BOTH }));
    const { items } = await waitFor('the ReplicaSet', async () => {
      const { stdout } = await setting.kubectl(['get', 'replicasets,pods', '-l', 'app=parts', '-o', 'json']);
      const list = JSON.parse(stdout) as { readonly items: readonly KubeObject[] };
      return list.items.length === 2 ? list : undefined;
    });
    for (const { metadata } of items) expect(metadata.finalizers).toBeUndefined();
  });
});

describe('krake-hooks explain', () => {
  it.each(['deployments', 'cronJobs'] as const)(
    'tells of %s how they are going to be asked',
    async (resource) => {
      const annotations = { [HOOKS]: 'shutdown', 'hooks.krake.dev/shutdown-timeout': '5m' };
      const asked = deployment('told', { annotations }) as { readonly spec: { readonly template: object } };
      const { template } = asked.spec;
      const jobTemplate = {
        spec: { template: { ...template, spec: { ...podSpec(template), restartPolicy: 'Never' } } },
      };
      const cronJob = {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'told', namespace: NAMESPACE, annotations },
        spec: { schedule: '0 3 1 1 *', jobTemplate },
      };
      const subject = (resource === 'deployments' ? asked : cronJob) as unknown as Subject;
      const { injected, lines } = await explain(
        { client: setting.client, ownNamespace: 'krake-system' },
        subject,
        NAMESPACE,
      );
      expect({ injected, lines }).toMatchObject({ injected: true });
      expect(lines).toContain(
        'shutdown: before deletion, eviction it is asked by PUT at the Service shutdown (first port, http, /shutdown); its goodbye is awaited for 300 s, then it goes without',
      );
      expect(await get(resource, 'told')).toBeUndefined();
    },
  );
});

function podSpec(template: object): object {
  return (template as { readonly spec: object }).spec;
}
