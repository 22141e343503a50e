import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  APPLICATIONS,
  isHolding,
  type Application,
  type CallEnd,
  type Conversation,
  type ShutdownCall,
} from '../../src/applications/index.ts';
import {
  ANNOTATION_REQUEST,
  ANNOTATION_SHUTDOWN_FAILURE,
  ANNOTATION_SHUTDOWN_RETRIES,
  ANNOTATION_SHUTDOWN_SERVICE,
  ANNOTATION_SHUTDOWN_TIMEOUT,
  FINALIZER_SHUTDOWN,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
} from '../../src/contract/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  startApplicationsSetting,
  type ApplicationsSetting,
  type Replica,
} from './applications-setting.ts';

// The controller's side of the conversation on a real API server: what the gate and the callbacks store is stored here by hand, and pods
// run as far as their status says so. Services are asked through a recorder.

const START_MS = 600_000;
const LONG_MS = 60_000;
const SOON = { timeoutMs: 20_000, intervalMs: 20 };
const POD_FORM = { [ANNOTATION_SHUTDOWN_SERVICE]: 'pod:8080' };

interface Heard {
  readonly call: ShutdownCall;
  /** The conversation as it was stored when the call came. */
  readonly stored: Conversation | undefined;
}

let setting: ApplicationsSetting;
let replica: Replica;
let answer: (call: ShutdownCall) => CallEnd = () => ({ accepted: true });
const heard: Heard[] = [];

beforeAll(async () => {
  setting = await startApplicationsSetting();
  replica = await setting.replica({ callShutdown: hear });
}, START_MS);
afterEach(() => {
  if (process.env.DBG)
    console.log(
      replica.lines
        .slice(-14)
        .map((l) => JSON.stringify(l))
        .join('\n'),
    );
  answer = () => ({ accepted: true });
  heard.length = 0;
});
afterAll(async () => {
  await setting.stop();
}, LONG_MS);

async function hear(call: ShutdownCall): Promise<CallEnd> {
  const { application, namespace } = JSON.parse(call.body) as { application: string; namespace: string };
  const app = await setting.admin.get<Application>({ resource: APPLICATIONS, namespace, name: application });
  heard.push({ call, stored: app?.status?.shutdown?.conversations.find(({ id }) => id === call.id) });
  return answer(call);
}

const conversations = (app: Application) => app.status?.shutdown?.conversations ?? [];
const held = (app: Application) => conversations(app).filter(isHolding);
const isAwaiting = (app: Application) => app.status?.phase === 'WaitingForCleaning' && held(app).length > 0;
const wasHeard = (app: Application) =>
  held(app).some(
    ({ ask, pods }) =>
      ask?.acceptedAt !== undefined || pods.every((pod) => pod.ask?.acceptedAt !== undefined),
  );

async function podsOf(application: string, namespace = NAMESPACE): Promise<KubeObject[]> {
  const labelSelector = `${LABEL_APPLICATION}=${application}`;
  return [...(await setting.admin.list(WORKLOAD_KINDS.Pod, namespace, { labelSelector })).items];
}

/** Waits for so many pods and lets them run, as far as the API server knows. */
async function runningPods(application: string, count: number, namespace = NAMESPACE): Promise<KubeObject[]> {
  const pods = await waitFor(
    `${count} pods of ${application}`,
    async () => {
      const found = await podsOf(application, namespace);
      return found.length === count ? found : undefined;
    },
    SOON,
  );
  await Promise.all(
    pods.map((pod, index) =>
      setting.admin.patch(
        { resource: WORKLOAD_KINDS.Pod, namespace, name: pod.metadata.name ?? '', subresource: 'status' },
        {
          type: 'merge',
          body: {
            status: {
              phase: 'Running',
              podIP: `10.0.0.${index + 1}`,
              podIPs: [{ ip: `10.0.0.${index + 1}` }],
            },
          },
        },
      ),
    ),
  );
  return pods;
}

