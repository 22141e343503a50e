import express from 'express';
import type { Config, Part as PartName } from '../config/index.ts';
import { createHttpListener } from '../http/index.ts';
import {
  createHealthRouter,
  createLogger,
  createMetrics,
  type Logger,
  type ReadinessCheck,
} from '../observability/index.ts';
import { admissionPart } from './admission-part.ts';
import { listenerMetrics } from './area-metrics.ts';
import { callbacksPart } from './callbacks-part.ts';
import { controllerPart } from './controller-part.ts';
import { gatePart } from './gate-part.ts';
import { jobsPart } from './jobs-part.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { createShared, type Part, type Shared } from './shared.ts';
import { VERSION } from './version.ts';

const PART_BUILDERS: Readonly<Record<PartName, (shared: Shared) => Part>> = {
  admission: admissionPart,
  gate: gatePart,
  callbacks: callbacksPart,
  controller: controllerPart,
  jobs: jobsPart,
};

/**
 * Whoever takes thousands of finalizers off while everything is deleted gets more time than a rollout. The token of a ServiceAccount that is
 * deleted is good for 60 s; with the usual deadline of 25 s this stays below it.
 */
const UNINSTALL_OVERRUN_MS = 30_000;

/** Runs the parts that the configuration names until SIGTERM or SIGINT; resolves when they run. @throws when one cannot start */
export async function serve(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel });
  const metrics = createMetrics({
    beforeRender(m) {
      expiryMetrics(m, shared);
      for (const part of parts) part.beforeScrape?.();
    },
  });
  const shared = createShared(config, logger, metrics);
  const parts = config.parts.map((name) => PART_BUILDERS[name](shared));
  const checks: ReadinessCheck[] = [
    { name: 'not-stopping', ready: () => !lifecycle.stopping() },
    ...(needsCertificates(config) ? [{ name: 'certificates', ready: () => shared.pki.ready() }] : []),
    ...parts.flatMap((part) => part.checks),
  ];

  const health = createHttpListener({
    name: 'health',
    host: config.health.host,
    port: config.health.port,
    onRequest: express().use(createHealthRouter({ checks: () => checks, metrics: () => metrics.render() })),
    logger,
    metrics: listenerMetrics(metrics),
  });
  const lifecycle: Lifecycle = createLifecycle(
    [
      health,
      ...parts.flatMap((part) => part.beforeCertificates ?? []),
      ...(needsPki(config) ? [shared.pki] : []),
      ...parts.flatMap((part) => part.components),
    ],
    logger,
    {
      shutdownDelayMs: config.shutdownDelay,
      shutdownDeadlineMs: config.shutdownDeadline,
      overrunMs: UNINSTALL_OVERRUN_MS,
    },
  );
  stopOnSignals(lifecycle, shared, logger);
  await lifecycle.start();
  if (lifecycle.stopping()) return;
  logger.info('started', {
    version: VERSION,
    parts: config.parts,
    healthPort: health.port(),
    identity: shared.identity,
  });
}

/** Job-done webhooks over plain HTTP have nothing to do with the service's CA, and no right to it. */
function needsPki(config: Config): boolean {
  return config.jobs.tls || config.parts.some((part) => part !== 'jobs');
}

function needsCertificates(config: Config): boolean {
  return needsPki(config) && config.parts.some((part) => part !== 'controller');
}

function stopOnSignals(lifecycle: Lifecycle, shared: Shared, logger: Logger): void {
  const stop = (): void => {
    void lifecycle.stop().then(async (inTime) => {
      await shared.events.flush();
      shared.client.close();
      logger.info('stopped', { inTime });
      // What is still open at the deadline has been told; it must not hold the process.
      process.exit(inTime ? 0 : 1);
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // A promise that nobody waits for must not end the process in silence.
  process.on('unhandledRejection', (error) => {
    logger.error('unhandled rejection', { error: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    stop();
  });
}

function expiryMetrics(metrics: Shared['metrics'], shared: Shared): void {
  const { caNotAfter, servingNotAfter } = shared.pki.expiry();
  for (const [certificate, notAfter] of Object.entries({ ca: caNotAfter, serving: servingNotAfter })) {
    if (notAfter !== undefined)
      metrics.set('krake_hooks_certificate_expiry_timestamp_seconds', { certificate }, notAfter / 1000);
  }
}
