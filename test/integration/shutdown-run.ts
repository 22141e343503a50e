import { waitFor } from '../cluster/wait-for.ts';
import type { Cut } from '../history/api-proxy.ts';
import { checkHistory } from '../history/check-history.ts';
import type { CrashSetting, Deployed, Scene } from './shutdown-crash-setting.ts';
import type { Scenario } from './shutdown-scenarios.ts';

/** What goes wrong at one of the service's writes, and what is done about it. */
export interface Mishap {
  readonly what: string;
  readonly when: Cut['when'];
  /** At the write, while it waits. */
  readonly strike: (setting: CrashSetting) => void;
  /** Afterwards; resolves when the service may go on. */
  readonly repair: (setting: CrashSetting) => Promise<void>;
}

/** The service, and Kubernetes' own controllers, find an API server that was killed later and later. */
const SOON = { timeoutMs: 120_000, intervalMs: 50 };
const PATIENCE_MS = 2_000;

/**
 * Plays a scenario with a mishap at this write of the service, waits for its end and checks what happened.
 *
 * @returns the write; undefined: there was no such write, and all went well
 * @throws Error with what was violated, all that happened, and what the service wrote
 */
export async function play(
  setting: CrashSetting,
  scenario: Scenario,
  at: number,
  { what, when, strike, repair }: Mishap,
): Promise<string | undefined> {
  await setting.ensureService();
  setting.applications.behave(scenario.manners);
  const scene = await setting.scene();
  const { namespace } = scene;
  setting.proxy.arm(namespace, undefined, (event) => scene.record(event));
  const cut: Cut = { at, when, strike: () => strike(setting) };
  try {
    await scenario.prepare?.(scene);
    const deployed = await scene.deploy('web', { replicas: 2, annotations: scenario.annotations ?? {} });
    await scenario.settle?.(scene, deployed);
    setting.proxy.arm(namespace, cut, (event) => scene.record(event));
    const removing = scenario.remove(scene, deployed);
    const struck = await untilOverOrStruck(setting, scenario, scene, deployed, at);
    if (struck !== undefined) {
      scene.record({ kind: 'note', atMs: performance.now(), text: `${what} ${when} write ${at}: ${struck}` });
      await repair(setting);
      await waitFor('the end', async () => (await scenario.isOver(scene, deployed)) || undefined, SOON);
    }
    await removing;
    await scene.untilQuiet();
    const end = { now: Date.now() + PATIENCE_MS, patienceMs: PATIENCE_MS };
    const violations = checkHistory(scene.history, { end });
    if (violations.length > 0) throw new Error(JSON.stringify(violations, undefined, 2));
    return struck;
  } catch (error) {
    throw new Error(`${String(error)}\n${scene.tell()}\n${setting.output()}`, { cause: error });
  } finally {
    // A write that comes later is nobody's.
    setting.proxy.arm(namespace, undefined, () => undefined);
    setting.applications.hush();
    scene.stop();
  }
}

async function untilOverOrStruck(
  setting: CrashSetting,
  scenario: Scenario,
  scene: Scene,
  deployed: Deployed,
  at: number,
): Promise<string | undefined> {
  let struck: string | undefined;
  await waitFor(
    'the end, or the mishap',
    async () => {
      if (!setting.proxy.hasCut())
        return ((await scenario.isOver(scene, deployed)) && (await isQuiet(setting, scene))) || undefined;
      const write = setting.proxy.writes[at - 1];
      struck = `${write?.method ?? ''} ${write?.path.replaceAll(scene.namespace, 'NS') ?? ''}`;
      return true;
    },
    SOON,
  );
  return struck;
}

async function isQuiet({ proxy }: CrashSetting, scene: Scene): Promise<boolean> {
  const before = proxy.writes.length;
  await scene.untilQuiet();
  return proxy.writes.length === before && !proxy.hasCut();
}
