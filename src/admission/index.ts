export {
  ADMISSION_PATH,
  createAdmissionHandler,
  type AdmissionHandlerDeps,
  type AdmissionHandlerOptions,
} from './admission-handler.ts';
export type { AdmissionMetrics, ReviewOutcome, ReviewReason } from './admission-metrics.ts';
export type { Decision, DenialReason, PatchReason, Reason, SkipReason } from './decision.ts';
export type { PatchOperation } from './json-patch.ts';
export { review } from './review.ts';
export { buildAdmissionSettings, type AdmissionSettings } from './settings.ts';
