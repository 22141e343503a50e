import type { Application } from '../../src/applications/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import type { Manners } from '../history/fake-applications.ts';
import type { Deployed, Scene } from './shutdown-crash-setting.ts';

// The ways in which an application is removed, for tests in which something goes wrong meanwhile.

export interface Scenario {
  readonly manners: Manners;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Before the application is there, and when it runs. */
  readonly prepare?: (scene: Scene) => Promise<void>;
  readonly settle?: (scene: Scene, deployed: Deployed) => Promise<void>;
  /** Somebody wants it gone, and asks until it is heard. */
  readonly remove: (scene: Scene, deployed: Deployed) => Promise<void>;
  readonly isOver: (scene: Scene, deployed: Deployed) => Promise<boolean>;
}

const SOON = { timeoutMs: 60_000, intervalMs: 300 };

const isGone = async (scene: Scene, object: string): Promise<boolean> => {
  const { code, stderr } = await scene.kubectl('get', object);
  return code !== 0 && stderr.includes('NotFound');
};
function firstPod({ pods }: Deployed): { readonly name: string; readonly uid: string } {
  const { name = '', uid = '' } = pods[0]?.metadata ?? {};
  return { name, uid };
}
const isDeploymentOver = async (scene: Scene): Promise<boolean> =>
  (await isGone(scene, 'deployment/web')) && (await scene.pods()).length === 0;
/** The first pod is gone, and everything that was begun for it has come to its end; a conversation of the service form is remembered for longer. */
const isFirstPodOver = async (scene: Scene, deployed: Deployed): Promise<boolean> => {
  const { uid } = firstPod(deployed);
  if ((await scene.pods()).some((pod) => pod.metadata.uid === uid)) return false;
  const app = await scene.application(deployed.application);
  const { going = {}, conversations = [] } = app?.status?.shutdown ?? {};
  return Object.keys(going).length === 0 && conversations.every(({ doneAt }) => doneAt !== undefined);
};

/** Until somebody has taken it in: refused with a reason, or carried out. */
async function insist(what: string, attempt: () => Promise<{ code: number; stderr: string }>): Promise<void> {
  await waitFor(
    what,
    async () => {
      const { code, stderr } = await attempt();
      if (code === 0) return true;
      // A gate that could not decide in time says so to evictions with 429 as well.
      if (stderr.includes('Nothing has been remembered')) return undefined;
      return /TooManyRequests|Conflict|goodbye|NotFound/i.test(stderr) ? true : undefined;
    },
    SOON,
  );
}

const request = (scene: Scene, application: string, text: string): Promise<void> =>
  insist('the request to be heard', () =>
    scene.kubectl('annotate', '--overwrite', 'application', application, `hooks.krake.dev/request=${text}`),
  );

type Conversation = NonNullable<NonNullable<Application['status']>['shutdown']>['conversations'][number];

async function untilConversation(
  scene: Scene,
  application: string,
  is: (conversation: Conversation) => boolean,
): Promise<void> {
  await waitFor(
    'the conversation',
    async () => {
      const { conversations = [] } = (await scene.application(application))?.status?.shutdown ?? {};
      return conversations.some(is) || undefined;
    },
    SOON,
  );
}

function hasNoneOf(deployed: Deployed, pods: readonly KubeObject[]): boolean {
  const uids = new Set(pods.map(({ metadata }) => metadata.uid));
  return deployed.pods.every(({ metadata }) => !uids.has(metadata.uid));
}

/** Nothing is asked for any more, and every conversation has its end. */
function isAtRest(app: Application | undefined): boolean {
  const { going = {}, conversations = [] } = app?.status?.shutdown ?? {};
  const isRequested = app?.metadata.annotations?.['hooks.krake.dev/request'] !== undefined;
  const isDone = conversations.every(({ outcome }) => outcome !== undefined);
  return !isRequested && isDone && Object.keys(going).length === 0;
}

/** The API server may be killed at a write that came before it has heard of this. */
const deletion =
  (...what: readonly string[]) =>
  (scene: Scene): Promise<void> =>
    insist('the deletion to be heard', () => scene.kubectl('delete', '--wait=false', ...what));

function evictFirstPod(scene: Scene, deployed: Deployed): Promise<void> {
  const { name } = firstPod(deployed);
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace: scene.namespace },
  };
  const path = `/api/v1/namespaces/${scene.namespace}/pods/${name}/eviction`;
  return insist('the eviction to be heard', () => scene.create(path, eviction));
}

const SAVER = 'saver';

/**
 * The service form without a network for Services: the Service is remembered and then taken away, as it is when a namespace goes, so that the call
 * goes to one of the pods that it led to.
 */
const serviceForm: Pick<Scenario, 'manners' | 'annotations' | 'prepare' | 'settle'> = {
  manners: { goodbyeAfterMs: 50 },
  annotations: { 'hooks.krake.dev/shutdown-service': SAVER },
  async prepare(scene) {
    const spec = { selector: { app: 'web' }, ports: [{ port: 80, targetPort: scene.callPort }] };
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: SAVER }, spec };
    await scene.create(`/api/v1/namespaces/${scene.namespace}/services`, service);
  },
  async settle(scene, { application }) {
    await waitFor(
      'the Service to be remembered',
      async () => (await scene.application(application))?.status?.shutdown?.target !== undefined || undefined,
      SOON,
    );
    await scene.kubectl('delete', 'service', SAVER);
  },
};

