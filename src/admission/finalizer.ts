import { FINALIZER_SHUTDOWN } from '../contract/index.ts';
import type { PatchBuilder } from './json-patch.ts';
import type { Meta } from './object-meta.ts';

const FINALIZERS = '/metadata/finalizers';

/**
 * Puts the shutdown finalizer behind those of others, or takes it off; theirs stay, in their order. No step when it is so already. Never for
 * an object that is being deleted: from those the controller takes it, once the application has said goodbye.
 */
export function planFinalizer(patch: PatchBuilder, meta: Meta, isWanted: boolean): void {
  const finalizers = meta.finalizers ?? [];
  if (isWanted) {
    if (!finalizers.includes(FINALIZER_SHUTDOWN)) {
      patch.append(FINALIZERS, meta.finalizers, [FINALIZER_SHUTDOWN]);
    }
    return;
  }
  // From the end: each index still fits when those behind it are gone. Nothing keeps a finalizer from standing there twice.
  for (let i = finalizers.length - 1; i >= 0; i--) {
    if (finalizers[i] === FINALIZER_SHUTDOWN) patch.remove(`${FINALIZERS}/${i}`);
  }
}
