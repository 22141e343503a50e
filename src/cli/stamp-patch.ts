import { review, type AdmissionSettings } from '../admission/index.ts';
import type { KubeObject } from '../kube/index.ts';

/**
 * What admission would change of a workload at its next update, for the controller's repair: one piece of code decides about stamps, whoever
 * writes them. Undefined: nothing, or admission would refuse it and the user has to mend it.
 */
export function stampPatch(object: KubeObject, settings: AdmissionSettings): readonly unknown[] | undefined {
  const { apiVersion = '', kind = '', metadata } = object;
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/', 2) : ['', apiVersion];
  const decision = review(
    {
      uid: metadata.uid ?? '',
      kind: { group: group ?? '', version: version ?? '', kind },
      operation: 'UPDATE',
      namespace: metadata.namespace ?? '',
      name: metadata.name ?? '',
      subResource: '',
      dryRun: false,
      username: '',
      object,
      oldObject: object,
    },
    settings,
  );
  return decision.outcome === 'patched' ? decision.operations : undefined;
}
