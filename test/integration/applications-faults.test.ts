import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Application } from '../../src/applications/index.ts';
import { createLeaderElector, type LeaderElector } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  createRecordingLogger,
  startApplicationsSetting,
  type ApplicationsSetting,
} from './applications-setting.ts';
import { createRecordingClient, type RecordingClient } from './recording-client.ts';

const LONG_MS = 300_000;
let setting: ApplicationsSetting;

beforeAll(async () => {
  setting = await startApplicationsSetting();
}, 600_000);
// Whatever a test that failed has left running must not work in the next one.
afterEach(() => setting.stopReplicas());
afterAll(() => setting.stop(), LONG_MS);

const isRunning = (app: Application | undefined) => app?.status?.phase === 'Running';
const isCompleted = (app: Application | undefined) => app?.status?.phase === 'Completed';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function tokenInSecret(application: string): Promise<string | undefined> {
  const secret = await setting.secret(application);
  return secret?.data?.token === undefined ? undefined : Buffer.from(secret.data.token, 'base64').toString();
}

/** What a Deployment and its Application go through, as far as the controller gets; true: to the end. */
async function live(name: string, controller: RecordingClient): Promise<boolean> {
  const application = `deployment-${name}`;
  const reached = (what: string, check: (app: Application | undefined) => boolean) =>
    waitFor(
      what,
      async () =>
        controller.dead() ? 'dead' : check(await setting.application(application)) ? 'yes' : undefined,
      { timeoutMs: 60_000, intervalMs: 10 },
    );
  if ((await reached('it to run', isRunning)) === 'dead') return false;
  await setting.signal(application);
  if ((await reached('it to be completed', isCompleted)) === 'dead') return false;
  const isRetired = (app: Application | undefined) =>
    app?.status?.conditions?.some(({ reason }) => reason === 'Retired') === true;
  const over = await reached('its Secret to be removed', isRetired);
  return over === 'yes';
}

describe('a controller that dies', () => {
  it(
    'after any of its writes leaves nothing that the next one does not bring in order, and nothing is done twice',
    async () => {
      let writesOfALife = 0;
      for (let diesAfter = 1; ; diesAfter++) {
        const name = `crash-${diesAfter}`;
        const application = `deployment-${name}`;
        const mortal = createRecordingClient(setting.controllerClient(), diesAfter);
        const first = await setting.replica({ client: mortal.client });
        const uid = await setting.createWorkload('Deployment', name, { replicas: 0 });
        const hasFinished = await live(name, mortal);
        await first.stop();
        // Killed with its last write, it may have been seen to be done before it was seen to be dead.
        writesOfALife = mortal.writes.length;
        if (hasFinished) break;

        const heir = createRecordingClient(setting.controllerClient());
        const second = await setting.replica({ client: heir.client });
        if ((await setting.application(application))?.status?.signals?.complete === undefined) {
          const app = await setting.applicationThat(application, 'runs', (found) => isRunning(found));
          expect(sha256((await tokenInSecret(application)) ?? '')).toBe(app.status?.tokenSha256);
          expect(app.status?.workloads?.map((bound) => bound.uid)).toEqual([uid]);
          await setting.signal(application);
        }
        await setting.gone('Deployment', name);
        await setting.applicationThat(application, 'is completed', (found) => isCompleted(found));
        await waitFor('the Secret to be gone', async () =>
          (await setting.secret(application)) === undefined ? true : undefined,
        );
        await second.stop();
        const deletions = [...mortal.writes, ...heir.writes].filter(
          ({ verb, resource, accepted }) => verb === 'delete' && resource === 'deployments' && accepted,
        );
        expect(deletions).toHaveLength(1);
      }
      // Application, hash, Secret, status; then phase, deletion, end, Secret gone, status.
      expect(writesOfALife).toBeGreaterThanOrEqual(8);
    },
    LONG_MS,
  );
});

