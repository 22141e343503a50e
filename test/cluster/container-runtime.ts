import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { launchProcess } from './launch-process.ts';
import type { NodeNamespaces } from './node-namespaces.ts';
import type { NodeNetwork } from './node-network.ts';
import { findProgram } from './run-command.ts';
import { waitFor } from './wait-for.ts';

/** In the private /run of the namespaces, so it is short enough for a socket wherever the state directory is. */
export const containerdSocket = '/run/containerd/containerd.sock';

export const pauseImage = 'localhost/pause:1';

const containerdConfig = (dir: string): string => `version = 2
root = "${join(dir, 'containerd')}"
state = "/run/containerd"
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE, which containers and small machines often lack, no sandbox starts otherwise.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${join(dir, 'cni')}"
`;

const cniConfig = ({ podCidr }: NodeNetwork): unknown => ({
  cniVersion: '1.0.0',
  name: 'krake-hooks',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      hairpinMode: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: podCidr }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});

/** Starts containerd in the node's namespaces and waits until it answers. */
export const startContainerd = async (
  dir: string,
  namespaces: NodeNamespaces,
  network: NodeNetwork,
): Promise<void> => {
  for (const name of ['containerd', 'cni']) await mkdir(join(dir, name), { recursive: true });
  await writeFile(join(dir, 'cni', '10-krake-hooks.conflist'), JSON.stringify(cniConfig(network), null, 2));
  const configFile = join(dir, 'containerd.toml');
  await writeFile(configFile, containerdConfig(dir));
  const program = (await findProgram('containerd')) ?? 'containerd';
  const { prefix } = namespaces;
  await launchProcess(program, ['--config', configFile], { dir, lifetime: 'detached', prefix });
  await waitFor('containerd', async () => {
    await runCtr(namespaces, ['version']);
    return true;
  });
};

/** containerd's own client, in the namespace whose images and containers the kubelet sees. */
export const runCtr = (namespaces: NodeNamespaces, args: readonly string[]): Promise<string> =>
  namespaces.run('ctr', ['--address', containerdSocket, '--namespace', 'k8s.io', ...args], 10 * 60_000);

/** Brings the images of an archive (`docker save`, or `buildah push` to a docker-archive) to the node. */
export const importImage = async (namespaces: NodeNamespaces, archive: string): Promise<void> => {
  await runCtr(namespaces, ['image', 'import', archive]);
};
