import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureBinaries } from './build-binaries.ts';
import { warn } from './progress.ts';
import { fromEnvironment } from './settings.ts';

export interface Binaries {
  readonly dir: string;
  readonly hasControllerManager: boolean;
  readonly hasScheduler: boolean;
  /** Our own build: it can also run a node, and dies with its parent when told to. */
  readonly isOurs: boolean;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The programs of `KUBEBUILDER_ASSETS` where that is given, else our own build. */
export const findBinaries = async (): Promise<Binaries> => {
  const assets = fromEnvironment('KUBEBUILDER_ASSETS');
  if (assets === undefined) {
    const dir = await ensureBinaries('kube');
    return { dir, hasControllerManager: true, hasScheduler: true, isOurs: true };
  }
  for (const program of ['etcd', 'kube-apiserver', 'kubectl']) {
    if (!(await exists(join(assets, program))))
      throw new Error(`KUBEBUILDER_ASSETS=${assets} has no ${program}`);
  }
  const hasControllerManager = await exists(join(assets, 'kube-controller-manager'));
  if (!hasControllerManager) {
    warn(
      `KUBEBUILDER_ASSETS=${assets} has no kube-controller-manager: Jobs, Deployments, garbage collection and service ` +
        'accounts will not work, and the tests that need them will not run.',
    );
  }
  const hasScheduler = await exists(join(assets, 'kube-scheduler'));
  return { dir: assets, hasControllerManager, hasScheduler, isOurs: false };
};
