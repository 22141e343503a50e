// Runs every suite, one after another, and adds up what each counted. Its last line, "N passed, N failed, N skipped", is the
// result; the exit code is 1 when anything failed or a suite could not be read.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

interface Suite {
  readonly name: string;
  readonly command: readonly string[];
  /** How its result is read: jest's JSON file, the closing line `N passed, N failed, N skipped`, or the exit code alone (one check). */
  readonly counted: 'jest' | 'closing-line' | 'exit-code';
  /** Run before it, where a time limit of its tests would not be enough. */
  readonly prepare?: readonly string[];
  /** Looks at the whole machine: a cluster of ours, whose containers may come and go, is taken down first. */
  readonly withoutCluster?: boolean;
}

const root = join(import.meta.dirname, '..');
const results = join(root, '.work', 'results');
const jest = [
  'node',
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
];

const suites: readonly Suite[] = [
  { name: 'types', command: ['tsc', '--noEmit'], counted: 'exit-code' },
  { name: 'lint', command: ['eslint', '.'], counted: 'exit-code' },
  { name: 'format', command: ['prettier', '--check', '--log-level', 'warn', '.'], counted: 'exit-code' },
  { name: 'generated files', command: ['node', 'src/cli/generate.ts', '--check'], counted: 'exit-code' },
  { name: 'unit', command: [...jest, '--selectProjects', 'unit'], counted: 'jest' },
  // Two files at a time, each with a control plane of its own: most of them wait more than they work.
  {
    name: 'integration',
    prepare: ['node', 'test/cluster/prepare.ts'],
    command: [...jest, '--selectProjects', 'integration', '--maxWorkers=2'],
    counted: 'jest',
  },
  { name: 'end to end', command: [...jest, '--selectProjects', 'e2e', '--runInBand'], counted: 'jest' },
  {
    name: 'cluster leaves nothing behind',
    command: ['node', 'test/cluster/check-leaks.ts'],
    counted: 'closing-line',
    withoutCluster: true,
  },
];

const only = process.argv.slice(2);
const chosen = only.length === 0 ? suites : suites.filter((suite) => only.includes(suite.name));

rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
// A developer's cluster that is up stays up; one that a suite starts is taken down at the end.
const wasUp = (await run(['node', 'test/cluster/cli.ts', 'status'], true)).code === 0;
const total: Count = { passed: 0, failed: 0, skipped: 0 };
const table: string[] = [];
for (const suite of chosen) {
  const started = Date.now();
  console.log(`\n━━ ${suite.name} ━━`);
  if (suite.withoutCluster === true) await takeDown();
  // What it cannot do, the tests cannot either, and they say it.
  if (suite.prepare !== undefined) await run(suite.prepare, false);
  const count = await runSuite(suite);
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  const seconds = Math.round((Date.now() - started) / 1000);
  table.push(`${suite.name.padEnd(32)} ${line(count).padEnd(36)} ${String(seconds).padStart(5)} s`);
}
await takeDown();
console.log(`\n${table.join('\n')}\n\n${line(total)}`);
process.exitCode = total.failed > 0 || chosen.length === 0 ? 1 : 0;

async function takeDown(): Promise<void> {
  if (!wasUp) await run(['node', 'test/cluster/cli.ts', 'down'], false);
}

function line(count: Count): string {
  return `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
}

async function runSuite(suite: Suite): Promise<Count> {
  const file = join(results, `${suite.name.replaceAll(' ', '-')}.json`);
  const command =
    suite.counted === 'jest' ? [...suite.command, '--json', `--outputFile=${file}`] : suite.command;
  const { code, lastLine } = await run(command, suite.counted === 'jest');
  const byExitCode: Count = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  switch (suite.counted) {
    case 'exit-code':
      return byExitCode;
    case 'jest':
      return atLeastOneFailure(readJest(file), code);
    case 'closing-line': {
      const match = /^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(lastLine);
      if (match === null) return { passed: 0, failed: 1, skipped: 0 };
      return atLeastOneFailure(
        { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3]) },
        code,
      );
    }
  }
}

/** A suite that ended badly without a failed test (it did not start, it crashed, it found no test) counts as one failure. */
function atLeastOneFailure(count: Count, code: number): Count {
  const nothingRan = count.passed + count.failed + count.skipped === 0;
  return (code !== 0 || nothingRan) && count.failed === 0 ? { ...count, failed: 1 } : count;
}

interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

function readJest(file: string): Count {
  try {
    const json = JSON.parse(readFileSync(file, 'utf8')) as JestResults;
    return {
      passed: json.numPassedTests,
      failed: json.numFailedTests + json.numRuntimeErrorTestSuites,
      skipped: json.numPendingTests + json.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function run(command: readonly string[], hideStdout: boolean): Promise<{ code: number; lastLine: string }> {
  const [program = '', ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` },
    });
    let tail = '';
    child.stdout.on('data', (chunk: Buffer) => {
      // jest prints its report to standard error and its JSON to standard output
      if (!hideStdout) process.stdout.write(chunk);
      tail = (tail + chunk.toString('utf8')).slice(-4096);
    });
    child.on('error', (error) => {
      console.error(`cannot start ${program}: ${error.message}`);
      resolve({ code: 1, lastLine: '' });
    });
    child.on('close', (code) =>
      resolve({ code: code ?? 1, lastLine: tail.trimEnd().split('\n').at(-1) ?? '' }),
    );
  });
}
