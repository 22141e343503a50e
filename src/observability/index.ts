export { createLogger, type LoggerOptions } from './create-logger.ts';
export { createMetrics, type Metrics, type MetricsOptions } from './create-metrics.ts';
export { createHealthRouter, type HealthDeps, type ReadinessCheck } from './health-router.ts';
export type { LogFields, Logger } from './logger.ts';
export { METRICS, type MetricDefinition, type MetricName } from './metric-table.ts';
