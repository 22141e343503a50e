export { ANNOTATION_REFERENCE, REQUEST_REFERENCE, type AnnotationEntry } from './annotation-reference.ts';
export * from './application-name.ts';
export * from './callback-url.ts';
export { didYouMean } from './did-you-mean.ts';
export { formatDuration, parseDuration } from './duration.ts';
export { parseHookAnnotations, splitList, withOwnSettings, type HookRequest } from './hook-annotations.ts';
export * from './job-annotations.ts';
export * from './labels.ts';
export { DEFAULT_SHUTDOWN, type ShutdownChoice } from './shutdown-annotations.ts';
export { parseShutdownService, type ShutdownService } from './shutdown-service.ts';
export {
  formatPersonRequest,
  isRotateRequest,
  parsePersonRequest,
  MAX_GRACE_MS,
  MAX_REQUEST_LENGTH,
  type ParsedRequest,
} from './person-request.ts';
