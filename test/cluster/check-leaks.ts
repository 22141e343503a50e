// Does a cluster, started, stopped, killed at any moment, leave nothing behind and start again? Run it with
// `node test/cluster/check-leaks.ts`. It has a state directory of its own, so a cluster that is up stays untouched.
import { spawn } from 'node:child_process';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findLeaks, readMachineState } from './machine-state.ts';
import type { MachineState } from './machine-state.ts';
import { findMarkedProcesses, findProcessesOf, LASTING_PROGRAMS } from './marked-processes.ts';
import { runCommand } from './run-command.ts';
import { connectToCluster, findFault } from './running-cluster.ts';
import { fromEnvironment, harnessDir } from './settings.ts';
import { createTemporaryState } from './temporary-state.ts';
import { GaveUp, waitFor } from './wait-for.ts';
import { whyNoNode } from './why-no-node.ts';

const counts = { passed: 0, failed: 0, skipped: 0 };
const dir = await mkdtemp(join(tmpdir(), 'krake-hooks-leaks-'));
const cli = join(harnessDir, 'cli.ts');
const hasNode = whyNoNode() === undefined;

const runCli = (...args: readonly string[]): Promise<{ readonly stderr: string }> =>
  runCommand(process.execPath, [cli, ...args], { env: { CLUSTER_DIR: dir }, timeoutMs: 600_000 });

const check = async (name: string, run: () => Promise<void>): Promise<void> => {
  const startedAt = Date.now();
  const seconds = (): string => `(${((Date.now() - startedAt) / 1000).toFixed(1)} s)`;
  try {
    await run();
    counts.passed++;
    console.log(`PASS ${name} ${seconds()}`);
  } catch (error) {
    counts.failed++;
    console.log(`FAIL ${name} ${seconds()}\n  ${String(error).replaceAll('\n', '\n  ')}`);
  }
};

const skip = (name: string, why: string): void => {
  counts.skipped++;
  console.log(`SKIP ${name}: ${why}`);
};

const expectHealthy = async (): Promise<void> => {
  const fault = await findFault(dir);
  if (fault !== undefined) throw new Error(`not healthy: ${fault}`);
};

/** The kernel takes a network namespace apart a moment after its last process. */
const expectNothingLeft = async (before: MachineState): Promise<void> => {
  let leaks: readonly string[] = [];
  await waitFor(
    'nothing to be left',
    async () => {
      leaks = findLeaks(before, await readMachineState(dir));
      return leaks.length === 0 ? true : undefined;
    },
    { timeoutMs: 30_000 },
  ).catch(() => {
    throw new Error(`left behind:\n${leaks.join('\n')}`);
  });
};

const pod = (name: string): unknown => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    containers: [
      {
        name: 'tools',
        image: 'localhost/tools:1',
        imagePullPolicy: 'Never',
        command: ['sh', '-c', 'sleep 3600 & sleep 3600'],
        volumeMounts: [{ name: 'memory', mountPath: '/memory' }],
      },
    ],
    volumes: [{ name: 'memory', emptyDir: { medium: 'Memory' } }],
  },
});

