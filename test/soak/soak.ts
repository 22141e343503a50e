// `make soak [MINUTES=10] [SEED=1]`: the shutdown conversation for as long as somebody likes, on a real control plane. Each round is drawn at random:
// how an application is removed, how it behaves, what goes wrong at which write of the service. The history of each is checked. Ends with the
// first violation, or with a count; exit code 1 when something was violated. The same seed draws the same rounds.
import type { Manners } from '../history/fake-applications.ts';
import { startCrashSetting } from '../integration/shutdown-crash-setting.ts';
import { apiServerKilled, killed, leaseTaken } from '../integration/shutdown-mishaps.ts';
import { play, type Mishap } from '../integration/shutdown-run.ts';
import { scenarios, type Scenario } from '../integration/shutdown-scenarios.ts';
import { createDraw } from './draw.ts';

const minutes = positive('MINUTES', 10);
const seed = positive('SEED', 1);
const { below, oneOf } = createDraw(seed);

/** A conversation has some ten writes; beyond them nothing goes wrong. */
const MAX_WRITE = 14;
const MISHAPS: readonly (() => Mishap)[] = [
  () => killed('before'),
  () => killed('after'),
  () => apiServerKilled('before'),
  () => apiServerKilled('after'),
  () => leaseTaken(),
];
const SILENT = { 'hooks.krake.dev/shutdown-timeout': '3s' };

/** Quick or slow, refusing at first glance, or silent until the deadline. */
function drawScenario({ annotations, manners, ...scenario }: Scenario): Scenario {
  const isSilent = manners.goodbyeAfterMs === undefined || below(8) === 0;
  const answerAfterMs = below(1_000);
  const drawn: Manners = isSilent
    ? { ...manners, answerAfterMs, goodbyeAfterMs: undefined, status: oneOf([200, 200, 503]) }
    : { ...manners, answerAfterMs, goodbyeAfterMs: below(2_000) };
  return { ...scenario, manners: drawn, annotations: { ...(isSilent ? SILENT : {}), ...annotations } };
}

const endsAt = performance.now() + minutes * 60_000;
const told = new Map<string, number>();
let rounds = 0;
let struckRounds = 0;
console.log(`soak: ${minutes} min, seed ${seed}`);
const setting = await startCrashSetting({ recording: { afterRestart: 'list' } });
try {
  while (performance.now() < endsAt) {
    const [name, scenario] = oneOf(Object.entries(scenarios));
    const mishap = oneOf(MISHAPS)();
    const at = 1 + below(MAX_WRITE);
    const struck = await play(setting, drawScenario(scenario), at, mishap);
    rounds += 1;
    if (struck !== undefined) struckRounds += 1;
    const what = struck === undefined ? 'undisturbed' : `${mishap.what} ${mishap.when}`;
    told.set(what, (told.get(what) ?? 0) + 1);
    console.log(`${rounds}: ${name}: ${what}${struck === undefined ? '' : ` write ${at}: ${struck}`}`);
  }
  console.log(`\n${rounds} rounds, ${struckRounds} of them disturbed, nothing violated`);
  for (const [what, count] of told) console.log(`  ${what}: ${count}`);
} catch (error) {
  console.error(
    `\nround ${rounds + 1} of seed ${seed}: ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exitCode = 1;
} finally {
  await setting.stop();
}

function positive(name: string, byDefault: number): number {
  const text = process.env[name];
  const value = text === undefined || text === '' ? byDefault : Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  console.error(`${name}=${String(text)}: write a number above 0`);
  process.exit(2);
}
