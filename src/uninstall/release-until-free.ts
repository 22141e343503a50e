import { pause } from '../kube/index.ts';
import {
  releaseEverything,
  type Released,
  type ReleaseDeps,
  type ReleaseOptions,
} from './release-everything.ts';

/** After taking rights away somewhere, the API server needs a moment to know it: what was put back meanwhile is found by the next pass. */
const BETWEEN_PASSES_MS = 1_000;
/** Failures of so many passes in a row that changed nothing are taken for lasting. */
const PATIENCE = 3;

/** Passes until one has found nothing to do, or until the same failures last. The result adds up all passes; its failures are the last pass's. */
export async function releaseUntilFree(deps: ReleaseDeps, options: ReleaseOptions): Promise<Released> {
  const taken: Record<string, number> = {};
  let total = 0;
  for (let idle = 0; ;) {
    const before = total;
    const pass = await releaseEverything(
      { ...deps, onProgress: (count) => deps.onProgress?.(before + count) },
      options,
    );
    total += pass.total;
    for (const [resource, count] of Object.entries(pass.taken))
      taken[resource] = (taken[resource] ?? 0) + count;
    idle = pass.total === 0 ? idle + 1 : 0;
    const isFree = idle > 0 && pass.failures.length === 0;
    if (isFree || idle >= PATIENCE || deps.signal.aborted) return { ...pass, taken, total };
    await pause(deps.clock, BETWEEN_PASSES_MS, deps.signal);
  }
}
