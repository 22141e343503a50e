import { readObject, type AdmissionRequest, type JsonObject } from '../review/index.ts';
import type { Problem } from './decision.ts';
import { readMeta, type Meta } from './object-meta.ts';

/**
 * True when the stored object has the very same problem: it came while admission was away. Refusing every later update of it, also a
 * controller's, would help nobody; its pods are refused until it is solved.
 */
export function isOlderProblem(
  request: AdmissionRequest,
  problem: Problem,
  examine: (object: JsonObject, meta: Meta) => { readonly problem: Problem | undefined },
): boolean {
  const object = readObject(request.oldObject, 'oldObject');
  if (request.operation !== 'UPDATE' || object === undefined) return false;
  return (
    examine(object, readMeta(object.metadata, 'oldObject.metadata')).problem?.message === problem.message
  );
}
