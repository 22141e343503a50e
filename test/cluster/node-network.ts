import type { NodeNamespaces } from './node-namespaces.ts';
import { runCommand } from './run-command.ts';
import { clusterId } from './settings.ts';

/**
 * Addresses of a cluster. Two clusters on one machine have different slots, since the host has a route to each. No route leads
 * out: what isn't the host, a pod or a service is unreachable from inside.
 */
export interface NodeNetwork {
  /** The host as the cluster sees it: a test's webhook server listens there. */
  readonly hostAddress: string;
  readonly nodeAddress: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly dnsAddress: string;
}

/** At most 15 characters, the kernel's limit. */
export const interfaceName = (dir: string): string => `kh-${clusterId(dir)}`;

const networkOfSlot = (slot: number): NodeNetwork => ({
  hostAddress: `10.231.${slot}.1`,
  nodeAddress: `10.231.${slot}.2`,
  podCidr: `10.232.${slot}.0/24`,
  serviceCidr: `10.233.${slot}.0/24`,
  dnsAddress: `10.233.${slot}.10`,
});

const findNetwork = async (dir: string): Promise<NodeNetwork> => {
  const { stdout: addresses } = await runCommand('ip', ['-4', '-o', 'address']);
  const { stdout: routes } = await runCommand('ip', ['-4', 'route']);
  const first = Number.parseInt(clusterId(dir).slice(0, 2), 16);
  for (let i = 0; i < 256; i++) {
    const slot = (first + i) % 256;
    const isTaken = [231, 232, 233].some((second) =>
      `${addresses} ${routes}`.includes(` 10.${second}.${slot}.`),
    );
    if (!isTaken) return networkOfSlot(slot);
  }
  throw new Error('every network 10.231.0.0/24 to 10.231.255.0/24 is taken on this machine');
};

/** Connects the node's network namespace with the host. */
export const connectNetwork = async (dir: string, namespaces: NodeNamespaces): Promise<NodeNetwork> => {
  const name = interfaceName(dir);
  const network = await findNetwork(dir);
  const { hostAddress, nodeAddress, podCidr, serviceCidr } = network;
  const ip = (command: string): Promise<unknown> => runCommand('ip', command.split(' '));
  const inside = (command: string): Promise<unknown> => namespaces.run('ip', command.split(' '));
  await ip(`link add ${name} type veth peer name eth0 netns ${namespaces.initPid}`);
  await ip(`address add ${hostAddress}/24 dev ${name}`);
  await ip(`link set ${name} up`);
  await inside('link set lo up');
  await inside(`address add ${nodeAddress}/24 dev eth0`);
  await inside('link set eth0 up');
  // A service address needs some route before kube-proxy's rules turn it into a pod's.
  await inside(`route add ${serviceCidr} via ${hostAddress}`);
  await ip(`route add ${podCidr} via ${nodeAddress}`);
  await ip(`route add ${serviceCidr} via ${nodeAddress}`);
  await namespaces.run('sh', ['-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  return network;
};

/** Removes the interface, and with it its other end and the routes. */
export const disconnectNetwork = async (dir: string): Promise<void> => {
  await runCommand('ip', ['link', 'delete', interfaceName(dir)], { allowFailure: true });
};