/** Three parts, so that they can be played beside each other. */
export const removalsOfWorkloads: Readonly<Record<string, Scenario>> = {
  'background deletion of a Deployment': {
    manners: { goodbyeAfterMs: 50 },
    remove: deletion('deployment', 'web'),
    isOver: isDeploymentOver,
  },
  'foreground deletion of a Deployment': {
    manners: { goodbyeAfterMs: 50 },
    remove: deletion('deployment', 'web', '--cascade=foreground'),
    isOver: isDeploymentOver,
  },
  'a silent application, retried and timed out': {
    manners: { goodbyeAfterMs: undefined },
    annotations: { 'hooks.krake.dev/shutdown-timeout': '2s', 'hooks.krake.dev/shutdown-retries': '1' },
    remove: deletion('deployment', 'web'),
    isOver: isDeploymentOver,
  },
  'service form: deletion of a Deployment': {
    ...serviceForm,
    remove: deletion('deployment', 'web'),
    isOver: isDeploymentOver,
  },
};

/** Of pods, and of all that is in a namespace. */
export const removalsOfPods: Readonly<Record<string, Scenario>> = {
  'a silent application, given up and released by a person': {
    manners: { goodbyeAfterMs: undefined },
    annotations: {
      'hooks.krake.dev/shutdown-timeout': '2s',
      'hooks.krake.dev/shutdown-failure': 'give-up',
    },
    async remove(scene, { application }) {
      await deletion('deployment', 'web')(scene);
      await untilConversation(scene, application, ({ givenUpAt }) => givenUpAt !== undefined);
      await request(scene, application, 'release');
    },
    isOver: isDeploymentOver,
  },
  'deletion of a pod': {
    manners: { goodbyeAfterMs: 50 },
    remove: (scene, deployed) =>
      insist('the deletion to be heard', () =>
        scene.kubectl('delete', 'pod', firstPod(deployed).name, '--wait=false'),
      ),
    isOver: isFirstPodOver,
  },
  'eviction of a pod': {
    manners: { goodbyeAfterMs: 50 },
    remove: evictFirstPod,
    isOver: isFirstPodOver,
  },
  'deletion of the namespace': {
    manners: { goodbyeAfterMs: 50 },
    remove: (scene) => deletion('namespace', scene.namespace)(scene),
    isOver: (scene) => isGone(scene, `namespace/${scene.namespace}`),
  },
  'service form: eviction of a pod': {
    ...serviceForm,
    remove: evictFirstPod,
    isOver: isFirstPodOver,
  },
};

/** What a person asks for, and what the application says when it was not asked to. */
export const requestsAndSignals: Readonly<Record<string, Scenario>> = {
  'migration by a person': {
    manners: { goodbyeAfterMs: 50 },
    // Nobody becomes ready by itself, which a rolling update would wait for.
    async settle(scene) {
      const patch = JSON.stringify({ spec: { strategy: { type: 'Recreate', rollingUpdate: null } } });
      await scene.kubectl('patch', 'deployment', 'web', '-p', patch);
    },
    remove: (scene, { application }) => request(scene, application, 'migrate:zone=b'),
    // Its phase stays Migrating: nobody starts the pods that come back.
    isOver: async (scene, deployed) =>
      hasNoneOf(deployed, await scene.pods()) && isAtRest(await scene.application(deployed.application)),
  },
  'eviction of a pod, cancelled by a person': {
    manners: { goodbyeAfterMs: undefined },
    async remove(scene, deployed) {
      await evictFirstPod(scene, deployed);
      await untilConversation(scene, deployed.application, () => true);
      await request(scene, deployed.application, 'cancel');
    },
    async isOver(scene, deployed) {
      const app = await scene.application(deployed.application);
      const { conversations = [] } = app?.status?.shutdown ?? {};
      const isCancelled = conversations.some(({ outcome }) => outcome === 'cancelled');
      return isAtRest(app) && (isCancelled || (await isFirstPodOver(scene, deployed)));
    },
  },
  'an application that says during its shutdown that it is complete': {
    manners: { goodbyeAfterMs: 50, isComplete: true },
    annotations: { 'hooks.krake.dev/hooks': 'complete,shutdown' },
    remove: deletion('deployment', 'web'),
    isOver: isDeploymentOver,
  },
  'an application that says goodbye before it is asked': {
    manners: { goodbyeAfterMs: 50 },
    async remove(scene, deployed) {
      await scene.sayGoodbyes(deployed);
      await deletion('deployment', 'web')(scene);
    },
    isOver: isDeploymentOver,
  },
};

export const scenarios: Readonly<Record<string, Scenario>> = {
  ...removalsOfWorkloads,
  ...removalsOfPods,
  ...requestsAndSignals,
};