describe('an API server that dies', () => {
  it(
    'while workloads are created, and again while they are completed, makes nothing forgotten',
    async () => {
      const recording = createRecordingClient(setting.controllerClient());
      const replica = await setting.replica({ client: recording.client });
      const names = Array.from({ length: 30 }, (_, i) => `outage-${i}`);
      const insist = (what: string, run: () => Promise<unknown>) =>
        waitFor(
          what,
          async () => {
            await run();
            return true;
          },
          // As long as an API server may take to come back.
          { timeoutMs: 90_000 },
        );

      const creations = names.map(async (name, i) => {
        await sleep(i * 20);
        await insist(`${name} to be created`, async () => {
          if ((await setting.workload('Deployment', name)) === undefined) {
            await setting.createWorkload('Deployment', name, { replicas: 0 });
          }
        });
      });
      await sleep(300);
      await setting.controlPlane.killApiserver();
      await sleep(500);
      await setting.controlPlane.startApiserver();
      await Promise.all(creations);
      for (const name of names) {
        await setting.applicationThat(`deployment-${name}`, 'runs', (app) => isRunning(app));
      }

      const signals = names.map(async (name, i) => {
        await sleep(i * 20);
        await insist(`${name} to signal`, async () => {
          const app = await setting.application(`deployment-${name}`);
          if (app?.status?.signals?.complete === undefined) await setting.signal(`deployment-${name}`);
        });
      });
      await sleep(300);
      await setting.controlPlane.killApiserver();
      await sleep(500);
      await setting.controlPlane.startApiserver();
      await Promise.all(signals);
      for (const name of names) {
        await setting.gone('Deployment', name);
        await setting.applicationThat(`deployment-${name}`, 'is completed', (app) => isCompleted(app));
      }
      await replica.stop();
      const deletions = recording.writes.filter(
        ({ verb, resource, accepted }) => verb === 'delete' && resource === 'deployments' && accepted,
      );
      expect(new Set(deletions.map(({ name }) => name)).size).toBe(deletions.length);
    },
    LONG_MS,
  );
});

describe('a leader that dies', () => {
  const candidates: Candidate[] = [];
  const endCandidates = async () => {
    for (const { ended, elector } of candidates) {
      ended.abort();
      await elector.stop();
    }
    await setting.stopReplicas();
  };
  afterEach(endCandidates);

  it(
    'in the middle of its work is followed by another, which forgets nothing and does nothing twice',
    async () => {
      const names = Array.from({ length: 40 }, (_, i) => `lead-${i}`);
      const uids = await Promise.all(
        names.map((name) => setting.createWorkload('Deployment', name, { replicas: 0 })),
      );
      candidates.push(startCandidate('a'), startCandidate('b'));
      for (const name of names) {
        await setting.applicationThat(`deployment-${name}`, 'runs', (app) => isRunning(app));
      }
      const leader = candidates.find(({ elector }) => elector.isLeader());
      const standby = candidates.find((candidate) => candidate !== leader);
      expect(leader).toBeDefined();
      expect(standby?.recording.writes).toHaveLength(0);

      const signalled = Promise.all(names.map((name) => setting.signal(`deployment-${name}`)));
      await waitFor(
        'the leader to have deleted some',
        () => (deletionsOf(candidates).length >= 5 ? true : undefined),
        { intervalMs: 1 },
      );
      leader?.recording.kill();
      await signalled;
      expect(deletionsOf(candidates).length).toBeLessThan(names.length);
      for (const name of names) {
        await setting.gone('Deployment', name);
        await setting.applicationThat(`deployment-${name}`, 'is completed', (app) => isCompleted(app));
      }
      expect(standby?.elector.isLeader()).toBe(true);
      await endCandidates();

      const deleted = deletionsOf(candidates);
      expect(new Set(deleted).size).toBe(deleted.length);
      expect(deleted.length).toBe(names.length);
      const { stdout } = await setting.controlPlane.kubectl([
        'get',
        'events',
        '-n',
        NAMESPACE,
        '-o',
        'jsonpath={range .items[?(@.reason=="DeletedByCompleteHook")]}{.involvedObject.uid}{"\\n"}{end}',
      ]);
      const told = stdout.split('\n').filter((uid) => uids.includes(uid));
      expect(new Set(told).size).toBe(told.length);
    },
    LONG_MS,
  );
});

interface Candidate {
  readonly recording: RecordingClient;
  readonly elector: LeaderElector;
  readonly ended: AbortController;
}

function deletionsOf(candidates: readonly Candidate[]): string[] {
  return candidates.flatMap(({ recording }) =>
    recording.writes
      .filter(({ verb, resource, accepted }) => verb === 'delete' && resource === 'deployments' && accepted)
      .map(({ name }) => name),
  );
}

function startCandidate(identity: string): Candidate {
  const recording = createRecordingClient(setting.controllerClient());
  // The Lease is renewed by requests of the same process: they end with it.
  const lease = createRecordingClient(setting.controllerClient());
  const ended = new AbortController();
  const elector = createLeaderElector({
    client: lease.client,
    namespace: 'krake-system',
    leaseName: 'krake-hooks-controller',
    identity,
    // Both campaign in this process, and it has a lot to do besides: a pause is no loss of the lease.
    leaseDurationMs: 10_000,
    renewDeadlineMs: 8_000,
    retryPeriodMs: 200,
    logger: createRecordingLogger([]),
    async onStartedLeading(signal) {
      const replica = await setting.replica({ client: recording.client });
      signal.addEventListener('abort', () => void replica.stop(), { once: true });
    },
  });
  void elector.start(ended.signal);
  const kill = () => {
    recording.kill();
    lease.kill();
  };
  return { recording: { ...recording, kill }, elector, ended };
}
