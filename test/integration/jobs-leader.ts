import { createJobsRuntime } from '../../src/cli/jobs-runtime.ts';
import { configSchema } from '../../src/config/index.ts';
import { createOutcomeWriter } from '../../src/deliveries/index.ts';
import { createJobCaches, type JobCaches } from '../../src/jobs/index.ts';
import type { FullKubeClient } from '../../src/kube/index.ts';
import { createHostResolver, createOutboundCaller, type ResolveHost } from '../../src/outbound/index.ts';
import { createRecordingLogger } from '../unit/kube/recording-logger.ts';
import { eventually } from './jobs-setting.ts';

/** What the leader runs, in this process, with what a process of its own would not let a test exchange. */
export interface JobsLeader {
  readonly caches: JobCaches;
  /** Ends at once, as a death would: what is under way is cut. */
  end(): Promise<void>;
}

export interface JobsLeaderOptions {
  readonly client: FullKubeClient;
  readonly resolveHost?: ResolveHost;
  readonly maxRefusals?: number;
}

export async function startJobsLeader(options: JobsLeaderOptions): Promise<JobsLeader> {
  const { client, resolveHost = createHostResolver(), maxRefusals = 5 } = options;
  const config = configSchema.parse({
    jobs: { retryBase: '50ms', retryCap: '100ms', breakerOpen: '50ms', maxRefusals },
    outbound: { allowCidrs: ['127.0.0.0/8'], connectTimeout: '30s' },
  });
  const logger = createRecordingLogger();
  const ended = new AbortController();
  const caches = createJobCaches({ client, logger }, []);
  const caller = createOutboundCaller(
    {
      resolveHost,
      apiServers: () => Promise.resolve([]),
      metrics: { called: () => undefined, load: () => undefined },
      logger,
      monotonic: () => performance.now(),
    },
    { ...config.outbound, userAgent: 'test', maxConcurrentCalls: 10 },
  );
  const outcomes = createOutcomeWriter({ client, logger, isBusy: () => false });
  const runtime = createJobsRuntime(
    {
      client,
      caches,
      caller,
      outcomes,
      events: { record: () => undefined, flush: () => Promise.resolve() },
      logger,
      delivererMetrics: { attempted: () => undefined, ended: () => undefined },
    },
    config,
  );
  await caches.start(ended.signal);
  await eventually('the caches', () => caches.ready());
  await outcomes.start(ended.signal);
  await runtime.start(ended.signal);
  return {
    caches,
    async end() {
      ended.abort(new Error('killed'));
      await caller.close();
      await Promise.all([runtime.stop(), outcomes.stop(), caches.stop()]);
    },
  };
}
