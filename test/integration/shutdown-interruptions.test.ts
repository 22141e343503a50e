import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Manners } from '../history/fake-applications.ts';
import { startCrashSetting, type CrashSetting } from './shutdown-crash-setting.ts';
import { apiServerKilled, leaseTaken } from './shutdown-mishaps.ts';
import { play, type Mishap } from './shutdown-run.ts';
import { scenarios, type Scenario } from './shutdown-scenarios.ts';

// In each phase of a conversation, which is to say at each write of the service: the API server is killed and comes back, or another process
// has taken the lease.

const MAX_WRITES = 80;
/** So slow that the old leader does not see the end: it learns within half a second that it leads no more. */
const SLOW: Manners = { answerAfterMs: 800, goodbyeAfterMs: 1_600 };

let setting: CrashSetting;
let isOpen = false;
beforeAll(async () => {
  // The API server knows nothing of what was before it was started.
  setting = await startCrashSetting({ recording: { afterRestart: 'list' } });
  isOpen = true;
}, 600_000);
afterAll(async () => {
  if (isOpen) await setting.stop();
}, 60_000);

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

  it(`the API server is killed ${when} each write`, async () => {
    expect(await atEachWrite(scenario(), apiServerKilled(when))).toBeGreaterThan(3);
  }, 1_200_000);

  it('another leads, from each write on', async () => {
    expect(await atEachWrite({ ...scenario(), manners: SLOW }, leaseTaken())).toBeGreaterThan(3);
  }, 1_200_000);
});