/** Containers, their processes, tmpfs and overlay mounts, interfaces: what a node has to clean up after. */
const runPods = async (): Promise<void> => {
  const cluster = await connectToCluster(dir);
  const items = ['one', 'two'].map(pod);
  await cluster.kubectl(['apply', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  });
  await cluster.kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=110s']);
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Starts `up` and kills it the moment it has started the given program, whose log tells. */
const killUpAt = async (program: string): Promise<void> => {
  await rm(join(dir, 'logs'), { recursive: true, force: true });
  const up = spawn(process.execPath, [cli, 'up'], {
    env: { ...process.env, CLUSTER_DIR: dir },
    stdio: 'ignore',
  });
  await waitFor(
    `up to start ${program}`,
    async () => {
      if (await exists(join(dir, 'logs', `${program}.log`))) return true;
      if (up.exitCode !== null) throw new GaveUp(`up ended with exit code ${up.exitCode}`);
      return undefined;
    },
    { timeoutMs: 180_000, intervalMs: 5 },
  ).finally(() => up.kill('SIGKILL'));
};

const lastingPids = async (): Promise<string> => {
  const processes = await findProcessesOf(dir);
  const lasting = processes.filter(({ args }) => LASTING_PROGRAMS.includes(basename(args[0] ?? '')));
  if (lasting.length < 3) throw new Error('the programs of the cluster were not found');
  return lasting.map(({ pid }) => pid).join();
};

const killProcess = async (name: string): Promise<void> => {
  const found = (await findProcessesOf(dir)).find(({ args }) => basename(args[0] ?? '') === name);
  if (found === undefined) throw new Error(`no ${name} is running`);
  process.kill(found.pid, 'SIGKILL');
  await waitFor(`the end of ${name}`, () =>
    exists(`/proc/${found.pid}/cmdline`).then((is) => (is ? undefined : true)),
  );
};

const killTestRun = async (): Promise<void> => {
  const script = `
    const { startControlPlane } = await import(${JSON.stringify(join(harnessDir, 'control-plane.ts'))});
    const { dir } = await startControlPlane();
    console.log(dir);
    process.kill(process.pid, 'SIGKILL');`;
  const outputFile = join(dir, 'logs', 'test-run.log');
  const command = `"$0" --input-type=module -e "$1" >"$2" 2>&1 || true`;
  await runCommand('sh', ['-c', command, process.execPath, script, outputFile]);
  // Only our own binaries, and only on Linux, end with their parent; others are ended by the next start.
  if (process.platform !== 'linux' || fromEnvironment('KUBEBUILDER_ASSETS') !== undefined) {
    await rm(await createTemporaryState(), { recursive: true });
  }
  const stateDir =
    (await readFile(outputFile, 'utf8')).split('\n').find((line) => line.startsWith('/')) ?? '';
  await waitFor(
    'the end of its processes',
    async () => {
      const left = (await findMarkedProcesses()).filter((marked) => marked.dir === stateDir);
      return left.length === 0 ? true : undefined;
    },
    { timeoutMs: 30_000 },
  );
};

const checkAll = async (): Promise<void> => {
  const before = await readMachineState(dir);
  await check('up starts a healthy cluster', async () => {
    await runCli('up');
    await expectHealthy();
  });
  await check('up again leaves it as it is', async () => {
    const pids = await lastingPids();
    const { stderr } = await runCli('up');
    if (!stderr.includes('up already')) throw new Error(stderr);
    if ((await lastingPids()) !== pids) throw new Error('processes changed');
  });
  if (hasNode) await check('pods run', runPods);
  else skip('pods run', 'needs root on Linux, and our own binaries');
  await check('down leaves nothing behind', async () => {
    await runCli('down');
    await expectNothingLeft(before);
  });
  await check('down again is fine', async () => {
    await runCli('down');
  });
  const moments = hasNode
    ? ['node-init', 'containerd', 'kube-apiserver', 'kubelet']
    : ['etcd', 'kube-apiserver'];
  for (const program of moments) {
    await check(`up killed when it starts ${program}: down leaves nothing behind`, async () => {
      await killUpAt(program);
      await runCli('down');
      await expectNothingLeft(before);
    });
  }
  await check(
    `up killed so at ${moments.length} moments in a row: the next one works, and down too`,
    async () => {
      for (const program of moments) await killUpAt(program);
      await runCli('up');
      await expectHealthy();
      await runCli('down');
      await expectNothingLeft(before);
    },
  );
  const victim = hasNode ? 'kubelet' : 'etcd';
  await check(
    `${victim} killed in a running cluster: up repairs it, down leaves nothing behind`,
    async () => {
      await runCli('up');
      await killProcess(victim);
      await runCli('up');
      await expectHealthy();
      await runCli('down');
      await expectNothingLeft(before);
    },
  );
  await check('a killed test run leaves no control plane behind', killTestRun);
};

if (fromEnvironment('CONTEXT') === undefined) {
  await checkAll();
  await runCli('down').catch(() => undefined);
} else {
  skip('everything', 'CONTEXT is given, and that cluster is not ours to stop');
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
if (counts.failed === 0) await rm(dir, { recursive: true, force: true });
else console.log(`logs are in ${join(dir, 'logs')} and ${join(dir, 'logs.before')}`);
process.exitCode = counts.failed === 0 ? 0 : 1;
