// A real control plane for a test, on free ports, in a directory of its own, ready in about 3 s:
//
//   const controlPlane = await startControlPlane();
//   await controlPlane.kubectl(['apply', '-f', '-'], { input: yaml });
//   await controlPlane.killApiserver();
//   await controlPlane.startApiserver();   // same port, same data
//   await controlPlane.stop();
//
// `controlPlane.capabilities` says what it can do; several can run side by side; all die with this process.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { getFromApi } from './api-request.ts';
import { openCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { describeControlPlane } from './control-plane-processes.ts';
import type { ControlPlaneOptions, ControlPlaneProcesses } from './control-plane-processes.ts';
import { writeKubeconfig } from './credentials.ts';
import type { User } from './credentials.ts';
import { openExistingCluster } from './existing-cluster.ts';
import { findBinaries } from './find-binaries.ts';
import type { Binaries } from './find-binaries.ts';
import { readLogTail } from './launch-process.ts';
import type { LaunchedProcess } from './launch-process.ts';
import { say } from './progress.ts';
import { fromEnvironment } from './settings.ts';
import { createTemporaryState, keepForInspection } from './temporary-state.ts';
import { GaveUp, waitFor } from './wait-for.ts';

export type { Cluster, ClusterCapabilities, KubectlOptions } from './cluster.ts';
export type { ControlPlaneOptions } from './control-plane-processes.ts';

export interface ControlPlane extends Cluster {
  /** Graceful: open requests end first, then no new connections; open watches break after 3 s. */
  stopApiserver(): Promise<void>;
  /** SIGKILL: open connections break. */
  killApiserver(): Promise<void>;
  /** Starts it again and waits until it is ready. */
  startApiserver(): Promise<void>;
  /**
   * Kubernetes' own controllers, as on another machine that takes over. Their clients wait longer and longer, up to a minute, for an API server that
   * was killed several times in a row.
   */
  restartControllers(): Promise<void>;
  stopEtcd(): Promise<void>;
  killEtcd(): Promise<void>;
  startEtcd(): Promise<void>;
  /** A kubeconfig for one of the cluster's own users, in the state directory; its path. */
  writeKubeconfigOf(user: User): Promise<string>;
  /** Ends all processes and removes the state directory if it was a temporary one. May be called twice. */
  stop(): Promise<void>;
}

const refusal = (context: string) => (): Promise<never> =>
  Promise.reject(new Error(`CONTEXT=${context} is your own cluster: the harness doesn't start or stop it`));

const openAsControlPlane = async (context: string): Promise<ControlPlane> => {
  const dir = await createTemporaryState();
  const cluster = await openExistingCluster(context, dir);
  const refuse = refusal(context);
  return {
    ...cluster,
    ...{ stopApiserver: refuse, killApiserver: refuse, startApiserver: refuse },
    ...{
      stopEtcd: refuse,
      killEtcd: refuse,
      startEtcd: refuse,
      writeKubeconfigOf: refuse,
      restartControllers: refuse,
    },
    stop: () => rm(dir, { recursive: true, force: true }),
  };
};

const giveUpWhenEnded = (processes: readonly LaunchedProcess[]): void => {
  const ended = processes.find((process) => !process.isRunning());
  if (ended !== undefined) throw new GaveUp(`${ended.name} has ended`);
};

const waitUntilReady = async (
  processes: ControlPlaneProcesses,
  running: readonly LaunchedProcess[],
): Promise<string> => {
  const adminToken = processes.credentials.tokens.admin;
  return waitFor(
    'the API server to be ready',
    async () => {
      giveUpWhenEnded(running);
      const caPem = await readFile(processes.certificateFile, 'utf8');
      const { status } = await getFromApi({ url: processes.url, caPem, adminToken }, '/readyz');
      return status === 200 ? caPem : undefined;
    },
    { timeoutMs: 90_000 },
  );
};

/** Pods are refused until this exists, so before that a control plane isn't ready for a test. */
const waitForServiceAccount = (cluster: Cluster, running: readonly LaunchedProcess[]): Promise<true> =>
  waitFor('the service account of the default namespace', async () => {
    giveUpWhenEnded(running);
    const path = '/api/v1/namespaces/default/serviceaccounts/default';
    return (await getFromApi(cluster, path)).status === 200 ? true : undefined;
  });

const startOwn = async (
  dir: string,
  binaries: Binaries,
  options: ControlPlaneOptions,
): Promise<ControlPlane> => {
  for (const name of ['logs', 'apiserver']) await mkdir(join(dir, name), { recursive: true });
  const processes = await describeControlPlane(dir, binaries, options);
  const { url, credentials } = processes;
  const controllers: LaunchedProcess[] = [];
  let etcd = await processes.startEtcd();
  let apiserver = await processes.startApiserver();

  const stop = async (): Promise<void> => {
    // Controllers first, so that they don't fill their logs about a missing API server. Nothing here is worth a goodbye.
    for (const process of [...controllers, apiserver, etcd]) await process.kill();
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };
  try {
    const caPem = await waitUntilReady(processes, [etcd, apiserver]);
    const writeKubeconfigOf = async (user: User): Promise<string> => {
      const path = join(dir, user === 'admin' ? 'kubeconfig' : `${user}.kubeconfig`);
      await writeKubeconfig(path, { url, caPem, token: credentials.tokens[user] });
      return path;
    };
    const kubeconfig = await writeKubeconfigOf('admin');
    const capabilities = {
      controllerManager: binaries.hasControllerManager,
      node: options.node !== undefined,
      restart: true,
    };
    const kubectlProgram = join(binaries.dir, 'kubectl');
    const cluster = await openCluster({ dir, kubeconfig, kubectlProgram, capabilities });
    const startControllers = async (): Promise<void> => {
      if (binaries.hasControllerManager) {
        controllers.push(
          await processes.startControllerManager(await writeKubeconfigOf('kube-controller-manager')),
        );
      }
      if (binaries.hasScheduler && (options.scheduler ?? options.node !== undefined)) {
        controllers.push(await processes.startScheduler(await writeKubeconfigOf('kube-scheduler')));
      }
    };
    await startControllers();
    if (binaries.hasControllerManager) await waitForServiceAccount(cluster, controllers);
    return {
      ...cluster,
      stopApiserver: () => apiserver.stop(3_000),
      killApiserver: () => apiserver.kill(),
      startApiserver: async () => {
        apiserver = await processes.startApiserver();
        await waitUntilReady(processes, [apiserver]);
      },
      restartControllers: async () => {
        for (const process of controllers.splice(0)) await process.kill();
        await startControllers();
      },
      stopEtcd: () => etcd.stop(),
      killEtcd: () => etcd.kill(),
      startEtcd: async () => {
        etcd = await processes.startEtcd();
      },
      writeKubeconfigOf,
      stop,
    };
  } catch (error) {
    const logs = await Promise.all(
      [etcd, apiserver, ...controllers].map(async (process) => {
        const state = process.isRunning() ? 'running' : 'ended';
        return `--- ${process.logFile} (${process.name} ${state})\n${await readLogTail(process.logFile)}`;
      }),
    );
    await keepForInspection(dir);
    for (const process of [...controllers, apiserver, etcd]) await process.kill();
    throw new Error(`the control plane did not start: ${String(error)}\n${logs.join('\n')}`, {
      cause: error,
    });
  }
};

/**
 * Starts a control plane: the cluster of `CONTEXT` where that is given, the programs of `KUBEBUILDER_ASSETS` where those are, else
 * our own build, which the first call on a machine makes (some minutes, it says so).
 */
export const startControlPlane = async (options: ControlPlaneOptions = {}): Promise<ControlPlane> => {
  const context = fromEnvironment('CONTEXT');
  if (context !== undefined && options.node === undefined) {
    say(`using the existing cluster of the context ${context}`);
    return openAsControlPlane(context);
  }
  const binaries = await findBinaries();
  const dir = options.dir ?? (await createTemporaryState());
  return startOwn(dir, binaries, options);
};
