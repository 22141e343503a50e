import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import type { Manners } from '../history/fake-applications.ts';
import { startCrashSetting, type CrashSetting } from './shutdown-crash-setting.ts';
import { play, type Mishap } from './shutdown-run.ts';
import { scenarios, type Scenario } from './shutdown-scenarios.ts';

// In each phase of a conversation, which is to say at each write of the service: the API server is killed and comes back, or another process
// has taken the lease.

const MAX_WRITES = 80;
const LEASE = {
  resource: { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' },
  namespace: 'krake-system',
  name: 'krake-hooks-controller',
};
const THIEF = 'somebody-else';
/** So slow that the old leader does not see the end: it learns within half a second that it leads no more. */
const SLOW: Manners = { answerAfterMs: 800, goodbyeAfterMs: 1_600 };

/**
 * Killed this often within seconds, an API server may come back with watches that bring nothing for a minute, for Kubernetes' own
 * controllers too: then the pods of an application that was let go are still there at the end. So this is for a person who looks.
 */
const killsApiServer = process.env['KILL_API_SERVER'] === '1' ? it : it.skip;
if (process.env['KILL_API_SERVER'] !== '1')
  console.warn('SKIPPED: kills of the API server in each phase; run them with KILL_API_SERVER=1');

let setting: CrashSetting;
let isOpen = false;
beforeAll(async () => {
  // The API server knows nothing of what was before it was started.
  setting = await startCrashSetting({ recording: { afterRestart: 'list' } });
  isOpen = true;
}, 120_000);
afterAll(async () => {
  if (isOpen) await setting.stop();
}, 60_000);

async function isReady(of: CrashSetting): Promise<true | undefined> {
  const { code } = await of.controlPlane.kubectl(['get', 'namespaces'], { allowFailure: true });
  return code === 0 ? true : undefined;
}

let going: Promise<void> = Promise.resolve();
const restarted = (when: 'before' | 'after'): Mishap => ({
  what: 'API server restarted',
  when,
  strike: (of) => {
    going = of.controlPlane.killApiserver();
  },
  repair: async (of) => {
    await going;
    await of.controlPlane.startApiserver();
    await waitFor('the API server', () => isReady(of), { timeoutMs: 30_000 });
  },
});

/** Somebody else holds it: the leader stops, and leads again when that one has not renewed. */
const deposed: Mishap = {
  what: 'lease taken',
  when: 'beside',
  strike: (of) => {
    const now = new Date().toISOString().replace('Z', '000Z');
    const spec = {
      holderIdentity: THIEF,
      acquireTime: now,
      renewTime: now,
      leaseDurationSeconds: 1,
    };
    going = of.admin.patch(LEASE, { type: 'merge', body: { spec } }).then(() => undefined);
  },
  repair: async (of) => {
    await going;
    await waitFor('another leader', async () => (await holderOf(of)) !== THIEF || undefined, {
      timeoutMs: 30_000,
    });
  },
};

async function holderOf(of: CrashSetting): Promise<string | undefined> {
  const lease = await of.admin.get<KubeObject & { spec?: { holderIdentity?: string } }>(LEASE);
  return lease?.spec?.holderIdentity;
}

/** At each write until there is none left; how often. */
async function atEachWrite(scenario: Scenario, mishap: Mishap): Promise<number> {
  for (let at = 1; at <= MAX_WRITES; at++) {
    const struck = await play(setting, scenario, at, mishap);
    if (struck === undefined) return at - 1;
    process.stderr.write(`${mishap.what} ${mishap.when} ${at}: ${struck}\n`);
  }
  return MAX_WRITES;
}

describe.each([
  ['the whole application', 'background deletion of a Deployment', 'after'],
  ['a pod', 'eviction of a pod', 'before'],
] as const)('%s', (_what, name, when) => {
  const scenario = (): Scenario => {
    const found = scenarios[name];
    if (found === undefined) throw new Error(`no scenario ${name}`);
    return found;
  };

  killsApiServer(
    `the API server is killed ${when} each write`,
    async () => {
      expect(await atEachWrite(scenario(), restarted(when))).toBeGreaterThan(3);
    },
    1_200_000,
  );

  it('another leads, from each write on', async () => {
    expect(await atEachWrite({ ...scenario(), manners: SLOW }, deposed)).toBeGreaterThan(3);
  }, 1_200_000);
});