/** A Deployment that wants to be asked, with its finalizer and running pods. */
async function start(
  name: string,
  annotations: Readonly<Record<string, string>> = {},
  options: {
    readonly replicas?: number;
    readonly hooks?: string;
    readonly kind?: 'Deployment' | 'ReplicaSet';
  } = {},
): Promise<{ app: Application; pods: KubeObject[] }> {
  const { replicas = 1, hooks = 'shutdown', kind = 'Deployment' } = options;
  const application = `${kind.toLowerCase()}-${name}`;
  await setting.createWorkload(kind, name, { hooks, replicas, annotations });
  const pods = await runningPods(application, replicas);
  await waitFor(
    `the finalizer on ${name}`,
    async () => {
      const workload = await setting.workload(kind, name);
      return workload?.metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true ? true : undefined;
    },
    SOON,
  );
  const app = await setting.applicationThat(application, 'runs', (a) => a.status?.phase === 'Running');
  return { app, pods };
}

/** Stores a goodbye as callbacks do. */
async function confirm(name: string, podUid?: string, namespace = NAMESPACE): Promise<void> {
  const resource = { resource: APPLICATIONS, namespace, name };
  const app = await setting.admin.get<Application>(resource);
  const list = app === undefined ? [] : conversations(app);
  const index = list.findIndex(
    (c) => isHolding(c) && (podUid === undefined || c.pods.some(({ uid }) => uid === podUid)),
  );
  const pod = list[index]?.pods.findIndex(({ uid }) => uid === podUid) ?? -1;
  const path = `/status/shutdown/conversations/${index}${podUid === undefined ? '' : `/pods/${pod}`}/confirmation`;
  const value = { receivedAt: new Date().toISOString(), provenBy: 'token' };
  await setting.admin.patch(
    { ...resource, subresource: 'status' },
    { type: 'json', body: [{ op: 'add', path, value }] },
  );
}

/** Stores that somebody wants to remove a pod, as the gate does. */
async function want(
  name: string,
  pod: KubeObject,
  cause: 'deletion' | 'eviction' | 'scale-down',
): Promise<void> {
  const going = {
    [pod.metadata.uid ?? '']: { name: pod.metadata.name, cause, requestedAt: new Date().toISOString() },
  };
  await setting.admin.patch(
    { resource: APPLICATIONS, namespace: NAMESPACE, name, subresource: 'status' },
    { type: 'merge', body: { status: { shutdown: { going } } } },
  );
}

async function request(name: string, text: string): Promise<void> {
  await setting.controlPlane.kubectl([
    'annotate',
    '-n',
    NAMESPACE,
    'application',
    name,
    `${ANNOTATION_REQUEST}=${text}`,
  ]);
}

const remove = (name: string, ...flags: string[]) =>
  setting.controlPlane.kubectl(['delete', '-n', NAMESPACE, 'deployment', name, '--wait=false', ...flags]);
const exists = async (pod: KubeObject) =>
  (
    await setting.admin.get({
      resource: WORKLOAD_KINDS.Pod,
      namespace: pod.metadata.namespace ?? '',
      name: pod.metadata.name ?? '',
    })
  )?.metadata.uid === pod.metadata.uid;
const goneSoon = (pod: KubeObject) =>
  waitFor(`pod ${pod.metadata.name ?? ''} to go`, async () => ((await exists(pod)) ? undefined : true), SOON);

async function describeApplication(name: string): Promise<string> {
  await replica.events.flush();
  return (await setting.controlPlane.kubectl(['describe', '-n', NAMESPACE, 'application', name])).stdout;
}

