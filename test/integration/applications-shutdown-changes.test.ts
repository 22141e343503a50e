import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ANNOTATION_HOOKS, ANNOTATION_SHUTDOWN_SERVICE, WORKLOAD_KINDS } from '../../src/contract/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
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

const uidOf = (pod: KubeObject | undefined) => pod?.metadata.uid;

async function setReady(pod: KubeObject, status: 'True' | 'False'): Promise<void> {
  const name = pod.metadata.name ?? '';
  await setting.admin.patch(
    { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name, subresource: 'status' },
    { type: 'merge', body: { status: { conditions: [{ type: 'Ready', status }] } } },
  );
}

async function setPhase(pod: KubeObject | undefined, phase: 'Pending' | 'Running'): Promise<void> {
  const name = pod?.metadata.name ?? '';
  await setting.admin.patch(
    { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name, subresource: 'status' },
    { type: 'merge', body: { status: { phase } } },
  );
}

/** A budget that allows no disruption: of the Deployment's two pods one is not ready. */
async function useUpBudget(name: string, unready: KubeObject): Promise<void> {
  await setting.admin.create({ apiVersion: 'policy/v1', plural: 'poddisruptionbudgets' }, NAMESPACE, {
    metadata: { name },
    spec: { minAvailable: 1, selector: { matchLabels: { app: name } } },
  });
  await setReady(unready, 'False');
  await waitFor(
    'the budget to be used up',
    async () => {
      const args = ['get', 'pdb', name, '-n', NAMESPACE, '-o', 'jsonpath={.status}'];
      const { stdout } = await setting.controlPlane.kubectl(args);
      const { currentHealthy, disruptionsAllowed } = JSON.parse(stdout === '' ? '{}' : stdout) as Record<
        string,
        number
      >;
      return currentHealthy === 1 && disruptionsAllowed === 0 ? true : undefined;
    },
    SOON,
  );
}

