import { afterAll, afterEach, beforeAll } from '@jest/globals';
import {
  APPLICATIONS,
  isHolding,
  type Application,
  type CallEnd,
  type Conversation,
  type GoingPod,
  type ShutdownCall,
} from '../../src/applications/index.ts';
import {
  ANNOTATION_REQUEST,
  ANNOTATION_SHUTDOWN_SERVICE,
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
export const LONG_MS = 300_000;
export const SOON = { timeoutMs: 60_000, intervalMs: 20 };
export const POD_FORM = { [ANNOTATION_SHUTDOWN_SERVICE]: 'pod:8080' };

export interface Heard {
  readonly call: ShutdownCall;
  /** The conversation as it was stored when the call came. */
  readonly stored: Conversation | undefined;
}

export interface ShutdownSetting extends ApplicationsSetting {
  readonly controller: Replica;
  /** The calls so far; a test empties it. */
  readonly heard: Heard[];
  /** How services answer from now on. */
  answerWith(answer: (call: ShutdownCall) => CallEnd): void;
  podsOf(application: string, namespace?: string): Promise<KubeObject[]>;
  /** Waits for so many pods and lets them run, as far as the API server knows. */
  runningPods(application: string, count: number, namespace?: string): Promise<KubeObject[]>;
  /** A workload that wants to be asked, with its finalizer and running pods. */
  begin(
    name: string,
    annotations?: Readonly<Record<string, string>>,
    options?: BeginOptions,
  ): Promise<{ app: Application; pods: KubeObject[] }>;
  /** Stores a goodbye as callbacks do. */
  confirm(name: string, podUid?: string, namespace?: string): Promise<void>;
  /** Stores that somebody wants to remove a pod, as the gate does. */
  want(name: string, pod: KubeObject, cause: GoingPod['cause'], removal?: 'delete'): Promise<void>;
  request(name: string, text: string): Promise<void>;
  /** Deletes a Deployment, and does not wait. */
  remove(name: string, ...flags: string[]): Promise<unknown>;
  exists(pod: KubeObject): Promise<boolean>;
  podGone(pod: KubeObject): Promise<true>;
  /** Waits until `kubectl describe` tells all of this: Events are written beside everything else. */
  untilTold(name: string, ...texts: readonly string[]): Promise<true>;
}

export interface BeginOptions {
  readonly replicas?: number;
  readonly hooks?: string;
  readonly kind?: 'Deployment' | 'ReplicaSet';
}

export const conversations = (app: Application) => app.status?.shutdown?.conversations ?? [];
export const held = (app: Application) => conversations(app).filter(isHolding);
/** The controller has taken the goodbyes in: its message says how many. */
export const hasHeard = (count: number, needed: number) => (app: Application) =>
  app.status?.conditions?.some(({ type, message }) => {
    return type === 'Held' && message.includes(`${count} of ${needed} goodbyes have come`);
  }) === true;
export const isAwaiting = (app: Application) =>
  app.status?.phase === 'WaitingForCleaning' && held(app).length > 0;
export const wasHeard = (app: Application) =>
  held(app).some(
    ({ ask, pods }) =>
      ask?.acceptedAt !== undefined || pods.every((pod) => pod.ask?.acceptedAt !== undefined),
  );

/** Registers the hooks of a test file; after each test services answer again, and nothing of the test is heard any more. */
export function useShutdownSetting(take: (setting: ShutdownSetting) => void): void {
  let setting: ShutdownSetting | undefined;
  beforeAll(async () => {
    setting = await startShutdownSetting();
    take(setting);
  }, START_MS);
  afterEach(() => {
    setting?.answerWith(() => ({ accepted: true }));
    setting?.heard.splice(0);
  });
  afterAll(async () => {
    await setting?.stop();
  }, LONG_MS);
}

async function startShutdownSetting(): Promise<ShutdownSetting> {
  const setting = await startApplicationsSetting();
  let answer: (call: ShutdownCall) => CallEnd = () => ({ accepted: true });
  const heard: Heard[] = [];
  const replica = await setting.replica({ callShutdown: hear });

  async function hear(call: ShutdownCall): Promise<CallEnd> {
    const { application, namespace } = JSON.parse(call.body) as { application: string; namespace: string };
    const app = await setting.admin.get<Application>({
      resource: APPLICATIONS,
      namespace,
      name: application,
    });
    heard.push({ call, stored: app?.status?.shutdown?.conversations.find(({ id }) => id === call.id) });
    return answer(call);
  }

  async function podsOf(application: string, namespace = NAMESPACE): Promise<KubeObject[]> {
    const labelSelector = `${LABEL_APPLICATION}=${application}`;
    return [...(await setting.admin.list(WORKLOAD_KINDS.Pod, namespace, { labelSelector })).items];
  }

  async function runningPods(
    application: string,
    count: number,
    namespace = NAMESPACE,
  ): Promise<KubeObject[]> {
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
                // A Deployment removes what is not ready first.
                conditions: [{ type: 'Ready', status: 'True' }],
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

  async function begin(
    name: string,
    annotations: Readonly<Record<string, string>> = {},
    options: BeginOptions = {},
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

  async function want(
    name: string,
    pod: KubeObject,
    cause: GoingPod['cause'],
    removal?: 'delete',
  ): Promise<void> {
    const requestedAt = new Date().toISOString();
    const going = { [pod.metadata.uid ?? '']: { name: pod.metadata.name, cause, removal, requestedAt } };
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
  const podGone = (pod: KubeObject) =>
    waitFor(
      `pod ${pod.metadata.name ?? ''} to go`,
      async () => ((await exists(pod)) ? undefined : true),
      SOON,
    );

  const untilTold = (name: string, ...texts: readonly string[]) =>
    waitFor(
      `kubectl describe to tell of ${texts.join(', ')}`,
      async (): Promise<true | undefined> => {
        const args = ['describe', '-n', NAMESPACE, 'application', name];
        const { stdout } = await setting.controlPlane.kubectl(args);
        const missing = texts.filter((text) => !stdout.includes(text));
        if (missing.length > 0) throw new Error(`nothing of ${missing.join(', ')} in:\n${stdout}`);
        return true;
      },
      SOON,
    );

  return {
    ...setting,
    controller: replica,
    heard,
    answerWith: (next) => void (answer = next),
    podsOf,
    runningPods,
    begin,
    confirm,
    want,
    request,
    remove,
    exists,
    podGone: async (pod) => podGone(pod),
    untilTold,
  };
}
