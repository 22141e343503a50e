import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { inClusterUrl, type Config } from '../config/index.ts';
import {
  createEventRecorder,
  createKubeClient,
  type EventRecorder,
  type FullKubeClient,
} from '../kube/index.ts';
import type { Logger, Metrics, ReadinessCheck } from '../observability/index.ts';
import { createFilesPki, createSelfManagedPki, type Pki } from '../pki/index.ts';
import type { Component } from './lifecycle.ts';
import { VERSION } from './version.ts';
import { admissionWebhooks, gateWebhooks } from './webhook-configurations.ts';

/** What the parts of one process share. */
export interface Shared {
  readonly config: Config;
  readonly client: FullKubeClient;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly events: EventRecorder;
  readonly pki: Pki;
  /** Unique for this start of the process. */
  readonly identity: string;
}

/** A part of the service: what is started, in this order, and what must hold before the process is ready. */
export interface Part {
  /** Started before the certificates are there, which may take for ever: a namespace that is being deleted takes no Secret any more. */
  readonly beforeCertificates?: readonly Component[];
  readonly components: readonly Component[];
  readonly checks: readonly ReadinessCheck[];
  /** Sets the metrics that are only known when asked. */
  readonly beforeScrape?: () => void;
}

export function createShared(config: Config, logger: Logger, metrics: Metrics): Shared {
  const part = config.parts.length === 1 ? config.parts[0] : undefined;
  const component = part === undefined ? 'krake-hooks' : `krake-hooks-${part}`;
  const apiServer = inClusterUrl();
  const client = createKubeClient({
    userAgent: `${component}/${VERSION}`,
    ...(config.kubeconfig !== undefined && { kubeconfigPath: config.kubeconfig }),
    ...(config.kubeContext !== undefined && { context: config.kubeContext }),
    ...(apiServer !== undefined && { inClusterUrl: apiServer }),
    ...(part === 'controller' && { requestsPerSecond: config.controller.requestsPerSecond }),
    ...(part === 'jobs' && { requestsPerSecond: config.jobs.requestsPerSecond }),
  });
  const events = createEventRecorder({ client, component, instance: hostname(), logger });
  return {
    config,
    client,
    logger,
    metrics,
    events,
    pki: createPki(config, client, logger, events),
    identity: `${hostname()}_${randomBytes(4).toString('hex')}`,
  };
}

function createPki(config: Config, client: FullKubeClient, logger: Logger, events: EventRecorder): Pki {
  const { pki, namespace } = config;
  if (pki.mode === 'files') {
    return createFilesPki({ logger }, { certFile: pki.certFile, keyFile: pki.keyFile, caFile: pki.caFile });
  }
  return createSelfManagedPki(
    { client, logger, events },
    {
      namespace,
      caSecretName: pki.caSecretName,
      caLifetimeMs: pki.caLifetime,
      leafLifetimeMs: pki.leafLifetime,
      trustDelayMs: pki.trustDelay,
      ...(pki.patchCaBundle && {
        webhookConfigurations: [admissionWebhooks(config), gateWebhooks(config)],
      }),
    },
  );
}
