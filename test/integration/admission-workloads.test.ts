import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import {
  APPLICATION,
  COMPLETE,
  HOOKS,
  NAMESPACE,
  RESOURCES,
  STAMPED_FROM,
  deployment,
  injectedContainers,
  startAdmission,
  type AdmissionSetting,
  type Pod,
  type PodTemplate,
  type Workload,
} from './admission-setting.ts';

jest.setTimeout(300_000);
let setting: AdmissionSetting;
beforeAll(async () => {
  setting = await startAdmission();
}, 600_000);
afterAll(() => setting.stop(), 60_000);

const read = async (name: string): Promise<Workload> => {
  const found = await setting.client.get<Workload>({
    resource: RESOURCES.deployments,
    namespace: NAMESPACE,
    name,
  });
  if (found === undefined) throw new Error(`no Deployment ${name}`);
  return found;
};
const stampOf = ({ metadata }: PodTemplate): object => ({
  application: metadata?.labels?.[APPLICATION],
  hooks: metadata?.annotations?.[HOOKS],
  from: metadata?.annotations?.[STAMPED_FROM],
});
const STAMP = (application: string): object => ({ application, hooks: 'complete', from: 'workload' });
const NO_STAMP = { application: undefined, hooks: undefined, from: undefined };
const apply = (object: object, ...flags: string[]) => setting.kubectl(['apply', ...flags, '-f', '-'], object);

/** Waits until the newest ReplicaSet's pods are the only ones. */
async function rolledOut(name: string): Promise<readonly Pod[]> {
  return waitFor(`${name} to be rolled out`, async () => {
    const { stdout } = await setting.kubectl(['get', 'pods', '-l', `app=${name}`, '-o', 'json']);
    const pods = (JSON.parse(stdout) as { items: readonly Pod[] }).items;
    // Nothing runs the pods, so an old one goes only when it is deleted.
    const { spec } = await read(name);
    const label = spec.template.metadata?.labels?.[APPLICATION];
    const current = pods.filter((p) => p.metadata.labels?.[APPLICATION] === label);
    return current.length > 0 ? current : undefined;
  });
}

