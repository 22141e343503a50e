import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ensureBinaries } from './build-binaries.ts';
import { ensureImage } from './build-image.ts';
import { importImage, startContainerd } from './container-runtime.ts';
import { startControlPlane } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';
import { startDns } from './dns.ts';
import { takeDown, takeDownOrphans } from './down.ts';
import { ensurePackages } from './ensure-packages.ts';
import { pauseContents, toolsContents } from './image-contents.ts';
import { findProcessesOf, LASTING_PROGRAMS } from './marked-processes.ts';
import { startNode } from './node.ts';
import { startNamespaces } from './node-namespaces.ts';
import { connectNetwork } from './node-network.ts';
import { say, warn, withProgress } from './progress.ts';
import { connectToCluster, findFault, writeRecord } from './running-cluster.ts';
import type { ClusterRecord } from './running-cluster.ts';
import { fromEnvironment } from './settings.ts';
import { whyNoNode } from './why-no-node.ts';

const withNode = async (dir: string): Promise<ClusterRecord> => {
  await ensurePackages();
  const kube = await ensureBinaries('kube');
  const dnsPrograms = await ensureBinaries('dns');
  const images = [await ensureImage(await pauseContents()), await ensureImage(await toolsContents())];
  return withProgress('starting a control plane and a node', async () => {
    const namespaces = await startNamespaces(dir, kube);
    const network = await connectNetwork(dir, namespaces);
    const { nodeAddress: address, serviceCidr, podCidr } = network;
    const node = { address, serviceCidr, podCidr, prefix: namespaces.prefix };
    const [cluster] = await Promise.all([
      startControlPlane({ dir, lifetime: 'detached', node }),
      startContainerd(dir, namespaces, network).then(async () => {
        for (const image of images) await importImage(namespaces, image);
      }),
    ]);
    for (const user of ['kubelet', 'kube-proxy', 'coredns'] as const) await cluster.writeKubeconfigOf(user);
    await startDns(dir, dnsPrograms, namespaces, network, cluster);
    await startNode(dir, kube, namespaces, network, cluster);
    return describe(dir, cluster, { network });
  });
};

const withoutNode = async (dir: string): Promise<ClusterRecord> => {
  // First, so that it shows its own progress.
  if (fromEnvironment('KUBEBUILDER_ASSETS') === undefined) await ensureBinaries('kube');
  return withProgress('starting a control plane', async () =>
    describe(dir, await startControlPlane({ dir, lifetime: 'detached' }), {}),
  );
};

const describe = async (
  dir: string,
  { kubectlProgram, capabilities }: ControlPlane,
  network: Pick<ClusterRecord, 'network'>,
): Promise<ClusterRecord> => {
  const programs = new Set((await findProcessesOf(dir)).map(({ args }) => basename(args[0] ?? '')));
  return {
    programs: LASTING_PROGRAMS.filter((name) => programs.has(name)),
    kubectlProgram,
    capabilities: { ...capabilities, restart: false },
    ...network,
  };
};

const sayHowToUse = async (dir: string): Promise<void> => {
  const { capabilities, kubeconfig, network } = await connectToCluster(dir);
  const lines = [
    `export KUBECONFIG=${kubeconfig}`,
    ...(capabilities.node ? ['images there: localhost/tools:1, and what `load-image FILE` brings'] : []),
    ...(network === undefined ? [] : [`pods reach this machine at ${network.hostAddress}`]),
    `logs: ${join(dir, 'logs')}`,
  ];
  for (const line of lines) say(line);
};

const startOver = async (dir: string): Promise<void> => {
  if ((await takeDown(dir)) > 0) say('ended what was left of the cluster before');
  await rm(join(dir, 'logs.before'), { recursive: true, force: true });
  await rename(join(dir, 'logs'), join(dir, 'logs.before')).catch(() => undefined);
  await mkdir(join(dir, 'logs'), { recursive: true });
};

/** Brings the cluster up, whatever state it is in. Quick when it is up already. */
export const bringUp = async (dir: string): Promise<void> => {
  if (fromEnvironment('CONTEXT') !== undefined) {
    const { url } = await connectToCluster(dir);
    say(`CONTEXT is given: using the existing cluster at ${url}, nothing to start`);
    return;
  }
  await takeDownOrphans();
  const reason = whyNoNode();
  const fault = await findFault(dir);
  if (fault === undefined) {
    say('the cluster is up already');
  } else {
    if (fault !== 'it is down') say(`starting the cluster over: ${fault}`);
    await startOver(dir);
    await writeRecord(dir, reason === undefined ? await withNode(dir) : await withoutNode(dir));
    say('the cluster is up');
  }
  await sayHowToUse(dir);
  if (reason !== undefined) {
    warn(`only a control plane, so no pod will run: ${reason}. Tests that need a node will be skipped.`);
  }
};
