export { FINALIZER_UNINSTALL, PART_OF, PART_OF_LABEL } from './held-objects.ts';
export { countInjectedPods } from './injected-pods.ts';
export { CRDS, INSTALLED, NAMESPACES } from './installed-resources.ts';
export type { Released } from './release-everything.ts';
export { removeInstallation, type RemovalOptions } from './remove-installation.ts';
export { switchOff, type SwitchOffOptions } from './switch-off.ts';
export type { ToolDeps } from './tool.ts';
export {
  createUninstaller,
  type Uninstaller,
  type UninstallerDeps,
  type UninstallerOptions,
} from './uninstaller.ts';
