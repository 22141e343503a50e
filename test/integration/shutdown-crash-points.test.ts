import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import type { Cut } from '../history/api-proxy.ts';
import { checkHistory } from '../history/check-history.ts';
import type { Manners } from '../history/fake-applications.ts';
import { startCrashSetting, type CrashSetting, type Deployed, type Scene } from './shutdown-crash-setting.ts';

// The service is killed at its first write after the deletion, at its second, and so on, until a run comes to its end without a kill; each
// write twice: before the API server has it, and after, when the answer is lost. A fresh process goes on. What happened is then checked.

interface Scenario {
  readonly manners: Manners;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Somebody wants it gone, and asks until it is heard. */
  readonly remove: (scene: Scene, deployed: Deployed) => Promise<void>;
  readonly isOver: (scene: Scene, deployed: Deployed) => Promise<boolean>;
}

const SOON = { timeoutMs: 60_000, intervalMs: 50 };
const PATIENCE_MS = 2_000;
const MAX_WRITES = 80;

let setting: CrashSetting;
let isOpen = false;
beforeAll(async () => {
  setting = await startCrashSetting();
  isOpen = true;
}, 120_000);
afterAll(async () => {
  if (isOpen) await setting.stop();
}, 60_000);

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
/** The first pod is gone, and everything that was begun for it has come to its end. */
const isFirstPodOver = async (scene: Scene, deployed: Deployed): Promise<boolean> => {
  const { uid } = firstPod(deployed);
  if ((await scene.pods()).some((pod) => pod.metadata.uid === uid)) return false;
  const app = await scene.application(deployed.application);
  const { going = {}, conversations = [] } = app?.status?.shutdown ?? {};
  return Object.keys(going).length === 0 && conversations.length === 0;
};

/** Until somebody has taken it in: refused with a reason, or carried out. */
async function insist(what: string, attempt: () => Promise<{ code: number; stderr: string }>): Promise<void> {
  await waitFor(
    what,
    async () => {
      const { code, stderr } = await attempt();
      return code === 0 || /goodbye|NotFound/i.test(stderr) ? true : undefined;
    },
    { ...SOON, intervalMs: 300 },
  );
}

const deletion =
  (...what: readonly string[]) =>
  async (scene: Scene): Promise<void> => {
    await scene.kubectl('delete', '--wait=false', ...what);
  };

const scenarios: Readonly<Record<string, Scenario>> = {
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
    remove: (scene, deployed) => {
      const { name } = firstPod(deployed);
      const eviction = {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name, namespace: scene.namespace },
      };
      const path = `/api/v1/namespaces/${scene.namespace}/pods/${name}/eviction`;
      return insist('the eviction to be heard', () =>
        setting.controlPlane.kubectl(['create', '--raw', path, '-f', '-'], {
          input: JSON.stringify(eviction),
          allowFailure: true,
        }),
      );
    },
    isOver: isFirstPodOver,
  },
  'deletion of the namespace': {
    manners: { goodbyeAfterMs: 50 },
    remove: async (scene) => {
      await scene.kubectl('delete', '--wait=false', 'namespace', scene.namespace);
    },
    isOver: (scene) => isGone(scene, `namespace/${scene.namespace}`),
  },
  'a silent application, retried and timed out': {
    manners: { goodbyeAfterMs: undefined },
    annotations: { 'hooks.krake.dev/shutdown-timeout': '2s', 'hooks.krake.dev/shutdown-retries': '1' },
    remove: deletion('deployment', 'web'),
    isOver: isDeploymentOver,
  },
};

/** One run; undefined: it came to its end without a kill. */
async function play(scenario: Scenario, at: number, when: Cut['when']): Promise<string | undefined> {
  await setting.ensureService();
  setting.applications.behave(scenario.manners);
  const scene = await setting.scene();
  const deployed = await scene.deploy('web', { replicas: 2, annotations: scenario.annotations ?? {} });
  setting.proxy.arm({ at, when, kill: () => setting.killService() }, scene.record);
  const removing = scenario.remove(scene, deployed);
  const isOver = () => scenario.isOver(scene, deployed);
  let killed: string | undefined;
  await waitFor(
    `the end, or the kill ${when} write ${at}`,
    async () => {
      if (!setting.proxy.hasCut()) return (await isOver()) && (await isQuiet(scene)) ? true : undefined;
      const write = setting.proxy.writes[at - 1];
      killed = `${write?.method ?? ''} ${write?.path.replaceAll(scene.namespace, 'NS') ?? ''}`;
      return true;
    },
    SOON,
  ).catch((error: unknown) => fail(scene, String(error)));
  if (killed !== undefined) {
    await setting.untilKilled();
    scene.record({ kind: 'note', atMs: performance.now(), text: `killed ${when} write ${at}: ${killed}` });
    await setting.ensureService();
    await waitFor('the end', async () => ((await isOver()) ? true : undefined), SOON).catch(
      (error: unknown) => fail(scene, String(error)),
    );
  }
  await removing;
  await scene.untilQuiet();
  const violations = checkHistory(scene.history, {
    end: { now: Date.now() + PATIENCE_MS, patienceMs: PATIENCE_MS },
  });
  setting.applications.hush();
  scene.stop();
  if (violations.length > 0) fail(scene, JSON.stringify(violations, undefined, 2));
  return killed;
}

async function isQuiet(scene: Scene): Promise<boolean> {
  const before = setting.proxy.writes.length;
  await scene.untilQuiet();
  return setting.proxy.writes.length === before && !setting.proxy.hasCut();
}

function fail(scene: Scene, why: string): never {
  throw new Error(`${why}\n${tellHistory(scene)}\n${setting.output()}`);
}

function tellHistory({ history }: Scene): string {
  const startMs = history[0]?.atMs ?? 0;
  return history
    .map((event) => {
      const seconds = ((event.atMs - startMs) / 1_000).toFixed(3);
      if (event.kind !== 'object') return `${seconds} ${JSON.stringify(event)}`;
      const { kind = '', metadata, status } = event.object;
      const shutdown =
        kind === 'Application' ? JSON.stringify((status as { shutdown?: object } | undefined)?.shutdown) : '';
      return `${seconds} ${event.type} ${kind} ${metadata.name} @${metadata.resourceVersion} ${metadata.deletionTimestamp ?? ''} ${(metadata.finalizers ?? []).join()} ${shutdown}`;
    })
    .join('\n');
}

describe('killed at each write', () => {
  it.each(Object.entries(scenarios))(
    '%s',
    async (name, scenario) => {
      const told: string[] = [];
      for (const when of ['after', 'before'] as const) {
        for (let at = 1; at <= MAX_WRITES; at++) {
          const killed = await play(scenario, at, when);
          if (killed === undefined) break;
          told.push(`${when} ${at}: ${killed}`);
        }
      }
      process.stderr.write(`${name}: killed ${told.length} times\n  ${told.join('\n  ')}\n`);
      expect(told.length).toBeGreaterThan(5);
      expect(told.length).toBeLessThan(2 * MAX_WRITES);
    },
    1_800_000,
  );
});