describe('applied again and again', () => {
  it.each([
    ['client-side', []],
    ['server-side', ['--server-side']],
  ])('%s: one generation, one revision, an empty diff', async (how, flags) => {
    const name = how;
    for (let i = 0; i < 4; i++) await apply(deployment(name, { replicas: 0 }), ...flags);
    const live = await waitFor('the revision', async () => {
      const found = await read(name);
      // The last that the Deployment controller writes of one without replicas.
      const isSettled = found.status?.observedGeneration === found.metadata.generation;
      const { annotations } = found.metadata;
      return isSettled && annotations?.['deployment.kubernetes.io/revision'] !== undefined
        ? found
        : undefined;
    });
    expect(stampOf(live.spec.template)).toEqual(STAMP(`deployment-${name}`));
    expect(live.metadata.generation).toBe(1);
    expect(live.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('1');
    // kubectl diff ends with 1 when there is a difference, which throws.
    expect(
      (await setting.kubectl(['diff', ...flags, '-f', '-'], deployment(name, { replicas: 0 }))).stdout,
    ).toBe('');
  });

  it('a changed image is one more generation, no more', async () => {
    await apply(deployment('image'));
    const spec = { containers: [{ name: 'main', image: 'example.invalid/main:2' }] };
    await apply(deployment('image', { spec }));
    await apply(deployment('image', { spec }));
    expect((await read('image')).metadata.generation).toBe(2);
  });
});

describe('a running workload', () => {
  it('rolls out injected when it is annotated, and back when the annotation goes', async () => {
    await apply(deployment('turn', { annotations: {} }));
    expect(stampOf((await read('turn')).spec.template)).toEqual(NO_STAMP);

    await setting.kubectl(['annotate', 'deployment/turn', `${HOOKS}=complete`]);
    const stamped = await read('turn');
    expect(stampOf(stamped.spec.template)).toEqual(STAMP('deployment-turn'));
    expect(stamped.metadata.generation).toBe(2);
    const [injected] = await rolledOut('turn');
    expect(injectedContainers(injected as Pod, 'deployment-turn')).toEqual(['main']);

    await setting.kubectl(['annotate', 'deployment/turn', `${HOOKS}-`]);
    const bare = await read('turn');
    expect(stampOf(bare.spec.template)).toEqual(NO_STAMP);
    expect(bare.metadata.generation).toBe(3);
    const [plain] = await rolledOut('turn');
    expect(injectedContainers(plain as Pod, 'deployment-turn')).toEqual([]);
    // The template is the first one again, so the Deployment goes back to its first ReplicaSet.
    const { stdout } = await setting.kubectl(['get', 'replicasets', '-l', 'app=turn', '-o', 'name']);
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });

  it('is brought back by rollout undo, annotations and stamp together', async () => {
    await apply(deployment('undo', { annotations: {} }));
    await rolledOut('undo');
    await setting.kubectl(['annotate', 'deployment/undo', `${HOOKS}=complete`]);
    await rolledOut('undo');
    await waitFor('both ReplicaSets', async () => {
      const { stdout } = await setting.kubectl(['get', 'replicasets', '-l', 'app=undo', '-o', 'name']);
      return stdout.trim().split('\n').length === 2 || undefined;
    });

    await setting.kubectl(['rollout', 'undo', 'deployment/undo']);
    const before = await read('undo');
    expect(before.metadata.annotations?.[HOOKS]).toBeUndefined();
    expect(stampOf(before.spec.template)).toEqual(NO_STAMP);
    await waitFor('the revision of the undo', async () => {
      const { metadata } = await read('undo');
      return metadata.annotations?.['deployment.kubernetes.io/revision'] === '3' || undefined;
    });

    await setting.kubectl(['rollout', 'undo', 'deployment/undo']);
    const after = await read('undo');
    expect(after.metadata.annotations?.[HOOKS]).toBe('complete');
    expect(stampOf(after.spec.template)).toEqual(STAMP('deployment-undo'));
  });

  it('is scaled without anyone being asked about it', async () => {
    await apply(deployment('scale'));
    await rolledOut('scale');
    const reviews = await setting.during(async () => {
      await setting.kubectl(['scale', 'deployment/scale', '--replicas=3']);
      await waitFor('three pods', async () => (await rolledOut('scale')).length === 3 || undefined);
    });
    // Pods of the tests before may still come; of any other kind nobody may be asked about.
    const asked = reviews.filter(
      ({ kind, application }) => kind !== 'Pod' || application === 'deployment-scale',
    );
    expect(asked.map(({ kind }) => kind)).toEqual(['Pod', 'Pod']);
  });

  it('keeps what the user has in the template', async () => {
    const template = { annotations: { team: 'blue', 'example.com/odd': '~/' } };
    await apply(deployment('own', { template }));
    await setting.kubectl(['annotate', 'deployment/own', `${HOOKS}-`]);
    expect((await read('own')).spec.template.metadata?.annotations).toEqual(template.annotations);
  });
});

describe('what the user hears', () => {
  it('a dry run leaves nothing and answers as the real thing', async () => {
    const { stdout } = await setting.kubectl(
      ['apply', '--dry-run=server', '-o', 'json', '-f', '-'],
      deployment('dry'),
    );
    expect(stampOf((JSON.parse(stdout) as Workload).spec.template)).toEqual(STAMP('deployment-dry'));
    expect(setting.reviews.findLast(({ dryRun }) => dryRun)).toMatchObject({
      kind: 'Deployment',
      reason: 'stamped',
    });
    const left = await setting.kubectl(['get', 'all,secrets,configmaps,applications', '-o', 'name']);
    expect(left.stdout).not.toContain('dry');
  });

  it('a conflict: container, field, what to do, at the Deployment itself', async () => {
    const env = [{ name: 'KRAKE_TOKEN', value: 'mine' }];
    const spec = { containers: [{ name: 'shop', image: 'x', env }] };
    const refusal = await setting.manifests.create(deployment('conflict', { spec }));
    expect(refusal).toContain('admission webhook "workloads.hooks.krake.dev" denied the request');
    expect(refusal).toContain('container "shop": spec.template.spec.containers[shop].env[KRAKE_TOKEN]');
    expect(refusal).toContain('remove it');
    expect(refusal).not.toContain('mine');
  });

  it.each([
    ['a misspelt hook', { [HOOKS]: 'complete,shutdwon' }, 'did you mean "shutdown"?'],
    [
      'a misspelt annotation',
      { 'hooks.krake.dev/hook': 'complete' },
      'did you mean "hooks.krake.dev/hooks"?',
    ],
    ['a misspelt group', { 'hook.krake.dev/hooks': 'complete' }, 'did you mean "hooks.krake.dev/hooks"?'],
    ['a misspelt container', { ...COMPLETE, 'hooks.krake.dev/containers': 'mian' }, 'did you mean "main"?'],
    [
      'a misspelt action',
      { ...COMPLETE, 'hooks.krake.dev/complete-action': 'deleet' },
      'did you mean "delete"?',
    ],
  ])('%s: a warning with what was meant', async (_what, annotations, hint) => {
    const { stderr } = await apply(deployment('misspelt', { annotations }), '--dry-run=server');
    expect(stderr).toContain('Warning: ');
    expect(stderr).toContain(hint);
  });
});

describe('other kinds', () => {
  const podSpec = { containers: [{ name: 'main', image: 'example.invalid/main' }], restartPolicy: 'Never' };
  const job = (metadata: object): object => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace: NAMESPACE, ...metadata },
    spec: { template: { spec: podSpec } },
  });

  it.each([
    ['StatefulSet', { serviceName: 'x' }],
    ['DaemonSet', {}],
    ['ReplicaSet', {}],
  ])('%s is stamped', async (kind, spec) => {
    const labels = { app: kind };
    const object = {
      apiVersion: 'apps/v1',
      kind,
      metadata: { name: 'x', namespace: NAMESPACE, annotations: COMPLETE },
      spec: {
        ...spec,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: podSpec.containers } },
      },
    };
    const { stdout } = await setting.kubectl(['create', '-o', 'json', '-f', '-'], object);
    expect(stampOf((JSON.parse(stdout) as Workload).spec.template)).toEqual(STAMP(`${kind.toLowerCase()}-x`));
  });

  it('a Job is injected whole, its pods need nothing more', async () => {
    const reviews = await setting.during(async () => {
      const made = await setting.client.create<Workload>(
        RESOURCES.jobs,
        NAMESPACE,
        job({ name: 'train', annotations: COMPLETE }),
      );
      expect(stampOf(made.spec.template)).toEqual(STAMP('job-train'));
      expect(injectedContainers(made.spec.template, 'job-train')).toEqual(['main']);
      await waitFor('its pod', async () => {
        const { stdout } = await setting.kubectl(['get', 'pods', '-l', 'job-name=train', '-o', 'name']);
        return stdout === '' ? undefined : true;
      });
    });
    // Pods of the tests before may still come.
    const ofJob = reviews.filter(({ kind, application }) => kind !== 'Pod' || application === 'job-train');
    expect(ofJob.map(({ kind, reason }) => [kind, reason])).toEqual([
      ['Job', 'injected'],
      ['Pod', 'up-to-date'],
    ]);
  });

  it('a Job with only a generateName gets its own application', async () => {
    const names = [];
    for (let i = 0; i < 2; i++) {
      const made = await setting.client.create<Workload>(
        RESOURCES.jobs,
        NAMESPACE,
        job({ generateName: 'batch-', annotations: COMPLETE }),
      );
      const application = made.metadata.labels?.[APPLICATION] ?? '';
      expect(application).toMatch(/^job-batch-[a-z0-9]{5}$/);
      expect(made.spec.template.metadata?.labels?.[APPLICATION]).toBe(application);
      expect(injectedContainers(made.spec.template, application)).toEqual(['main']);
      names.push(application);
    }
    expect(new Set(names).size).toBe(2);
  });

  it('a Job of a CronJob comes annotated and is an application of its own', async () => {
    const cronJob = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: {
        name: 'nightly',
        namespace: NAMESPACE,
        annotations: { ...COMPLETE, 'hooks.krake.dev/complete-action': 'none' },
      },
      spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: { template: { spec: podSpec } } } },
    };
    await apply(cronJob);
    await apply(cronJob);
    const stored = await setting.client.get({
      resource: RESOURCES.cronJobs,
      namespace: NAMESPACE,
      name: 'nightly',
    });
    expect(stored?.metadata.generation).toBe(1);
    // As the CronJob controller does it: template copied, owner set.
    await setting.kubectl(['create', 'job', 'nightly-1', '--from=cronjob/nightly']);
    const made = await setting.client.get<Workload>({
      resource: RESOURCES.jobs,
      namespace: NAMESPACE,
      name: 'nightly-1',
    });
    expect(made?.metadata.annotations).toMatchObject({
      ...COMPLETE,
      'hooks.krake.dev/complete-action': 'none',
    });
    expect(made?.spec.template && injectedContainers(made.spec.template, 'job-nightly-1')).toEqual(['main']);
  });
});
