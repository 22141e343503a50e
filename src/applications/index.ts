export { buildApplicationCrd } from './application-crd.ts';
export {
  createApplicationController,
  type ApplicationController,
  type ApplicationControllerDeps,
  type ApplicationControllerOptions,
} from './application-controller.ts';
export * from './application.ts';
export type { ControllerMetrics, TrustSource } from './controller-deps.ts';
