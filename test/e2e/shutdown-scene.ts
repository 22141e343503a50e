import { afterAll } from '@jest/globals';
import type { Application } from '../../src/applications/index.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { CommandResult } from '../cluster/run-command.ts';
import { eventually } from './eventually.ts';
import { ensureInstalled, startCluster } from './installation.ts';
import { createNamespace, removeNamespace, type TestNamespace } from './namespace.ts';
import { startStore, type JournalEntry, type StateStore } from './state-store.ts';
import { statefulApp, type StatefulApp } from './stateful-app.ts';
import { watchObjects, type Seen } from './watch-objects.ts';

export interface ScenePod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly deletionGracePeriodSeconds?: number;
  };
  readonly spec: { readonly nodeSelector?: Readonly<Record<string, string>> };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** One namespace, of which everything is recorded that happens to its pods and Applications. */
export interface Scene extends TestNamespace {
  readonly cluster: Cluster;
  readonly pods: readonly Seen<ScenePod>[];
  readonly applications: readonly Seen<Application>[];
  journal(): Promise<readonly JournalEntry[]>;
  applyApp(app: StatefulApp): Promise<void>;
  /** Applies the application and waits until its pods are ready; their names. */
  start(app: StatefulApp): Promise<readonly string[]>;
  /** Names of the ready pods of an application, once there are so many that are not among `others`. */
  untilReady(app: string, count: number, others?: readonly string[]): Promise<readonly string[]>;
  /** Asks until the gate has remembered it, which a busy one may not do in time; what kubectl said then. */
  deletePod(pod: string, ...flags: readonly string[]): Promise<CommandResult>;
  untilGone(pods: readonly string[], timeoutMs?: number): Promise<void>;
  /** Names of those that are gone, once there are so many. */
  untilSomeGone(pods: readonly string[], count: number, timeoutMs?: number): Promise<readonly string[]>;
  /** The first status of an Application that fits, of all that it had. */
  untilApplication(
    name: string,
    what: string,
    fits: (application: Application) => boolean,
  ): Promise<Application>;
  /** Its latest status, once that fits. */
  untilNow(name: string, what: string, fits: (application: Application) => boolean): Promise<Application>;
  end(): Promise<void>;
}

/** The first stories of a run wait for the installation, too. */
export const STORY_TIMEOUT_MS = 600_000;

export interface Stage {
  scene(name: string): Promise<Scene>;
}

/** What the scenes of one test file share; made at the first scene, since concurrent tests begin before any `beforeAll`. */
export function createStage(): Stage {
  let ready: Promise<readonly [Cluster, StateStore]> | undefined;
  const open: Scene[] = [];
  const prepare = async (): Promise<readonly [Cluster, StateStore]> => {
    const cluster = await startCluster();
    await ensureInstalled(cluster);
    return [cluster, await startStore(cluster)];
  };
  afterAll(async () => {
    await Promise.all(open.map((scene) => scene.end()));
  }, 180_000);
  return {
    async scene(name) {
      ready ??= prepare();
      const [cluster, store] = await ready;
      const scene = await openScene(cluster, store, `hooks-e2e-${name}`);
      open.push(scene);
      return scene;
    },
  };
}

async function openScene(cluster: Cluster, store: StateStore, name: string): Promise<Scene> {
  // An earlier run may have had a namespace of this name.
  const toldBefore = (await store.journal(name)).length;
  await decide(cluster, name);
  const namespace = await createNamespace(cluster, name);
  const pods = watchObjects<ScenePod>(cluster, `/api/v1/namespaces/${name}/pods`);
  const applications = watchObjects<Application>(
    cluster,
    `/apis/hooks.krake.dev/v1alpha1/namespaces/${name}/applications`,
  );
  const scene: Scene = {
    ...namespace,
    cluster,
    pods: pods.history,
    applications: applications.history,
    async journal() {
      return (await store.journal(name)).slice(toldBefore);
    },
    applyApp: (app) => namespace.apply(...statefulApp(store.url, app)),
    async start(app) {
      await scene.applyApp(app);
      return scene.untilReady(app.name ?? 'counter', app.replicas ?? 1);
    },
    untilReady(app, count, others = []) {
      return eventually(`${count} ready pods of ${app} in ${name}`, () => {
        const names = latest(pods.history)
          .filter((pod) => pod.metadata.labels?.['app'] === app && isReady(pod))
          .map((pod) => pod.metadata.name)
          .filter((pod) => !others.includes(pod));
        return Promise.resolve(names.length >= count ? names : undefined);
      });
    },
    deletePod(pod, ...flags) {
      return eventually(`the deletion of ${pod} in ${name} to be heard`, async () => {
        const result = await namespace.kubectl(['delete', 'pod', pod, ...flags], { allowFailure: true });
        const isRemembered = /kept until the application \S+ has saved its state/.test(result.stderr);
        return isRemembered || result.code === 0 ? result : undefined;
      });
    },
    async untilGone(names, timeoutMs) {
      await scene.untilSomeGone(names, names.length, timeoutMs);
    },
    untilSomeGone(names, count, timeoutMs = 120_000) {
      const isGone = (pod: string): boolean =>
        pods.history.some(({ type, object }) => type === 'DELETED' && object.metadata.name === pod);
      const find = (): readonly string[] | undefined => {
        const gone = names.filter(isGone);
        return gone.length >= count ? gone : undefined;
      };
      const what = `the end of ${count} of ${names.join(', ')} in ${name}`;
      return eventually(what, () => Promise.resolve(find()), timeoutMs);
    },
    untilApplication(application, what, fits) {
      return eventually(`${application} in ${name}: ${what}`, () =>
        Promise.resolve(
          applications.history.find(({ object }) => object.metadata.name === application && fits(object))
            ?.object,
        ),
      );
    },
    untilNow(application, what, fits) {
      return eventually(`${application} in ${name}: ${what}`, () => {
        const last = applications.history.findLast(({ object }) => object.metadata.name === application);
        return Promise.resolve(last !== undefined && fits(last.object) ? last.object : undefined);
      });
    },
    async end() {
      pods.stop();
      applications.stop();
      await decide(cluster, name);
      await removeNamespace(cluster, name);
    },
  };
  return scene;
}

/** All deadlines that the scene's conversations ever had. */
export function deadlinesOf(scene: Scene): ReadonlySet<string> {
  const conversations = scene.applications.flatMap(
    ({ object }) => object.status?.shutdown?.conversations ?? [],
  );
  return new Set(conversations.map(({ deadline }) => deadline));
}

/** Nobody is there to decide about what was given up: it must not hold a namespace that is to go. */
async function decide(cluster: Cluster, namespace: string): Promise<void> {
  const annotate = (...args: readonly string[]): Promise<unknown> =>
    cluster.kubectl(['-n', namespace, 'annotate', '--overwrite', '--all', ...args], { allowFailure: true });
  await annotate('deployments', 'hooks.krake.dev/shutdown-failure=delete');
  await annotate('applications', 'hooks.krake.dev/request=release');
}

function latest(history: readonly Seen<ScenePod>[]): readonly ScenePod[] {
  const pods = new Map<string, ScenePod>();
  for (const { type, object } of history) {
    if (type === 'DELETED') pods.delete(object.metadata.uid);
    else pods.set(object.metadata.uid, object);
  }
  return [...pods.values()];
}

function isReady({ metadata, status }: ScenePod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true
  );
}