describe('the shutdown conversation on a real API server', () => {
  it(
    'is held before a Deployment goes, its deadline stored before the call; the goodbye lets it go at once',
    async () => {
      await start('plain', {}, { replicas: 2 });
      await setting.controlPlane.kubectl([
        'create',
        '-n',
        NAMESPACE,
        'service',
        'clusterip',
        'shutdown',
        '--tcp=80:8080',
      ]);
      await remove('plain');
      const app = await setting.applicationThat(
        'deployment-plain',
        'was asked',
        (a) => isAwaiting(a) && wasHeard(a),
      );
      const [conversation] = held(app);
      expect(conversation).toMatchObject({
        scope: 'application',
        reason: 'deletion',
        form: 'service',
        round: 1,
        ask: { attempts: 1 },
      });
      expect(conversation?.pods).toHaveLength(2);
      expect(heard).toHaveLength(1);
      expect(heard[0]?.stored?.deadline).toBe(conversation?.deadline);
      expect(heard[0]?.call.url).toBe(`http://shutdown.${NAMESPACE}.svc:80/shutdown`);
      expect(app.status?.conditions).toContainEqual(
        expect.objectContaining({ type: 'Held', status: 'True', reason: 'AwaitingGoodbye' }),
      );
      expect(await setting.workload('Deployment', 'plain')).toBeDefined();

      const confirmedAt = Date.now();
      await confirm('deployment-plain');
      await setting.gone('Deployment', 'plain');
      expect(Date.now() - confirmedAt).toBeLessThan(10_000);
      await waitFor(
        'the pods to go',
        async () => ((await podsOf('deployment-plain')).length === 0 ? true : undefined),
        SOON,
      );
      await setting.applicationThat(
        'deployment-plain',
        'is over',
        (a) => a.status?.phase === 'Completed' && conversations(a).length === 0,
      );
      const story = await describeApplication('deployment-plain');
      const order = ['ShutdownRequested', 'ShutdownAsked', 'ShutdownConfirmed'].map((reason) =>
        story.indexOf(reason),
      );
      expect(order.every((at) => at > 0)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'asks each pod in the pod form, and waits for all of them',
    async () => {
      const { pods } = await start('each', POD_FORM, { replicas: 3 });
      await remove('each');
      await setting.applicationThat('deployment-each', 'was asked', (a) => isAwaiting(a) && wasHeard(a));
      expect(heard.map(({ call }) => call.connectTo?.address).sort()).toEqual([
        '10.0.0.1',
        '10.0.0.2',
        '10.0.0.3',
      ]);
      for (const pod of pods.slice(0, 2)) await confirm('deployment-each', pod.metadata.uid);
      const app = await setting.application('deployment-each');
      expect(app && held(app)).toHaveLength(1);
      expect(await setting.workload('Deployment', 'each')).toBeDefined();
      await confirm('deployment-each', pods[2]?.metadata.uid);
      await setting.gone('Deployment', 'each');
    },
    LONG_MS,
  );

  it(
    'is about one pod when one pod is to go, and carries out what was refused',
    async () => {
      const { pods } = await start('one', POD_FORM, { replicas: 2 });
      const [going, staying] = pods;
      if (going === undefined || staying === undefined) throw new Error('two pods were to run');
      await want('deployment-one', going, 'eviction');
      const app = await setting.applicationThat(
        'deployment-one',
        'was asked',
        (a) => isAwaiting(a) && wasHeard(a),
      );
      expect(held(app)).toHaveLength(1);
      expect(held(app)[0]).toMatchObject({
        scope: 'pods',
        reason: 'eviction',
        pods: [{ uid: going.metadata.uid, cause: 'eviction' }],
      });
      expect(app.status?.shutdown?.going).toEqual({});
      expect(heard).toHaveLength(1);
      await confirm('deployment-one', going.metadata.uid);
      await goneSoon(going);
      expect(await exists(staying)).toBe(true);
      expect(replica.actions).toContain('evict-pod');
      await setting.applicationThat(
        'deployment-one',
        'runs again',
        (a) => a.status?.phase === 'Running' && conversations(a).length === 0,
      );
    },
    LONG_MS,
  );

  it(
    'lets it go without a goodbye at the deadline, after the rounds that were asked for',
    async () => {
      await start('late', {
        ...POD_FORM,
        [ANNOTATION_SHUTDOWN_TIMEOUT]: '1s',
        [ANNOTATION_SHUTDOWN_RETRIES]: '1',
      });
      await remove('late');
      await setting.gone('Deployment', 'late');
      expect(heard).toHaveLength(2);
      expect(heard.map(({ stored }) => stored?.round)).toEqual([1, 2]);
      const story = await describeApplication('deployment-late');
      expect(story).toContain('ShutdownRetried');
      expect(story).toContain('ShutdownTimedOut');
    },
    LONG_MS,
  );

  it(
    'gives up where asked to, and a person retries and releases',
    async () => {
      await start('stuck', {
        ...POD_FORM,
        [ANNOTATION_SHUTDOWN_TIMEOUT]: '1s',
        [ANNOTATION_SHUTDOWN_FAILURE]: 'give-up',
      });
      await remove('stuck');
      const isGivenUp = (a: Application) =>
        a.status?.phase === 'Degraded' && conversations(a)[0]?.givenUpAt !== undefined;
      await setting.applicationThat('deployment-stuck', 'is given up', isGivenUp);
      await request('deployment-stuck', 'retry');
      await setting.applicationThat(
        'deployment-stuck',
        'is asked again',
        (a) => conversations(a)[0]?.round === 2,
      );
      const app = await setting.applicationThat(
        'deployment-stuck',
        'is given up again',
        (a) => isGivenUp(a) && a.metadata.annotations?.[ANNOTATION_REQUEST] === undefined,
      );
      expect(heard).toHaveLength(2);
      expect(app.status?.conditions?.find(({ type }) => type === 'Held')?.message).toContain(
        'krake-hooks release deployment-stuck -n shop',
      );
      await request('deployment-stuck', 'release');
      await setting.gone('Deployment', 'stuck');
    },
    LONG_MS,
  );

  it(
    'tries again while the service cannot be reached',
    async () => {
      let fails = 2;
      answer = () => (fails-- > 0 ? { accepted: false, error: 'connection refused' } : { accepted: true });
      await start('deaf', POD_FORM);
      await remove('deaf');
      const app = await setting.applicationThat('deployment-deaf', 'was asked', wasHeard);
      expect(held(app)[0]?.pods[0]?.ask).toMatchObject({ attempts: 3 });
      expect(heard.map(({ stored }) => stored?.pods[0]?.ask?.attempts)).toEqual([1, 2, 3]);
      expect(new Set(heard.map(({ stored }) => stored?.deadline)).size).toBe(1);
      await request('deployment-deaf', 'release');
      await setting.gone('Deployment', 'deaf');
    },
    LONG_MS,
  );

  it(
    'cancels what can be taken back, and says what cannot',
    async () => {
      const { pods } = await start('kept', POD_FORM, { replicas: 2 });
      const [pod] = pods;
      if (pod === undefined) throw new Error('a pod was to run');
      await want('deployment-kept', pod, 'deletion');
      await setting.applicationThat('deployment-kept', 'was asked', wasHeard);
      await request('deployment-kept', 'cancel');
      await setting.applicationThat('deployment-kept', 'runs', (a) => a.status?.phase === 'Running');
      expect(await exists(pod)).toBe(true);
      await remove('kept');
      await setting.applicationThat('deployment-kept', 'was asked', (a) =>
        held(a).some(({ scope }) => scope === 'application'),
      );
      await request('deployment-kept', 'cancel');
      await setting.applicationThat(
        'deployment-kept',
        'has an answer',
        (a) => a.metadata.annotations?.[ANNOTATION_REQUEST] === undefined,
      );
      expect(await describeApplication('deployment-kept')).toContain('cannot be taken back');
      await request('deployment-kept', 'release');
      await setting.gone('Deployment', 'kept');
    },
    LONG_MS,
  );

  it(
    'needs no call after a goodbye that came by itself',
    async () => {
      const { app } = await start('early');
      const complete = { receivedAt: new Date(Date.now() + 1_000).toISOString(), provenBy: 'token' };
      await setting.admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name: app.metadata.name, subresource: 'status' },
        { type: 'json', body: [{ op: 'add', path: '/status/signals/shutdown', value: complete }] },
      );
      await remove('early');
      await setting.gone('Deployment', 'early');
      expect(heard).toHaveLength(0);
    },
    LONG_MS,
  );

  it(
    'is ended by complete',
    async () => {
      await start('both', POD_FORM, { hooks: 'complete,shutdown' });
      await remove('both');
      await setting.applicationThat('deployment-both', 'was asked', wasHeard);
      await setting.admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name: 'deployment-both', subresource: 'status' },
        {
          type: 'merge',
          body: {
            status: { signals: { complete: { receivedAt: new Date().toISOString(), provenBy: 'token' } } },
          },
        },
      );
      await setting.gone('Deployment', 'both');
    },
    LONG_MS,
  );

  it(
    'moves an application: the pods go and come back, everything else stays',
    async () => {
      const { app, pods } = await start('nomad', POD_FORM, { replicas: 2, kind: 'ReplicaSet' });
      await request('replicaset-nomad', 'migrate:disk=ssd');
      await setting.applicationThat('replicaset-nomad', 'was asked', wasHeard);
      for (const pod of pods) await confirm('replicaset-nomad', pod.metadata.uid);
      await setting.applicationThat('replicaset-nomad', 'moves', (a) => a.status?.phase === 'Migrating');
      for (const pod of pods) await goneSoon(pod);
      await runningPods('replicaset-nomad', 2);
      const moved = await setting.applicationThat(
        'replicaset-nomad',
        'runs',
        (a) => a.status?.phase === 'Running',
      );
      expect(moved.metadata.uid).toBe(app.metadata.uid);
      expect(moved.status?.tokenSha256).toBe(app.status?.tokenSha256);
      const workload = (await setting.workload('ReplicaSet', 'nomad')) as {
        spec?: { template: { spec: { nodeSelector?: object } } };
      };
      expect(workload.spec?.template.spec.nodeSelector).toEqual({ disk: 'ssd' });
      expect(await describeApplication('replicaset-nomad')).toContain('Migrated');
    },
    LONG_MS,
  );

  it(
    'asks nobody when the dependents are orphaned; they go on with the same token',
    async () => {
      const { app } = await start('parent', POD_FORM, { replicas: 2 });
      await remove('parent', '--cascade=orphan');
      await setting.gone('Deployment', 'parent');
      expect(heard).toHaveLength(0);
      expect(await podsOf('deployment-parent')).toHaveLength(2);
      const after = await setting.applicationThat(
        'deployment-parent',
        'goes on',
        (a) => a.status?.workloads?.every(({ kind }) => kind === 'ReplicaSet') === true,
      );
      expect(after.status?.tokenSha256).toBe(app.status?.tokenSha256);
    },
    LONG_MS,
  );

  it(
    'is held while the namespace is deleted, and leaves nothing in its way',
    async () => {
      await setting.controlPlane.kubectl(['create', 'namespace', 'doomed']);
      await setting.controlPlane.kubectl(['label', 'namespace', 'doomed', 'hooks.krake.dev/enabled=true']);
      const { buildWorkload } = await import('./applications-workloads.ts');
      const object = buildWorkload('Deployment', 'web', 'doomed', {
        hooks: 'shutdown',
        annotations: { [ANNOTATION_SHUTDOWN_SERVICE]: 'keeper' },
      });
      await setting.admin.create({ apiVersion: 'v1', plural: 'services' }, 'doomed', {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'keeper' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
      });
      await setting.admin.create(WORKLOAD_KINDS.Deployment, 'doomed', object);
      await runningPods('deployment-web', 1, 'doomed');
      const ref = { resource: APPLICATIONS, namespace: 'doomed', name: 'deployment-web' };
      const until = (what: string, check: (app: Application) => boolean) =>
        waitFor(
          what,
          async () => {
            const app = await setting.admin.get<Application>(ref);
            return app !== undefined && check(app) ? app : undefined;
          },
          SOON,
        );
      await until(
        'the application to be kept',
        (a) =>
          a.status?.shutdown?.target !== undefined &&
          a.metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true,
      );
      // Without a gate the pods of a namespace go at once; this one stays as if it had been refused.
      const [pod] = await podsOf('deployment-web', 'doomed');
      expect(pod).toBeDefined();
      await setting.controlPlane.kubectl(['delete', 'namespace', 'doomed', '--wait=false']);
      await waitFor(
        'the namespace to go',
        async () => {
          const app = await setting.admin.get<Application>(ref);
          if (app !== undefined && held(app).length > 0)
            await confirm('deployment-web', undefined, 'doomed').catch(() => undefined);
          const namespace = await setting.admin.get({
            resource: { apiVersion: 'v1', plural: 'namespaces' },
            name: 'doomed',
          });
          return namespace === undefined ? true : undefined;
        },
        { timeoutMs: 50_000, intervalMs: 100 },
      );
    },
    LONG_MS,
  );
});
