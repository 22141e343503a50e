export { OPERATIONS, type AdmissionRequest, type Operation } from './admission-request.ts';
export { boundWarnings } from './bound-warnings.ts';
export { MalformedObjectError } from './malformed-object-error.ts';
export {
  readObject,
  readObjects,
  readString,
  readStringMap,
  type JsonObject,
  type StringMap,
} from './object-shape.ts';
export {
  createReviewHandler,
  describeRequest,
  BODY_LIMIT_BYTES,
  type ReviewAnswer,
  type ReviewHandler,
  type ReviewHandlerDeps,
  type ReviewHandlerOptions,
} from './review-handler.ts';
export { MIN_SECRET_LENGTH, type ReviewCallers, type SecretSegment } from './review-callers.ts';
export { allowed, errored, patched, refused, type Refusal, type Told } from './review-response.ts';
