import { join } from 'node:path';
import { ensureCredentials } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import type { Binaries } from './find-binaries.ts';
import { findLastingPort } from './free-port.ts';
import { launchProcess } from './launch-process.ts';
import type { LaunchedProcess, LaunchOptions } from './launch-process.ts';
import { writeWebhookUsers, type WebhookUsers } from './webhook-users.ts';

/** A node's network namespace, where the control plane then runs too. */
export interface NodePlacement {
  readonly address: string;
  readonly serviceCidr: string;
  readonly podCidr: string;
  /** The command that runs a program in there. */
  readonly prefix: readonly string[];
}

export interface ControlPlaneOptions {
  /** State directory; a temporary one that goes away with the control plane when it isn't given. */
  readonly dir?: string;
  /** Where the API server listens: 127.0.0.1, or `0.0.0.0` when clients come from elsewhere (containers, namespaces). */
  readonly bindAddress?: string;
  readonly extraApiserverArgs?: readonly string[];
  /** With these the API server shows webhooks a certificate. */
  readonly webhookUsers?: WebhookUsers;
  readonly extraControllerManagerArgs?: readonly string[];
  /** Without a node there is nothing to schedule to, so by default only a node brings a scheduler. */
  readonly scheduler?: boolean;
  /** `parent` (the default): everything dies with this process. */
  readonly lifetime?: LaunchOptions['lifetime'];
  readonly node?: NodePlacement;
}

/** The four programs of a control plane, each startable again with the same ports and data. */
export interface ControlPlaneProcesses {
  readonly url: string;
  readonly certificateFile: string;
  readonly credentials: Credentials;
  startEtcd(): Promise<LaunchedProcess>;
  startApiserver(): Promise<LaunchedProcess>;
  startControllerManager(kubeconfig: string): Promise<LaunchedProcess>;
  startScheduler(kubeconfig: string): Promise<LaunchedProcess>;
}

/** Flags that depend on who has to reach the API server. */
const placementArgs = ({ node, bindAddress = '127.0.0.1' }: ControlPlaneOptions): readonly string[] =>
  node === undefined
    ? [
        `--bind-address=${bindAddress}`,
        // Otherwise it looks for an address on the default route, which a machine may not have, and publishes it.
        '--advertise-address=127.0.0.1',
        '--endpoint-reconciler-type=none',
        '--service-cluster-ip-range=10.96.0.0/16',
        '--authorization-mode=RBAC',
      ]
    : [
        '--bind-address=0.0.0.0',
        `--advertise-address=${node.address}`,
        `--service-cluster-ip-range=${node.serviceCidr}`,
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
        // The node's name means nothing to a resolver.
        '--kubelet-preferred-address-types=InternalIP',
        // Webhooks are called at their pods' addresses, as in a cluster whose API server has no kube-proxy beside it.
        '--enable-aggregator-routing=true',
      ];

export const describeControlPlane = async (
  dir: string,
  binaries: Binaries,
  options: ControlPlaneOptions,
): Promise<ControlPlaneProcesses> => {
  const { node, lifetime = 'parent' } = options;
  const credentials = await ensureCredentials(dir);
  const [etcdPort, securePort] =
    node === undefined ? [await findLastingPort(), await findLastingPort()] : ([2379, 6443] as const);
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const certDir = join(dir, 'apiserver');
  const certificateFile = join(certDir, 'apiserver.crt');
  const { serviceAccountKeyFile, tokenFile } = credentials;
  const webhookArgs =
    options.webhookUsers === undefined ? [] : [await writeWebhookUsers(dir, options.webhookUsers)];
  const start = (program: string, args: readonly string[]): Promise<LaunchedProcess> =>
    launchProcess(join(binaries.dir, program), args, { dir, lifetime, prefix: node?.prefix ?? [] });

  return {
    url: `https://${node?.address ?? '127.0.0.1'}:${securePort}`,
    certificateFile,
    credentials,
    startEtcd: () =>
      start('etcd', [
        `--data-dir=${join(dir, 'etcd')}`,
        `--listen-client-urls=${etcdUrl}`,
        `--advertise-client-urls=${etcdUrl}`,
        // A single member has no peers: any port will do.
        '--listen-peer-urls=http://127.0.0.1:0',
        '--unsafe-no-fsync',
        '--log-level=warn',
      ]),
    startApiserver: () =>
      start('kube-apiserver', [
        `--etcd-servers=${etcdUrl}`,
        `--secure-port=${securePort}`,
        `--cert-dir=${certDir}`,
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${serviceAccountKeyFile}`,
        `--service-account-signing-key-file=${serviceAccountKeyFile}`,
        `--token-auth-file=${tokenFile}`,
        '--allow-privileged=true',
        ...placementArgs(options),
        // Nobody creates the service accounts that this plugin asks for.
        ...(binaries.hasControllerManager ? [] : ['--disable-admission-plugins=ServiceAccount']),
        ...webhookArgs,
        ...(options.extraApiserverArgs ?? []),
      ]),
    startControllerManager: (kubeconfig) =>
      start('kube-controller-manager', [
        `--kubeconfig=${kubeconfig}`,
        `--service-account-private-key-file=${serviceAccountKeyFile}`,
        `--root-ca-file=${certificateFile}`,
        // Each controller is its own user, as in any real cluster: admission sees who deletes what.
        '--use-service-account-credentials=true',
        // With the default rate the forty controllers take 5 s to create their users at the start.
        '--kube-api-qps=300',
        '--kube-api-burst=600',
        '--leader-elect=false',
        // It serves nothing that we ask for, and its port would be the same in every run.
        '--secure-port=0',
        ...(node === undefined ? [] : [`--cluster-cidr=${node.podCidr}`]),
        ...(options.extraControllerManagerArgs ?? []),
      ]),
    startScheduler: (kubeconfig) =>
      start('kube-scheduler', [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0']),
  };
};
