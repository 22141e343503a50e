import { fromEnvironment } from './settings.ts';

/** Why this machine gets no node, or undefined when it gets one. */
export const whyNoNode = (): string | undefined => {
  if (fromEnvironment('KUBEBUILDER_ASSETS') !== undefined) return 'KUBEBUILDER_ASSETS holds no kubelet';
  if (process.platform !== 'linux')
    return 'a node needs Linux; for pods that run, give CONTEXT=name of a cluster';
  if (process.getuid?.() !== 0)
    return 'a node needs root; run this as root, or give CONTEXT=name of a cluster';
  return undefined;
};