describe('what changes while an application is asked to shut down', () => {
  it(
    'a pod that starts meanwhile is asked too, once, and its goodbye is awaited',
    async () => {
      const { pods } = await setting.begin('growing', POD_FORM, { replicas: 2 });
      const [first, late] = pods;
      await setPhase(late, 'Pending');
      await setting.remove('growing');
      const begun = await setting.applicationThat('deployment-growing', 'was asked', wasHeard);
      expect(held(begun)[0]).toMatchObject({ needed: 1, pods: [{ uid: uidOf(first) }] });

      await setPhase(late, 'Running');
      // A pod's start is no change that is watched; nobody else has anything to say, and it is found all the same.
      const app = await setting.applicationThat(
        'deployment-growing',
        'asks both',
        (a) => held(a)[0]?.needed === 2 && wasHeard(a),
      );
      expect(conversations(app)).toHaveLength(1);
      expect(conversations(app)[0]?.deadline).toBe(conversations(begun)[0]?.deadline);
      await setting.confirm('deployment-growing', uidOf(first));
      const awaiting = await setting.applicationThat('deployment-growing', 'has heard one', hasHeard(1, 2));
      expect(isAwaiting(awaiting)).toBe(true);
      expect(await setting.workload('Deployment', 'growing')).toBeDefined();
      await setting.confirm('deployment-growing', uidOf(late));
      await setting.gone('Deployment', 'growing');
      const asked = new Set(setting.heard.map(({ call }) => `${call.id} ${call.connectTo?.address ?? ''}`));
      const [conversation] = conversations(app);
      expect([...asked].sort()).toEqual(
        ['10.0.0.1', '10.0.0.2'].map((address) => `${conversation?.id ?? ''} ${address}`),
      );
    },
    LONG_MS,
  );

  it(
    'an eviction that a budget does not allow is carried out once it does, although nobody tries again',
    async () => {
      const { pods } = await setting.begin('thrifty', POD_FORM, { replicas: 2 });
      const [going, other] = pods;
      if (going === undefined || other === undefined) throw new Error('two pods were to run');
      await useUpBudget('thrifty', other);
      await setting.want('deployment-thrifty', going, 'eviction');
      await setting.applicationThat('deployment-thrifty', 'was asked', wasHeard);
      await setting.confirm('deployment-thrifty', uidOf(going));
      await setting.applicationThat('deployment-thrifty', 'has heard it', (a) =>
        conversations(a).some(({ outcome }) => outcome === 'confirmed'),
      );
      const name = going.metadata.name ?? '';
      await setting.untilTold(
        'deployment-thrifty',
        'PodRemovalRefused',
        `the eviction of pod ${name} is refused`,
      );
      const refused = await setting.applicationThat('deployment-thrifty', 'says what keeps it', (a) =>
        Boolean(a.status?.conditions?.some(({ reason }) => reason === 'RemovalRefused')),
      );
      expect(refused.status?.conditions?.find(({ type }) => type === 'Held')?.message).toContain(
        "would violate the pod's disruption budget",
      );
      expect(await setting.exists(going)).toBe(true);
      const describe = ['describe', '-n', NAMESPACE, 'application', 'deployment-thrifty'];
      const { stdout } = await setting.controlPlane.kubectl(describe);
      expect(stdout).not.toContain('PodRemoved');
      await setReady(other, 'True');
      await setting.podGone(going);
      await setting.untilTold('deployment-thrifty', `pod ${name} is evicted now`);
    },
    LONG_MS,
  );

  it(
    'what a budget keeps after its goodbye is called off by a person: it stays, and is asked anew',
    async () => {
      const { pods } = await setting.begin('aborted', POD_FORM, { replicas: 2 });
      const [going, other] = pods;
      if (going === undefined || other === undefined) throw new Error('two pods were to run');
      await useUpBudget('aborted', other);
      await setting.want('deployment-aborted', going, 'eviction');
      await setting.applicationThat('deployment-aborted', 'was asked', wasHeard);
      await setting.confirm('deployment-aborted', uidOf(going));
      await setting.untilTold('deployment-aborted', 'PodRemovalRefused');
      await setting.request('deployment-aborted', 'cancel');
      await setting.applicationThat('deployment-aborted', 'has called it off', (a) =>
        conversations(a).some(({ outcome }) => outcome === 'cancelled'),
      );
      await setReady(other, 'True');
      // Longer than until the next try.
      await sleep(7_000);
      expect(await setting.exists(going)).toBe(true);
      await setting.want('deployment-aborted', going, 'deletion');
      await setting.applicationThat('deployment-aborted', 'is asked anew', (a) => held(a).length === 1);
    },
    LONG_MS,
  );

  it(
    'what a taint deletes is deleted, although a budget would not allow an eviction',
    async () => {
      const { pods } = await setting.begin('tainted', POD_FORM, { replicas: 2 });
      const [going, other] = pods;
      if (going === undefined || other === undefined) throw new Error('two pods were to run');
      await useUpBudget('tainted', other);
      await setting.want('deployment-tainted', going, 'eviction', 'delete');
      await setting.applicationThat('deployment-tainted', 'was asked', wasHeard);
      await setting.confirm('deployment-tainted', uidOf(going));
      await setting.podGone(going);
      await setting.untilTold('deployment-tainted', `pod ${going.metadata.name ?? ''} is deleted now`);
    },
    LONG_MS,
  );

  it(
    'a release frees what waits behind the conversation, too, and nobody is asked for it',
    async () => {
      // No Service of that name is there: it is tried again and again.
      const service = { [ANNOTATION_SHUTDOWN_SERVICE]: 'nobody' };
      const { pods } = await setting.begin('urgent', service, { replicas: 2 });
      const [first, second] = pods;
      if (first === undefined || second === undefined) throw new Error('two pods were to run');
      await setting.want('deployment-urgent', first, 'eviction');
      await setting.applicationThat('deployment-urgent', 'is held', (a) => held(a)[0]?.ask !== undefined);
      await setting.want('deployment-urgent', second, 'eviction');
      await setting.request('deployment-urgent', 'release');
      await setting.podGone(first);
      await setting.podGone(second);
      const app = await setting.applicationThat(
        'deployment-urgent',
        'holds nobody',
        (a) => held(a).length === 0 && conversations(a).length > 0,
      );
      expect(conversations(app)).toMatchObject([{ outcome: 'released' }, { outcome: 'released' }]);
      expect(conversations(app)[1]?.ask).toBeUndefined();
    },
    LONG_MS,
  );

  it(
    'whoever takes the hook off a workload that is being deleted lets it go',
    async () => {
      const service = { [ANNOTATION_SHUTDOWN_SERVICE]: 'nobody' };
      setting.answerWith(() => ({ accepted: false, error: 'connection refused' }));
      await setting.begin('regretted', service);
      await setting.remove('regretted');
      await setting.applicationThat('deployment-regretted', 'is held', (a) => held(a).length > 0);
      await setting.controlPlane.kubectl([
        ...['annotate', 'deployment', 'regretted', '-n', NAMESPACE],
        `${ANNOTATION_HOOKS}-`,
      ]);
      await setting.gone('Deployment', 'regretted');
      const app = await setting.applicationThat(
        'deployment-regretted',
        'is over',
        (a) => a.status?.phase === 'Completed',
      );
      expect(app.spec.hooks).toEqual([]);
    },
    LONG_MS,
  );
});
