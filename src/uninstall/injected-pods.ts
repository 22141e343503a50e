import { LABEL_APPLICATION, WORKLOAD_KINDS } from '../contract/index.ts';
import { eachObject } from './each-object.ts';
import type { ToolDeps } from './tool.ts';

/** How many pods of each namespace were injected: they keep that until they are replaced. */
export async function countInjectedPods(deps: ToolDeps): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for await (const { metadata } of eachObject(deps, WORKLOAD_KINDS.Pod, LABEL_APPLICATION)) {
    const { namespace = '' } = metadata;
    counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
  }
  return counts;
}
