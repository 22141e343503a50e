export * from './annotations.ts';
export * from './api-version.ts';
export { boundUid } from './choose-job.ts';
export { buildJobCrds } from './job-crds.ts';
export * from './job-done-watcher.ts';
export * from './names.ts';
export { redeliveryAsked } from './redelivery.ts';
export * from './webhook-delivery.ts';
export * from './webhook.ts';
export { createJobCaches, type JobCaches } from './job-caches.ts';
export {
  createJobController,
  type JobController,
  type JobControllerDeps,
  type JobControllerOptions,
} from './job-controller.ts';
export { readAsks, type JobFacts } from './job-facts.ts';
export { readJob, readWebhook } from './live-objects.ts';
export type { KnownDelivery } from './known-delivery.ts';
export { parseFamilies, syncFamilies, type JobFamily } from './families.ts';
