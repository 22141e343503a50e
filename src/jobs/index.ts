export * from './annotations.ts';
export * from './api-version.ts';
export { buildJobCrds } from './job-crds.ts';
export * from './job-done-watcher.ts';
export * from './names.ts';
export * from './webhook-delivery.ts';
export * from './webhook.ts';
