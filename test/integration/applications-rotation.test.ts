import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { isHolding, type Application } from '../../src/applications/index.ts';
import { WORKLOAD_KINDS } from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  fileOf,
  shown,
  startIssuer,
  untilAnswered,
  writeRequest,
  type TestIssuer,
} from './applications-issuer.ts';
import {
  NAMESPACE,
  startApplicationsSetting,
  type ApplicationsSetting,
  type Replica,
} from './applications-setting.ts';
import { createRecordingClient } from './recording-client.ts';

const LONG_MS = 300_000;
const SOON = { timeoutMs: 30_000, intervalMs: 20 };
let setting: ApplicationsSetting;
let issuer: TestIssuer;

beforeAll(async () => {
  setting = await startApplicationsSetting();
  issuer = await startIssuer(setting.controlPlane, 'signing');
}, 600_000);
afterEach(() => setting.stopReplicas());
afterAll(async () => {
  await issuer.stop();
  await setting.stop();
}, LONG_MS);

const isRunning = (app: Application) => app.status?.phase === 'Running';

async function start(name: string, hooks = 'complete'): Promise<Application> {
  await setting.createWorkload('Deployment', name, { replicas: 0, hooks });
  return setting.applicationThat(`deployment-${name}`, 'runs', isRunning);
}

const request = (name: string, text: string) => writeRequest(setting, name, text);
const answered = (name: string) => untilAnswered(setting, name);

async function eventsOf(name: string, reason: string): Promise<string[]> {
  const { stdout } = await setting.controlPlane.kubectl([
    ...['get', 'events', '-n', NAMESPACE, '-o'],
    `jsonpath={range .items[?(@.reason=="${reason}")]}{.involvedObject.kind} {.involvedObject.name} {.message}{"\\n"}{end}`,
  ]);
  return stdout.split('\n').filter((line) => line.startsWith(`Application deployment-${name} `));
}

/** So many Events at last, and no more; they are written after what they tell of. */
async function eventsBy(replica: Replica, name: string, reason: string, count: number): Promise<string[]> {
  await waitFor(`Events of ${reason} of ${name}`, async () =>
    (await eventsOf(name, reason)).length >= count ? true : undefined,
  );
  await replica.events.flush();
  const events = await eventsOf(name, reason);
  expect(events).toHaveLength(count);
  return events;
}

