import { describe, expect, it } from '@jest/globals';
import { type Application } from '../../src/applications/index.ts';
import {
  ANNOTATION_HOOKS,
  ANNOTATION_REQUEST,
  ANNOTATION_SHUTDOWN_FAILURE,
  ANNOTATION_SHUTDOWN_RETRIES,
  ANNOTATION_SHUTDOWN_TIMEOUT,
  FINALIZER_SHUTDOWN,
} from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { NAMESPACE } from './applications-setting.ts';
import {
  LONG_MS,
  POD_FORM,
  SOON,
  conversations,
  held,
  useShutdownSetting,
  wasHeard,
  type ShutdownSetting,
} from './shutdown-setting.ts';

/** Each round is asked about in it, also while the machine stands still for a moment. */
const SHORT = '3s';

let setting: ShutdownSetting;
useShutdownSetting((started) => (setting = started));

describe('a shutdown that does not go smoothly, and what a person can do', () => {
  it(
    'lets it go without a goodbye at the deadline, after the rounds that were asked for',
    async () => {
      await setting.begin('late', {
        ...POD_FORM,
        [ANNOTATION_SHUTDOWN_TIMEOUT]: SHORT,
        [ANNOTATION_SHUTDOWN_RETRIES]: '1',
      });
      await setting.remove('late');
      await setting.gone('Deployment', 'late');
      expect(setting.heard).toHaveLength(2);
      expect(setting.heard.map(({ stored }) => stored?.round)).toEqual([1, 2]);
      await setting.untilTold('deployment-late', 'ShutdownRetried', 'ShutdownTimedOut');
    },
    LONG_MS,
  );

  it(
    'remembers a service that was too slow for longer than its pod is there, and asks for the next pod as ever',
    async () => {
      const { pods } = await setting.begin('slow', { [ANNOTATION_SHUTDOWN_TIMEOUT]: SHORT }, { replicas: 2 });
      const [first, second] = pods;
      if (first === undefined || second === undefined) throw new Error('two pods were to run');
      await setting.want('deployment-slow', first, 'eviction');
      await setting.podGone(first);
      const app = await setting.applicationThat(
        'deployment-slow',
        'remembers it',
        (a) => conversations(a)[0]?.doneAt !== undefined,
      );
      expect(conversations(app)).toMatchObject([{ outcome: 'timed-out', scope: 'pods' }]);
      expect(app.status?.conditions?.find(({ type }) => type === 'Held')?.status).toBe('False');
      await setting.want('deployment-slow', second, 'eviction');
      await setting.applicationThat('deployment-slow', 'is held again', (a) => held(a).length > 0);
      await setting.podGone(second);
    },
    LONG_MS,
  );

  it(
    'gives up where asked to, and a person retries and releases',
    async () => {
      await setting.begin('stuck', {
        ...POD_FORM,
        [ANNOTATION_SHUTDOWN_TIMEOUT]: SHORT,
        [ANNOTATION_SHUTDOWN_FAILURE]: 'give-up',
      });
      await setting.remove('stuck');
      const isGivenUp = (a: Application) =>
        a.status?.phase === 'Degraded' && conversations(a)[0]?.givenUpAt !== undefined;
      await setting.applicationThat('deployment-stuck', 'is given up', isGivenUp);
      await setting.request('deployment-stuck', 'retry');
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
      expect(setting.heard).toHaveLength(2);
      expect(app.status?.conditions?.find(({ type }) => type === 'Held')?.message).toContain(
        'krake-hooks release deployment-stuck -n shop',
      );
      await setting.request('deployment-stuck', 'release');
      await setting.gone('Deployment', 'stuck');
    },
    LONG_MS,
  );

  it(
    'tries again while the service cannot be reached',
    async () => {
      let fails = 2;
      setting.answerWith(() =>
        fails-- > 0 ? { accepted: false, error: 'connection refused' } : { accepted: true },
      );
      await setting.begin('deaf', POD_FORM);
      await setting.remove('deaf');
      const app = await setting.applicationThat('deployment-deaf', 'was asked', wasHeard);
      expect(held(app)[0]?.pods[0]?.ask).toMatchObject({ attempts: 3 });
      expect(setting.heard.map(({ stored }) => stored?.pods[0]?.ask?.attempts)).toEqual([1, 2, 3]);
      expect(new Set(setting.heard.map(({ stored }) => stored?.deadline)).size).toBe(1);
      await setting.request('deployment-deaf', 'release');
      await setting.gone('Deployment', 'deaf');
    },
    LONG_MS,
  );

  it(
    'cancels what can be taken back, and says what cannot',
    async () => {
      const { pods } = await setting.begin('kept', POD_FORM, { replicas: 2 });
      const [pod] = pods;
      if (pod === undefined) throw new Error('a pod was to run');
      await setting.want('deployment-kept', pod, 'deletion');
      await setting.applicationThat('deployment-kept', 'was asked', wasHeard);
      await setting.request('deployment-kept', 'cancel');
      await setting.applicationThat(
        'deployment-kept',
        'runs, and the request is done',
        (a) => a.status?.phase === 'Running' && a.metadata.annotations?.[ANNOTATION_REQUEST] === undefined,
      );
      expect(await setting.exists(pod)).toBe(true);
      await setting.remove('kept');
      await setting.applicationThat('deployment-kept', 'was asked', (a) =>
        held(a).some(({ scope }) => scope === 'application'),
      );
      await setting.request('deployment-kept', 'cancel');
      await setting.applicationThat(
        'deployment-kept',
        'has an answer',
        (a) => a.metadata.annotations?.[ANNOTATION_REQUEST] === undefined,
      );
      await setting.untilTold('deployment-kept', 'cannot be taken back');
      await setting.request('deployment-kept', 'release');
      await setting.gone('Deployment', 'kept');
    },
    LONG_MS,
  );

  it(
    'moves an application: the pods go and come back, everything else stays',
    async () => {
      const { app, pods } = await setting.begin('nomad', POD_FORM, { replicas: 2, kind: 'ReplicaSet' });
      await setting.request('replicaset-nomad', 'migrate:disk=ssd');
      await setting.applicationThat('replicaset-nomad', 'was asked', wasHeard);
      for (const pod of pods) await setting.confirm('replicaset-nomad', pod.metadata.uid);
      await setting.applicationThat('replicaset-nomad', 'moves', (a) => a.status?.phase === 'Migrating');
      for (const pod of pods) await setting.podGone(pod);
      await setting.runningPods('replicaset-nomad', 2);
      const moved = await setting.applicationThat(
        'replicaset-nomad',
        'runs',
        (a) => a.status?.phase === 'Running',
      );
      expect(moved.metadata.uid).toBe(app.metadata.uid);
      expect(moved.status?.tokenSha256).toBe(app.status?.tokenSha256);
      expect(moved.status?.certificates).toEqual(app.status?.certificates);
      const workload = (await setting.workload('ReplicaSet', 'nomad')) as {
        spec?: { template: { spec: { nodeSelector?: object } } };
      };
      expect(workload.spec?.template.spec.nodeSelector).toEqual({ disk: 'ssd' });
      await setting.untilTold('replicaset-nomad', 'Migrated');
    },
    LONG_MS,
  );

  it(
    'a migration to where no node is: another takes its place, what a person takes out stays out, cancel ends it',
    async () => {
      const name = 'replicaset-lost';
      const { pods } = await setting.begin('lost', POD_FORM, { kind: 'ReplicaSet' });
      const selector = async () => {
        const workload = (await setting.workload('ReplicaSet', 'lost')) as {
          spec?: { template: { spec: { nodeSelector?: object } } };
        };
        return workload.spec?.template.spec.nodeSelector;
      };
      await setting.request(name, 'migrate:disk=typo');
      await setting.applicationThat(name, 'was asked', wasHeard);
      const [first] = pods;
      await setting.confirm(name, first?.metadata.uid);
      if (first !== undefined) await setting.podGone(first);
      expect(await selector()).toEqual({ disk: 'typo' });

      // Nobody runs who could be asked: it counts at once.
      await setting.request(name, 'migrate:disk=ssd');
      await setting.applicationThat(name, 'moves elsewhere', ({ status }) =>
        (status?.shutdown?.conversations ?? []).some(
          ({ nodeSelector, movedAt }) => nodeSelector?.disk === 'ssd' && movedAt !== undefined,
        ),
      );
      expect(await selector()).toEqual({ disk: 'ssd' });
      await setting.untilTold(name, 'MigrationCancelled');

      const patch = JSON.stringify([{ op: 'remove', path: '/spec/template/spec/nodeSelector' }]);
      const args = ['patch', '-n', NAMESPACE, 'replicaset/lost', '--type=json', '-p', patch];
      await setting.controlPlane.kubectl(args);
      await setting.request(name, 'cancel');
      await setting.applicationThat(name, 'is moved no more', (a) => a.status?.phase === 'Running');
      expect(await selector()).toBeUndefined();
    },
    LONG_MS,
  );

  it(
    'leaves no finalizer when the hook is switched off, and is forgotten after its time to live',
    async () => {
      await setting.begin('fickle', POD_FORM, { hooks: 'complete,shutdown' });
      const annotate = (value: string) =>
        setting.controlPlane.kubectl([
          'annotate',
          '-n',
          NAMESPACE,
          'deployment',
          'fickle',
          '--overwrite',
          `${ANNOTATION_HOOKS}${value}`,
        ]);
      await annotate('=complete');
      const isFree = (finalizers: readonly string[] | undefined) =>
        finalizers?.includes(FINALIZER_SHUTDOWN) !== true;
      await setting.applicationThat(
        'deployment-fickle',
        'is free',
        (a) =>
          isFree(a.metadata.finalizers) && a.status?.shutdown === undefined && a.status?.phase === 'Running',
      );
      expect(isFree((await setting.workload('Deployment', 'fickle'))?.metadata.finalizers)).toBe(true);
      expect(isFree((await setting.secret('deployment-fickle'))?.metadata.finalizers)).toBe(true);
      await annotate('=shutdown');
      await waitFor(
        'the finalizer on fickle',
        async () =>
          isFree((await setting.workload('Deployment', 'fickle'))?.metadata.finalizers) ? undefined : true,
        SOON,
      );
      await setting.applicationThat('deployment-fickle', 'is kept', (a) => !isFree(a.metadata.finalizers));
      await setting.remove('fickle');
      await setting.applicationThat('deployment-fickle', 'was asked', (a) => held(a).length > 0);
      await setting.request('deployment-fickle', 'release');
      await setting.applicationThat(
        'deployment-fickle',
        'is over',
        (a) => a.status?.finishedAt !== undefined,
      );
      // Another leader, for which every time to live is over.
      await setting.stopReplicas();
      await setting.replica({ finishedTtlMs: 1 });
      await waitFor(
        'the Application to go',
        async () => ((await setting.application('deployment-fickle')) === undefined ? true : undefined),
        SOON,
      );
      expect(await setting.secret('deployment-fickle')).toBeUndefined();
    },
    LONG_MS,
  );
});
