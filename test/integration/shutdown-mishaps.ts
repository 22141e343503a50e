import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import type { CrashSetting } from './shutdown-crash-setting.ts';
import type { Mishap } from './shutdown-run.ts';

// What goes wrong in the tests of the conversation and in the soak.

const LEASE = {
  resource: { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' },
  namespace: 'krake-system',
  name: 'krake-hooks-controller',
};
const THIEF = 'somebody-else';
const SOON = { timeoutMs: 30_000 };

/** The service is killed; a fresh process goes on. */
export const killed = (when: Mishap['when']): Mishap => ({
  what: 'killed',
  when,
  strike: (of) => of.killService(),
  repair: async (of) => {
    await of.untilKilled();
    await of.ensureService();
  },
});

/** The API server is killed and comes back, with Kubernetes' own controllers. */
export function apiServerKilled(when: Mishap['when']): Mishap {
  let going: Promise<void> = Promise.resolve();
  return {
    what: 'API server killed',
    when,
    strike: (of) => {
      going = of.controlPlane.killApiserver();
    },
    repair: async ({ controlPlane }) => {
      await going;
      await controlPlane.startApiserver();
      const isReady = async () => {
        const { code } = await controlPlane.kubectl(['get', 'namespaces'], { allowFailure: true });
        return code === 0 ? true : undefined;
      };
      await waitFor('the API server', isReady, SOON);
      await controlPlane.restartControllers();
    },
  };
}

/** Somebody else holds the lease: the leader stops, and leads again when that one has not renewed. */
export function leaseTaken(): Mishap {
  let going: Promise<unknown> = Promise.resolve();
  return {
    what: 'lease taken',
    when: 'beside',
    strike: (of) => {
      const now = new Date().toISOString().replace('Z', '000Z');
      const spec = { holderIdentity: THIEF, acquireTime: now, renewTime: now, leaseDurationSeconds: 1 };
      going = of.admin.patch(LEASE, { type: 'merge', body: { spec } });
    },
    repair: async (of) => {
      await going;
      await waitFor('another leader', async () => (await holderOf(of)) !== THIEF || undefined, SOON);
    },
  };
}

async function holderOf(of: CrashSetting): Promise<string | undefined> {
  const lease = await of.admin.get<KubeObject & { spec?: { holderIdentity?: string } }>(LEASE);
  return lease?.spec?.holderIdentity;
}
