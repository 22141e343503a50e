import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { containerdSocket } from './container-runtime.ts';
import { launchProcess } from './launch-process.ts';
import { cgroupName, createCgroups } from './node-cgroups.ts';
import type { NodeNamespaces } from './node-namespaces.ts';
import type { NodeNetwork } from './node-network.ts';
import { GaveUp, waitFor } from './wait-for.ts';

export const nodeName = 'krake-hooks';

const kubeletConfig = (dir: string, { dnsAddress }: NodeNetwork): unknown => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  // Only this machine and the pods reach it. The API server would need a client certificate for anything stricter.
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: 'AlwaysAllow' },
  // No systemd inside, whatever the host has; and a machine's cgroups may be version 1.
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroupName(dir)}`,
  enforceNodeAllocatable: [],
  failCgroupV1: false,
  failSwapOn: false,
  containerRuntimeEndpoint: `unix://${containerdSocket}`,
  clusterDNS: [dnsAddress],
  clusterDomain: 'cluster.local',
  resolvConf: '/dev/null',
  podLogsDir: join(dir, 'pod-logs'),
  volumePluginDir: join(dir, 'volume-plugins'),
  readOnlyPort: 0,
  oomScoreAdj: 0,
  // A developer's disk is often nearly full, and there is no registry to fetch a removed image from again.
  imageGCHighThresholdPercent: 100,
  evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
});

/** Starts kubelet and kube-proxy and waits until pods can be scheduled. */
export const startNode = async (
  dir: string,
  programsDir: string,
  namespaces: NodeNamespaces,
  network: NodeNetwork,
  cluster: Cluster,
): Promise<void> => {
  for (const name of ['pod-logs', 'volume-plugins']) await mkdir(join(dir, name), { recursive: true });
  await createCgroups(cgroupName(dir));
  const configFile = join(dir, 'kubelet.json');
  await writeFile(configFile, JSON.stringify(kubeletConfig(dir, network), null, 2));
  const launch = { dir, lifetime: 'detached', prefix: namespaces.prefix } as const;
  const kubelet = await launchProcess(
    join(programsDir, 'kubelet'),
    [
      `--config=${configFile}`,
      `--kubeconfig=${join(dir, 'kubelet.kubeconfig')}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${network.nodeAddress}`,
    ],
    launch,
  );
  await launchProcess(
    join(programsDir, 'kube-proxy'),
    [
      `--kubeconfig=${join(dir, 'kube-proxy.kubeconfig')}`,
      `--hostname-override=${nodeName}`,
      '--proxy-mode=iptables',
      '--conntrack-max-per-core=0',
      `--cluster-cidr=${network.podCidr}`,
    ],
    launch,
  );
  await waitFor(
    'the node to be ready',
    async () => {
      if (!kubelet.isRunning()) throw new GaveUp(`the kubelet has ended, see ${kubelet.logFile}`);
      const isReady = '{.status.conditions[?(@.type=="Ready")].status}/{.spec.taints}';
      const { stdout } = await cluster.kubectl(['get', 'node', nodeName, '-o', `jsonpath=${isReady}`]);
      return stdout === 'True/' ? true : undefined;
    },
    { timeoutMs: 90_000, intervalMs: 250 },
  );
};
