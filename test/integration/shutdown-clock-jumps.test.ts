import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Application } from '../../src/applications/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { checkHistory } from '../history/check-history.ts';
import { startCrashSetting, type CrashSetting } from './shutdown-crash-setting.ts';

// Somebody sets the clock of the service's machine while an application is being asked: by the recorder's clock the round is as long as ever.

const TIMEOUT_MS = 6_000;
/** How late the round may be seen, and its end: a busy machine stands still for a while. Far less than the clock is set by. */
const SEEN_LATE_MS = TIMEOUT_MS / 2;
const LATE_MS = 15_000;
const HOUR_MS = 3_600_000;

let setting: CrashSetting;
let directory: string;
let clockFile: string;
let isOpen = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'krake-hooks-clock-'));
  clockFile = join(directory, 'shift');
  const shift = pathToFileURL(join(import.meta.dirname, '..', 'history', 'shift-clock.ts'));
  shift.searchParams.set('file', clockFile);
  setting = await startCrashSetting({
    execArgv: ['--import', shift.href],
    // As installed: another leader would know the wall clock alone.
    set: {
      'controller.leaseDuration': '15s',
      'controller.renewDeadline': '10s',
      'controller.retryPeriod': '2s',
    },
  });
  isOpen = true;
}, 600_000);
afterAll(async () => {
  if (isOpen) await setting.stop();
  await rm(directory, { recursive: true });
}, 60_000);

const setClock = (shiftMs: number) => writeFileSync(clockFile, String(shiftMs));

describe.each([
  ['an hour forward', HOUR_MS],
  ['an hour back', -HOUR_MS],
])('the clock is set %s', (_name, jumpMs) => {
  it.each([
    ['while the goodbye is awaited', 0],
    ['in the second round', 1],
  ])(
    '%s',
    async (_when, roundsBefore) => {
      setClock(0);
      setting.applications.behave({ goodbyeAfterMs: undefined });
      const scene = await setting.scene();
      const { application } = await scene.deploy('web', {
        replicas: 1,
        annotations: {
          'hooks.krake.dev/shutdown-timeout': `${TIMEOUT_MS / 1_000}s`,
          'hooks.krake.dev/shutdown-retries': String(roundsBefore),
        },
      });
      setting.proxy.arm(scene.namespace, undefined, (event) => scene.record(event));
      await scene.kubectl('delete', 'deployment', 'web', '--wait=false');
      const round = await waitFor(
        'the round',
        async () => {
          const [conversation] =
            (await scene.application(application))?.status?.shutdown?.conversations ?? [];
          return conversation?.round === roundsBefore + 1 ? conversation : undefined;
        },
        { timeoutMs: 30_000, intervalMs: 20 },
      );
      // From its own beginning: the clock was not shifted then.
      const seenMs = performance.now() - Math.max(0, Date.now() - Date.parse(round.roundStartedAt));
      setClock(jumpMs);
      await waitFor('its end', async () => ((await scene.pods()).length === 0 ? true : undefined), {
        timeoutMs: 60_000,
        intervalMs: 20,
      });
      const tookMs = performance.now() - seenMs;
      await scene.untilQuiet();
      scene.stop();
      expect(checkHistory(scene.history)).toEqual([]);
      expect(tookMs).toBeGreaterThan(TIMEOUT_MS - SEEN_LATE_MS);
      expect(tookMs).toBeLessThan(TIMEOUT_MS + LATE_MS);
      const ends = scene.history.flatMap((event) => {
        const { status } = (event.kind === 'object' ? event.object : {}) as Partial<Application>;
        return (status?.shutdown?.conversations ?? []).filter(({ outcome }) => outcome !== undefined);
      });
      expect(ends[0]).toMatchObject({ outcome: 'timed-out', deadline: round.deadline });
      // Or the clock was never set.
      const offMs = Date.parse(ends[0]?.endedAt ?? '') - Date.parse(round.deadline) - jumpMs;
      expect(Math.abs(offMs)).toBeLessThan(LATE_MS);
      setClock(0);
    },
    240_000,
  );
});
