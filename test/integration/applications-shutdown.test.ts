import { describe, expect, it } from '@jest/globals';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import {
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_SHUTDOWN_SERVICE,
  FINALIZER_SHUTDOWN,
  WORKLOAD_KINDS,
} from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { NAMESPACE } from './applications-setting.ts';
import {
  LONG_MS,
  POD_FORM,
  SOON,
  conversations,
  hasHeard,
  held,
  isAwaiting,
  useShutdownSetting,
  wasHeard,
  type ShutdownSetting,
} from './shutdown-setting.ts';

let setting: ShutdownSetting;
useShutdownSetting((started) => (setting = started));

describe('the shutdown conversation on a real API server', () => {
  it(
    'is held before a Deployment goes, its deadline stored before the call; the goodbye lets it go at once',
    async () => {
      await setting.begin('plain', {}, { replicas: 2 });
      await setting.controlPlane.kubectl([
        'create',
        '-n',
        NAMESPACE,
        'service',
        'clusterip',
        'shutdown',
        '--tcp=80:8080',
      ]);
      await setting.remove('plain');
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
      expect(setting.heard).toHaveLength(1);
      expect(setting.heard[0]?.stored?.deadline).toBe(conversation?.deadline);
      expect(setting.heard[0]?.call.url).toBe(`http://shutdown.${NAMESPACE}.svc:80/shutdown`);
      expect(app.status?.conditions).toContainEqual(
        expect.objectContaining({ type: 'Held', status: 'True', reason: 'AwaitingGoodbye' }),
      );
      expect(await setting.workload('Deployment', 'plain')).toBeDefined();

      await setting.confirm('deployment-plain');
      await setting.gone('Deployment', 'plain');
      // Not for the time that it has to say goodbye.
      expect(Date.now()).toBeLessThan(Date.parse(conversation?.deadline ?? ''));
      await waitFor(
        'the pods to go',
        async () => ((await setting.podsOf('deployment-plain')).length === 0 ? true : undefined),
        SOON,
      );
      await setting.applicationThat(
        'deployment-plain',
        'is over',
        (a) =>
          a.status?.phase === 'Completed' && conversations(a).every(({ doneAt }) => doneAt !== undefined),
      );
      await setting.untilTold('deployment-plain', 'ShutdownRequested', 'ShutdownAsked', 'ShutdownConfirmed');
    },
    LONG_MS,
  );

  it(
    'asks each pod in the pod form, and waits for all of them',
    async () => {
      const { pods } = await setting.begin('each', POD_FORM, { replicas: 3 });
      await setting.remove('each');
      await setting.applicationThat('deployment-each', 'was asked', (a) => isAwaiting(a) && wasHeard(a));
      expect(setting.heard.map(({ call }) => call.connectTo?.address).sort()).toEqual([
        '10.0.0.1',
        '10.0.0.2',
        '10.0.0.3',
      ]);
      for (const pod of pods.slice(0, 2)) await setting.confirm('deployment-each', pod.metadata.uid);
      const app = await setting.applicationThat('deployment-each', 'has heard two', hasHeard(2, 3));
      expect(held(app)).toHaveLength(1);
      expect(await setting.workload('Deployment', 'each')).toBeDefined();
      await setting.confirm('deployment-each', pods[2]?.metadata.uid);
      await setting.gone('Deployment', 'each');
    },
    LONG_MS,
  );

  it(
    'is about one pod when one pod is to go, and carries out what was refused',
    async () => {
      const { pods } = await setting.begin('one', POD_FORM, { replicas: 2 });
      const [going, staying] = pods;
      if (going === undefined || staying === undefined) throw new Error('two pods were to run');
      await setting.want('deployment-one', going, 'eviction');
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
      expect(setting.heard).toHaveLength(1);
      await setting.confirm('deployment-one', going.metadata.uid);
      await setting.podGone(going);
      expect(await setting.exists(staying)).toBe(true);
      await setting.applicationThat(
        'deployment-one',
        'runs again',
        (a) => a.status?.phase === 'Running' && conversations(a).length === 0,
      );
      // It is counted when the API server has answered, a moment after the pod is gone.
      expect(setting.controller.actions).toContain('evict-pod');
    },
    LONG_MS,
  );

  it(
    'needs no call after a goodbye that came by itself',
    async () => {
      const { app } = await setting.begin('early');
      const complete = { receivedAt: new Date(Date.now() + 1_000).toISOString(), provenBy: 'token' };
      await setting.admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name: app.metadata.name, subresource: 'status' },
        { type: 'json', body: [{ op: 'add', path: '/status/signals/shutdown', value: complete }] },
      );
      await setting.remove('early');
      await setting.gone('Deployment', 'early');
      expect(setting.heard).toHaveLength(0);
    },
    LONG_MS,
  );

  it.each([
    ['both', {}],
    ['both-kept', { [ANNOTATION_COMPLETE_ACTION]: 'none' }],
    ['both-misspelt', { [ANNOTATION_COMPLETE_ACTION]: 'deleet' }],
  ])(
    'is ended by complete: %s %j',
    async (name, annotations) => {
      await setting.begin(name, { ...POD_FORM, ...annotations }, { hooks: 'complete,shutdown' });
      await setting.remove(name);
      await setting.applicationThat(`deployment-${name}`, 'was asked', wasHeard);
      await setting.admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name: `deployment-${name}`, subresource: 'status' },
        {
          type: 'merge',
          body: {
            status: { signals: { complete: { receivedAt: new Date().toISOString(), provenBy: 'token' } } },
          },
        },
      );
      await setting.gone('Deployment', name);
    },
    LONG_MS,
  );

  it(
    'asks nobody when the dependents are orphaned; they go on with the same token',
    async () => {
      const { app } = await setting.begin('parent', POD_FORM, { replicas: 2 });
      await setting.remove('parent', '--cascade=orphan');
      await setting.gone('Deployment', 'parent');
      expect(setting.heard).toHaveLength(0);
      expect(await setting.podsOf('deployment-parent')).toHaveLength(2);
      const after = await setting.applicationThat(
        'deployment-parent',
        'goes on',
        ({ status: { workloads = [] } = {} }) =>
          workloads.length > 0 && workloads.every(({ kind }) => kind === 'ReplicaSet'),
      );
      expect(after.status?.tokenSha256).toBe(app.status?.tokenSha256);
    },
    LONG_MS,
  );

  it(
    'is asked by a headless Service whose targetPort has a name, at the port of the pods behind it',
    async () => {
      await setting.admin.create({ apiVersion: 'v1', plural: 'services' }, NAMESPACE, {
        metadata: { name: 'archive' },
        spec: {
          clusterIP: 'None',
          selector: { app: 'archive' },
          ports: [{ port: 80, targetPort: 'save' }],
        },
      });
      await setting.begin('archived', { [ANNOTATION_SHUTDOWN_SERVICE]: 'archive' });
      await setting.remove('archived');
      await setting.applicationThat('deployment-archived', 'is told why not', (app) =>
        JSON.stringify(app.status).includes(
          'no running pod of the Service archive has a container port named save',
        ),
      );
      expect(setting.heard).toEqual([]);

      const ports = [{ name: 'save', containerPort: 9090 }];
      await setting.admin.create(WORKLOAD_KINDS.Pod, NAMESPACE, {
        metadata: { name: 'archive', labels: { app: 'archive' } },
        spec: { containers: [{ name: 'main', image: 'example.invalid/none', ports }] },
      });
      const ref = { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name: 'archive' };
      const status = { phase: 'Running', podIP: '10.0.0.9', podIPs: [{ ip: '10.0.0.9' }] };
      await setting.admin.patch({ ...ref, subresource: 'status' }, { type: 'merge', body: { status } });
      await setting.applicationThat('deployment-archived', 'was asked', wasHeard);
      expect(setting.heard.map(({ call }) => [call.url, call.connectTo])).toEqual([
        ['http://archive.shop.svc:9090/shutdown', undefined],
      ]);
      await setting.confirm('deployment-archived');
      await setting.gone('Deployment', 'archived');
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
      await setting.runningPods('deployment-web', 1, 'doomed');
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
      const [pod] = await setting.podsOf('deployment-web', 'doomed');
      expect(pod).toBeDefined();
      await setting.controlPlane.kubectl(['delete', 'namespace', 'doomed', '--wait=false']);
      await waitFor(
        'the namespace to go',
        async () => {
          const app = await setting.admin.get<Application>(ref);
          if (app !== undefined && held(app).length > 0)
            await setting.confirm('deployment-web', undefined, 'doomed').catch(() => undefined);
          const namespace = await setting.admin.get({
            resource: { apiVersion: 'v1', plural: 'namespaces' },
            name: 'doomed',
          });
          return namespace === undefined ? true : undefined;
        },
        // Its controller comes again after 8 s each time.
        { timeoutMs: 90_000, intervalMs: 100 },
      );
    },
    LONG_MS,
  );
});