describe('rotate', () => {
  it(
    'gives an application a new token and certificate; the old ones are void at once, and it happens once',
    async () => {
      const replica = await setting.replica({ certificates: issuer });
      const before = await start('now');
      const oldToken = fileOf(await setting.secret('deployment-now'), 'token');
      await request('now', 'rotate');
      const after = await answered('now');
      expect(after.status?.tokenSha256).not.toBe(before.status?.tokenSha256);
      expect(after.status?.formerTokens).toBeUndefined();
      expect(shown(after)).toHaveLength(1);
      expect(shown(after)).not.toEqual(shown(before));
      await sleep(1_000);
      const later = await setting.application('deployment-now');
      expect(later?.status?.tokenSha256).toBe(after.status?.tokenSha256);
      expect(shown(later)).toEqual(shown(after));
      const events = await eventsBy(replica, 'now', 'TokenRotated', 1);
      expect(events[0]).toContain('the former ones are void');
      const newToken = fileOf(await setting.secret('deployment-now'), 'token');
      const told = JSON.stringify([replica.lines, events, later?.status]);
      expect(told).not.toContain(oldToken);
      expect(told).not.toContain(newToken);
    },
    LONG_MS,
  );

  it(
    'with a time of grace keeps what there was until then, and no longer; the same request twice counts twice',
    async () => {
      const replica = await setting.replica({ certificates: issuer });
      const before = await start('grace');
      await request('grace', 'rotate:1h');
      const after = await answered('grace');
      const inAnHour = Date.now() + 3_600_000;
      expect(after.status?.formerTokens).toMatchObject([{ sha256: before.status?.tokenSha256 }]);
      expect(Date.parse(after.status?.formerTokens?.[0]?.validUntil ?? '')).toBeLessThanOrEqual(inAnHour);
      expect(shown(after)).toHaveLength(2);
      expect(shown(after)[0]).toBe(shown(before)[0]);
      expect(Date.parse(after.status?.certificates?.[0]?.notAfter ?? '')).toBeLessThanOrEqual(inAnHour);

      await request('grace', 'rotate:30s');
      const twice = await answered('grace');
      expect(twice.status?.formerTokens?.map((token) => token.sha256)).toEqual([
        before.status?.tokenSha256,
        after.status?.tokenSha256,
      ]);
      const over = await setting.applicationThat(
        'deployment-grace',
        'has forgotten the second token',
        ({ status }) => status?.formerTokens?.length === 1,
      );
      expect(over.status?.formerTokens?.[0]?.sha256).toBe(before.status?.tokenSha256);

      await request('grace', 'rotate');
      expect((await answered('grace')).status?.formerTokens).toBeUndefined();
      await eventsBy(replica, 'grace', 'TokenRotated', 3);
    },
    LONG_MS,
  );

  it.each([
    ['rotate', 0],
    ['rotate:1h', 1],
  ])(
    'is carried out though the controller dies after any of its writes: %s',
    async (text, formerTokens) => {
      for (let diesAfter = 1; diesAfter <= 4; diesAfter++) {
        const name = `died-${formerTokens}-${diesAfter}`;
        const healthy = await setting.replica({ certificates: issuer });
        const before = await start(name);
        // What is left of its beginning is written by now.
        await sleep(300);
        await healthy.stop();
        await request(name, text);
        const recording = createRecordingClient(setting.controllerClient(), diesAfter);
        const mortal = await setting.replica({ client: recording.client, certificates: issuer });
        await waitFor('it to die', () => (recording.dead() ? true : undefined), SOON);
        await mortal.stop();
        const heir = await setting.replica({ certificates: issuer });
        const after = await answered(name);
        expect(after.status?.tokenSha256).not.toBe(before.status?.tokenSha256);
        expect(after.status?.formerTokens ?? []).toHaveLength(formerTokens);
        if (formerTokens > 0)
          expect(after.status?.formerTokens?.[0]?.sha256).toBe(before.status?.tokenSha256);
        expect(shown(after).includes(shown(before)[0] ?? '')).toBe(formerTokens > 0);
        await heir.events.flush();
        await heir.stop();
        expect(await eventsOf(name, 'SecretRepaired')).toEqual([]);
      }
    },
    LONG_MS,
  );

  it(
    'is carried out while a goodbye is awaited, and what cannot be is answered',
    async () => {
      const replica = await setting.replica({ certificates: issuer });
      const uid = await setting.createWorkload('Deployment', 'held', { hooks: 'complete,shutdown' });
      const pod = await setting.runningPod('deployment-held');
      const before = await setting.applicationThat('deployment-held', 'runs', isRunning);
      await setting.admin.delete(
        { resource: WORKLOAD_KINDS.Deployment, namespace: NAMESPACE, name: 'held' },
        { uid },
      );
      await setting.applicationThat('deployment-held', 'is held', ({ status }) =>
        (status?.shutdown?.conversations ?? []).some(isHolding),
      );
      // A pod of the same second counts as later than the token: a creationTimestamp has whole seconds.
      const nextSecond = Date.parse(pod.metadata.creationTimestamp ?? '') + 1_000;
      await sleep(Math.max(0, nextSecond - Date.now()));
      await request('held', 'rotate');
      const after = await answered('held');
      expect(after.status?.tokenSha256).not.toBe(before.status?.tokenSha256);
      expect(after.status?.shutdown?.conversations.filter(isHolding)).toHaveLength(1);
      expect(after.status?.tokenRenewedAt).toBeDefined();
      await request('held', 'release');
      await setting.gone('Deployment', 'held');

      await start('refused');
      for (const text of ['rotate:soon', 'release']) {
        await request('refused', text);
        await answered('refused');
      }
      const refusals = await eventsBy(replica, 'refused', 'RequestRefused', 2);
      expect(refusals.join('\n')).toContain('write rotate, or rotate:DURATION');
      expect(refusals.join('\n')).toContain('its shutdown hook is off');
    },
    LONG_MS,
  );

  it(
    'happens by itself at a token’s age, when that is configured',
    async () => {
      await setting.replica({ certificates: issuer, tokens: { lifetimeMs: 3_000, graceMs: 1_500 } });
      const { status } = await start('aged');
      const seen = new Set([status?.tokenSha256]);
      let mostFormer = 0;
      await waitFor(
        'three tokens',
        async () => {
          const app = await setting.application('deployment-aged');
          const former = app?.status?.formerTokens ?? [];
          if (app?.status?.tokenSha256 !== undefined) seen.add(app.status.tokenSha256);
          mostFormer = Math.max(mostFormer, former.length);
          return seen.size >= 3 ? true : undefined;
        },
        SOON,
      );
      expect(mostFormer).toBeLessThanOrEqual(1);
    },
    LONG_MS,
  );
});
