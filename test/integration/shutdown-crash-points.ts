import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startCrashSetting, type CrashSetting } from './shutdown-crash-setting.ts';
import { killed } from './shutdown-mishaps.ts';
import { play } from './shutdown-run.ts';
import type { Scenario } from './shutdown-scenarios.ts';

const MAX_WRITES = 80;

/**
 * The service is killed at its first write after the deletion, at its second, and so on, until a run comes to its end without a kill; each
 * write twice: before the API server has it, and after, when the answer is lost. A fresh process goes on. What happened is then checked.
 */
export function describeCrashPoints(scenarios: Readonly<Record<string, Scenario>>): void {
  let setting: CrashSetting;
  let isOpen = false;
  beforeAll(async () => {
    setting = await startCrashSetting();
    isOpen = true;
  }, 600_000);
  afterAll(async () => {
    if (isOpen) await setting.stop();
  }, 60_000);

  describe('killed at each write', () => {
    it.each(Object.entries(scenarios))(
      '%s',
      async (name, scenario) => {
        const told: string[] = [];
        for (const when of ['after', 'before'] as const) {
          for (let at = 1; at <= MAX_WRITES; at++) {
            const struck = await play(setting, scenario, at, killed(when));
            if (struck === undefined) break;
            told.push(`${when} ${at}: ${struck}`);
          }
        }
        process.stderr.write(`${name}: killed ${told.length} times\n  ${told.join('\n  ')}\n`);
        expect(told.length).toBeGreaterThan(5);
        expect(told.length).toBeLessThan(2 * MAX_WRITES);
      },
      1_800_000,
    );
  });
}
