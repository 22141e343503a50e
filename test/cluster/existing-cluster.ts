import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { ensureBinaries } from './build-binaries.ts';
import { findProgram, runCommand } from './run-command.ts';
import { fromEnvironment } from './settings.ts';

const findKubectl = async (): Promise<string> => {
  const assets = fromEnvironment('KUBEBUILDER_ASSETS');
  if (
    assets !== undefined &&
    (await access(join(assets, 'kubectl')).then(
      () => true,
      () => false,
    ))
  ) {
    return join(assets, 'kubectl');
  }
  return (await findProgram('kubectl')) ?? join(await ensureBinaries('kube'), 'kubectl');
};

/** The cluster of a context of the user's own kubeconfig. The harness never starts or stops anything of it. */
export const openExistingCluster = async (context: string, dir: string): Promise<Cluster> => {
  const kubectlProgram = await findKubectl();
  const args = ['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json', `--context=${context}`];
  const { stdout } = await runCommand(kubectlProgram, args);
  await mkdir(dir, { recursive: true });
  const kubeconfig = join(dir, 'kubeconfig');
  await writeFile(kubeconfig, stdout, { mode: 0o600 });
  // Every cluster that anybody gives has a controller manager; whether it has a node is asked.
  const nodes = await runCommand(kubectlProgram, [
    `--kubeconfig=${kubeconfig}`,
    'get',
    'nodes',
    '-o',
    'name',
  ]);
  const capabilities = { controllerManager: true, node: nodes.stdout.trim() !== '', restart: false };
  return openCluster({ dir, kubeconfig, kubectlProgram, capabilities });
};
