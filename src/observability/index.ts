export { createLogger, type LoggerOptions } from './create-logger.ts';
export { createHealthRouter, type HealthDeps, type ReadinessCheck } from './health-router.ts';
export type { LogFields, Logger } from './logger.ts';
