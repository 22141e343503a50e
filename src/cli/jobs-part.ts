import { once } from 'node:events';
import {
  createHttpListener,
  createHttpsListener,
  type Listener,
  type ListenerOptions,
} from '../http/index.ts';
import { createOutcomeWriter } from '../deliveries/index.ts';
import { createJobCaches, type JobCaches } from '../jobs/index.ts';
import { createAuthorize, createJobsRouter } from '../jobs-api/index.ts';
import { createLeaderElector, pause, systemClock } from '../kube/index.ts';
import { createAddressPolicy } from '../outbound/index.ts';
import { servingNames } from '../pki/index.ts';
import {
  delivererMetrics,
  jobsApiMetrics,
  listenerMetrics,
  queueMetrics,
  reflectorMetrics,
} from './area-metrics.ts';
import { keepFamilies } from './job-families.ts';
import { apiServersOf, createOutbound } from './outbound.ts';
import { createJobsRuntime, type JobsRuntime } from './jobs-runtime.ts';
import type { Part, Shared } from './shared.ts';

const SYNC_POLL_MS = 10;

/** Job-done webhooks: watch caches and the REST listener on each replica; on the leader, the job controller and the deliverer. */
export function jobsPart(shared: Shared): Part {
  const { config, client, logger, metrics, events, identity } = shared;
  const { jobs, namespace } = config;
  const log = logger.child({ part: 'jobs' });
  const caches = createJobCaches({ client, logger: log, metrics: reflectorMetrics(metrics) }, [namespace]);
  const caller = createOutbound(shared, config.outbound, { ownNamespace: namespace });
  const router = createJobsRouter({
    client,
    caches,
    policy: createAddressPolicy(config.outbound),
    services: { ownNamespace: namespace, inClusterNamespaces: config.outbound.inClusterNamespaces },
    apiServers: apiServersOf(shared),
    authorize: createAuthorize(client, jobs, { now: Date.now, monotonic: () => performance.now() }),
    logger: log,
    metrics: jobsApiMetrics(metrics),
    monotonic: () => performance.now(),
  });
  const listener = createRestListener(shared, router);
  let running: JobsRuntime | undefined;
  const outcomes = createOutcomeWriter({ client, logger: log, isBusy: () => running?.busy() === true });

  const lead = async (signal: AbortSignal): Promise<void> => {
    if (!(await filled(caches, signal))) return;
    // Before the first event is told of.
    await new Promise<void>((resolve) => void keepFamilies(shared, signal, resolve));
    const runtime = createJobsRuntime(
      {
        client,
        caches,
        caller,
        outcomes,
        events,
        logger: log,
        delivererMetrics: delivererMetrics(metrics),
        queueMetrics: queueMetrics(metrics),
      },
      config,
    );
    running = runtime;
    // Whether the lease is lost or given back: nothing more is begun from here on, and what has been sent is seen to its end.
    const cut = new AbortController();
    await runtime.start(cut.signal);
    if (!signal.aborted) await once(signal, 'abort');
    await runtime.stop();
    cut.abort();
    running = undefined;
  };

  const elector = createLeaderElector({
    client,
    namespace,
    leaseName: jobs.leaseName,
    identity,
    leaseDurationMs: jobs.leaseDuration,
    renewDeadlineMs: jobs.renewDeadline,
    retryPeriodMs: jobs.retryPeriod,
    onStartedLeading: lead,
    logger: log,
  });
  const outbound = {
    name: 'jobs: outbound calls',
    start: () => Promise.resolve(),
    stop: () => caller.close(),
    ready: () => true,
  };

  return {
    components: [outbound, caches, outcomes, listener, elector],
    checks: [
      { name: 'jobs: listener', ready: () => listener.ready() },
      { name: 'jobs: caches synced', ready: () => caches.ready() },
      {
        name: 'jobs: standby, or leader at work',
        ready: () => (elector.isLeader() ? running?.ready() === true : elector.ready()),
      },
    ],
    beforeScrape() {
      metrics.set('krake_hooks_leader', {}, elector.isLeader() ? 1 : 0);
      metrics.set('krake_hooks_deliveries_pending', {}, running?.pending() ?? 0);
      metrics.set(
        'krake_hooks_deliveries_oldest_pending_seconds',
        {},
        running === undefined ? 0 : oldestSeconds(caches),
      );
    },
  };
}

function createRestListener(
  { config, logger, metrics, pki }: Shared,
  onRequest: ListenerOptions['onRequest'],
): Listener {
  const { jobs, namespace } = config;
  const options = {
    name: 'jobs',
    host: jobs.host,
    port: jobs.port,
    onRequest,
    logger,
    metrics: listenerMetrics(metrics),
  };
  if (!jobs.tls) return createHttpListener(options);
  const names = servingNames({ serviceName: jobs.serviceName, namespace, extraNames: jobs.extraNames });
  return createHttpsListener({ ...options, tls: pki.tlsSource(names) });
}

async function filled(caches: JobCaches, signal: AbortSignal): Promise<boolean> {
  while (!caches.ready() && !signal.aborted) await pause(systemClock, SYNC_POLL_MS, signal);
  return !signal.aborted;
}

function oldestSeconds(caches: JobCaches): number {
  let oldest = Date.now();
  for (const { open } of caches.deliveries.store.values()) {
    // What is held in a namespace that was opted out is in nobody's way.
    if (open !== undefined && !caches.isOptedIn(open.metadata.namespace)) continue;
    const at = Date.parse(open?.metadata.creationTimestamp ?? '');
    if (at < oldest) oldest = at;
  }
  return (Date.now() - oldest) / 1_000;
}
