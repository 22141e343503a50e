import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { launchProcess } from './launch-process.ts';
import type { NodeNamespaces } from './node-namespaces.ts';
import type { NodeNetwork } from './node-network.ts';

// Nothing is forwarded: names outside the cluster are refused at once instead of timing out.
const corefile = (dir: string, { nodeAddress }: NodeNetwork): string => `.:53 {
  bind ${nodeAddress}
  errors
  ready ${nodeAddress}:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${join(dir, 'coredns.kubeconfig')}
  }
}
`;

const list = ['list', 'watch'];

/** The Service has no selector: CoreDNS is a process of the node, so its endpoint is written by hand. */
const manifests = ({ nodeAddress, dnsAddress }: NodeNetwork): unknown => {
  const named = { name: 'kube-dns', namespace: 'kube-system' };
  const role = { name: 'system:coredns' };
  const ports = ['UDP', 'TCP'].map((protocol) => ({
    name: `dns-${protocol.toLowerCase()}`,
    protocol,
    port: 53,
  }));
  const items = [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: role,
      rules: [
        { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: list },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: list },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: role,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', ...role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', ...role }],
    },
    { apiVersion: 'v1', kind: 'Service', metadata: named, spec: { clusterIP: dnsAddress, ports } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...named, labels: { 'kubernetes.io/service-name': named.name } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [nodeAddress], conditions: { ready: true } }],
      ports,
    },
  ];
  return { apiVersion: 'v1', kind: 'List', items };
};

/** Starts CoreDNS in the node's namespaces, behind the address that pods have in their resolv.conf. */
export const startDns = async (
  dir: string,
  programsDir: string,
  namespaces: NodeNamespaces,
  network: NodeNetwork,
  cluster: Cluster,
): Promise<void> => {
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifests(network)) });
  const corefilePath = join(dir, 'Corefile');
  await writeFile(corefilePath, corefile(dir, network));
  const { prefix } = namespaces;
  await launchProcess(join(programsDir, 'coredns'), ['-conf', corefilePath], {
    dir,
    lifetime: 'detached',
    prefix,
  });
};
