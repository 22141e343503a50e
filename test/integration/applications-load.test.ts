import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import { WORKLOAD_KINDS } from '../../src/contract/index.ts';
import { createReflector, type KubeObject, type Reflector } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  createRecordingLogger,
  signalPatch,
  startApplicationsSetting,
  type ApplicationsSetting,
} from './applications-setting.ts';

const LONG_MS = 300_000;
const PATIENT = { timeoutMs: 90_000 };
let setting: ApplicationsSetting;

beforeAll(async () => {
  setting = await startApplicationsSetting();
}, 600_000);
afterEach(() => setting.stopReplicas());
afterAll(() => setting.stop(), LONG_MS);

const isRunning = (app: Application | undefined) => app?.status?.phase === 'Running';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** When each object of a resource was first and last seen, by its name. */
async function watchTimes(resource: { apiVersion: string; plural: string }): Promise<{
  readonly appeared: Map<string, number>;
  readonly vanished: Map<string, number>;
  stop(): Promise<void>;
}> {
  const appeared = new Map<string, number>();
  const vanished = new Map<string, number>();
  const reflector: Reflector<{ name: string }> = createReflector({
    client: setting.admin,
    resource,
    namespace: NAMESPACE,
    metadataOnly: true,
    project: ({ metadata }) => ({ name: metadata.name ?? '' }),
    onChange(_key, before, after) {
      if (after !== undefined && before === undefined) appeared.set(after.name, performance.now());
      if (after === undefined && before !== undefined) vanished.set(before.name, performance.now());
    },
    logger: createRecordingLogger([]),
  });
  await reflector.start(new AbortController().signal);
  await waitFor('the watch', () => (reflector.connected() ? true : undefined));
  return { appeared, vanished, stop: () => reflector.stop() };
}

describe('the controller under load', () => {
  it(
    'makes the Secret of each of 150 new workloads, and carries out each of 150 signals (how fast: make bench)',
    async () => {
      await setting.replica();
      const secrets = await watchTimes({ apiVersion: 'v1', plural: 'secrets' });
      const deployments = await watchTimes(WORKLOAD_KINDS.Deployment);
      const names = Array.from({ length: 150 }, (_, i) => `fast-${i}`);
      for (const name of names) {
        await setting.createWorkload('Deployment', name, { replicas: 0 });
        await sleep(20);
      }
      await waitFor(
        'all Secrets',
        () => names.every((name) => secrets.appeared.has(`krake-hooks-deployment-${name}`)) || undefined,
        PATIENT,
      );
      for (const name of names) {
        await setting.applicationThat(`deployment-${name}`, 'runs', (app) => isRunning(app));
        await setting.signal(`deployment-${name}`);
        await sleep(10);
      }
      await waitFor(
        'all to be gone',
        () => names.every((name) => deployments.vanished.has(name)) || undefined,
        PATIENT,
      );
      await secrets.stop();
      await deployments.stop();
      for (const name of names) {
        await setting.applicationThat(
          `deployment-${name}`,
          'is completed',
          (app) => app.status?.phase === 'Completed',
        );
      }
      expect(names.filter((name) => !secrets.appeared.has(`krake-hooks-deployment-${name}`))).toEqual([]);
    },
    LONG_MS,
  );
});

describe('a name that is used again', () => {
  it(
    'belongs to another application: no earlier signal and no earlier token ever reaches it',
    async () => {
      await setting.replica();
      const rounds = 4;
      const names = Array.from({ length: 64 }, (_, i) => `again-${i}`);
      let stored = 0;
      const runOne = async (name: string, seed: number): Promise<void> => {
        const application = `deployment-${name}`;
        const ref = { resource: WORKLOAD_KINDS.Deployment, namespace: NAMESPACE, name };
        let uid = await setting.createWorkload('Deployment', name, { replicas: 0 });
        for (let round = 0; round < rounds; round++) {
          const app = await setting.applicationThat(
            application,
            'speaks of this workload',
            (found) => found.status?.workloads?.[0]?.uid === uid && found.status.tokenSha256 !== undefined,
          );
          const token = app.status?.tokenSha256;
          // The former workload goes, its namesake comes and its signal is stored, in every order and at every distance.
          const [signalDelay, createDelay] = [(seed * 7 + round * 5) % 12, (seed * 3 + round * 11) % 9];
          const former = uid;
          const signalling = sleep(signalDelay).then(async () => {
            const status = {
              resource: APPLICATIONS,
              namespace: NAMESPACE,
              name: application,
              subresource: 'status',
            } as const;
            try {
              await setting.admin.patch(status, { type: 'json', body: signalPatch(token) });
              stored += 1;
            } catch {
              // The token was void by then: nothing is stored.
            }
          });
          await setting.admin.delete(ref, { uid: former });
          await sleep(createDelay);
          uid = await setting.createWorkload('Deployment', name, { replicas: 0 });
          await signalling;
          // The signal that comes too late for the former workload must leave the new one alone.
          const next = await setting.applicationThat(
            application,
            'is that of the new workload',
            (found) => isRunning(found) && found.status?.workloads?.[0]?.uid === uid,
          );
          expect(next.status?.tokenSha256).not.toBe(token);
          expect(next.status?.signals?.complete).toBeUndefined();
          const secret = await setting.secret(application);
          expect(sha256(Buffer.from(secret?.data?.token ?? '', 'base64').toString())).toBe(
            next.status?.tokenSha256,
          );
        }
        const found: KubeObject | undefined = await setting.workload('Deployment', name);
        expect(found?.metadata.uid).toBe(uid);
      };
      const queue = names.map((name, seed) => ({ name, seed }));
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let next = queue.pop(); next !== undefined; next = queue.pop())
            await runOne(next.name, next.seed);
        }),
      );
      console.log(`${names.length * rounds} namesakes, ${stored} signals stored with the former token`);
      // Otherwise nothing was tried.
      expect(stored).toBeGreaterThan(10);
    },
    LONG_MS,
  );
});
