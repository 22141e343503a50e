export { createAuthorize, type Authorize, type AuthorizeOptions } from './authorize.ts';
export { createJobsRouter, type JobsApiMetrics, type JobsRouterDeps } from './jobs-router.ts';
export { buildOpenApi } from './openapi.ts';
