import { setMaxListeners } from 'node:events';
import {
  createWorkQueue,
  pause,
  systemClock,
  type FullKubeClient,
  type ProcessResult,
  type ReflectorMetrics,
  type WorkQueueMetrics,
} from '../kube/index.ts';
import type { Phase } from './application.ts';
import { createApplicationIndex, keyOf } from './application-index.ts';
import { sha256 } from './application-secret.ts';
import { firstLookMs, isSettled } from './application-summary.ts';
import type { CertificateSource, ReconcileDeps, TrustSource } from './controller-deps.ts';
import { createOwnWrites } from './own-writes.ts';
import { createRecentReads } from './recent-reads.ts';
import { createConversationCalls } from './shutdown/conversation-calls.ts';
import { createDeadlines } from './shutdown/deadlines.ts';
import { reconcileApplication, type CachedView } from './reconcile-application.ts';
import { reconcileCronJob } from './reconcile-cron-job.ts';
import type { PlanTime } from './situation.ts';
import { createWatchedResources } from './watched-resources.ts';

export interface ApplicationControllerDeps extends ReconcileDeps {
  readonly client: FullKubeClient;
  readonly trustBundle: TrustSource;
  readonly certificates: CertificateSource | undefined;
  readonly reflectorMetrics?: ReflectorMetrics;
  readonly queueMetrics?: WorkQueueMetrics;
  /** A clock that is never set, ms; default performance.now. */
  readonly monotonic?: () => number;
  /** Numbers in [0, 1); default Math.random. */
  readonly random?: () => number;
}

export interface ApplicationControllerOptions {
  readonly workers: number;
  readonly resyncIntervalMs: number;
  readonly finishedTtlMs: number;
  /** Age at which tokens are replaced, and how long the former ones are still taken; undefined or 0: never by itself. */
  readonly tokens?: PlanTime['tokens'];
  /** The service's own namespace; Kubernetes' own are left out in any case. */
  readonly excludedNamespaces: readonly string[];
}

export interface ApplicationController {
  readonly name: string;
  /** Begins to watch and, once all watch caches are filled, to work; resolves at once. To be called once: a new leader makes a new controller. */
  start(signal: AbortSignal): Promise<void>;
  /** Begins nothing more and waits for what is under way. */
  stop(): Promise<void>;
  /** The watch caches are filled and the workers run. */
  ready(): boolean;
  /** How many Applications are in each phase, as the watch cache knows them. */
  phases(): ReadonlyMap<Phase | 'None', number>;
}

/** Pods come and go in bursts; one look after each burst is enough. */
const SETTLE_MS = 200;
const SYNC_POLL_MS = 10;
/** A new CA bundle is in all Secrets after this time, or faster: 20 ms an Application. */
const BUNDLE_SPREAD_MS = 60_000;
const BUNDLE_STEP_MS = 20;
/** Certificates of the former issuer are still taken, and each costs a key and a signature. */
const ISSUER_SPREAD_MS = 600_000;
const BUNDLE_RETRY_MS = 1_000;
const CRON_JOB = 'cronjob:';

/**
 * Keeps Applications, their Secrets and the stamps of workloads in order, and carries out complete signals. To be run by the leader alone; that
 * a second one runs for a moment does no harm, since each write says upon which state it was decided.
 */
export function createApplicationController(
  deps: ApplicationControllerDeps,
  options: ApplicationControllerOptions,
): ApplicationController {
  const { client, logger, trustBundle, certificates, random = Math.random } = deps;
  const index = createApplicationIndex();
  const ownWrites = createOwnWrites();
  const fingerprint = createFingerprint();
  const calls = createConversationCalls((key) => enqueue(key));
  const monotonic = deps.monotonic ?? (() => performance.now());
  const deadlines = createDeadlines(deps.now, monotonic);
  const recentReads = createRecentReads(monotonic);
  let synced = false;
  let run: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;

  const queue = createWorkQueue<string>({
    name: 'applications',
    process: (key, signal) =>
      key.startsWith(CRON_JOB) ? processCronJob(key, signal) : processApplication(key, signal),
    workers: options.workers,
    logger,
    ...(deps.queueMetrics === undefined ? {} : { metrics: deps.queueMetrics }),
  });

  const watched = createWatchedResources({
    client,
    logger,
    reflectorMetrics: deps.reflectorMetrics,
    excludedNamespaces: options.excludedNamespaces,
    onNamespace(name) {
      for (const key of allKeys()) if (key.startsWith(`${name}/`)) changed(key);
      for (const key of watched.cronJobs.store.keys())
        if (key.startsWith(`${name}/`)) enqueue(CRON_JOB + key);
    },
    onApplication(key, after) {
      if (after === undefined || ownWrites.isForeign(key, after.resourceVersion)) changed(key);
    },
    onMember(before, after) {
      index.changeMember(before, after);
      // Its pods go right after it.
      if (before !== undefined) changed(keyOf(before), after === undefined ? SETTLE_MS : 0);
      if (after !== undefined) changed(keyOf(after));
    },
    onPod(before, after) {
      index.changePod(before, after);
      for (const pod of [before, after]) {
        if (pod === undefined) continue;
        const key = keyOf(pod);
        const canWait = pod.self === undefined && watched.applications.get(key) !== undefined;
        changed(key, canWait ? SETTLE_MS : 0);
        if (pod.self !== undefined && keyOf(pod.self) !== key) changed(keyOf(pod.self));
      }
    },
    onCronJob(before, after) {
      const facts = after ?? before;
      if (facts !== undefined) enqueue(`${CRON_JOB}${facts.namespace}/${facts.name}`);
    },
  });

  function changed(key: string, delayMs?: number): void {
    recentReads.forget(key);
    enqueue(key, delayMs);
  }

  function enqueue(key: string, delayMs = 0): void {
    // Until all caches are filled, what one of them lacks may be in another.
    if (!synced) return;
    if (delayMs > 0) queue.addAfter(key, delayMs);
    else queue.add(key);
  }

  const caBundle = (): string => trustBundle.pem() + (certificates?.chainPem() ?? '');
  const allKeys = (): Set<string> => new Set([...index.keys(), ...watched.applications.store.keys()]);

  function namespaceState(namespace: string): CachedView['namespaceState'] {
    const facts = watched.namespaces.get(namespace);
    if (facts === undefined) return 'disabled';
    return facts.terminating ? 'terminating' : 'enabled';
  }

  function viewOf(key: string): CachedView {
    const slash = key.indexOf('/');
    const namespace = key.slice(0, slash);
    return {
      namespace,
      name: key.slice(slash + 1),
      namespaceState: namespaceState(namespace),
      exists: watched.applications.get(key) !== undefined,
      members: [...index.members(key)],
      pods: [...index.pods(key)],
      caBundleSha256: fingerprint(caBundle()),
      issuerSha256: certificates?.issuerSha256(),
      issuerNotAfter: certificates?.issuerNotAfter(),
    };
  }

  const reconcileDeps = {
    ...deps,
    trustBundle: { pem: caBundle },
    view: viewOf,
    onOwnWrite: (version: string) => ownWrites.add(version),
    calls,
    deadlines,
    recentReads,
  };
  async function processApplication(key: string, signal: AbortSignal): Promise<ProcessResult> {
    ownWrites.begin(key);
    try {
      return await reconcileApplication(key, reconcileDeps, options, signal);
    } finally {
      if (ownWrites.end(key)) changed(key);
    }
  }

  async function processCronJob(key: string, signal: AbortSignal): Promise<ProcessResult> {
    const path = key.slice(CRON_JOB.length);
    const slash = path.indexOf('/');
    const namespace = path.slice(0, slash);
    if (namespaceState(namespace) !== 'enabled') return {};
    await reconcileCronJob(namespace, path.slice(slash + 1), deps, signal);
    return watched.cronJobs.get(path) === undefined ? {} : { requeueAfterMs: options.resyncIntervalMs };
  }

  /** What is in order is looked at some time during the first resync interval, so that a new leader has time for what is not. */
  function enqueueAll(): void {
    const now = deps.now();
    let settled = 0;
    const keys = allKeys();
    for (const key of keys) {
      const summary = watched.applications.get(key);
      if (summary === undefined || !isSettled(summary, viewOf(key))) {
        queue.add(key);
        continue;
      }
      settled += 1;
      const spread = firstLookMs(summary, now, random() * options.resyncIntervalMs);
      const expiresIn = summary.finishedAtMs + options.finishedTtlMs - now;
      queue.addAfter(key, summary.over ? Math.max(0, Math.min(expiresIn, spread)) : spread);
    }
    for (const key of watched.cronJobs.store.keys()) {
      queue.addAfter(CRON_JOB + key, random() * options.resyncIntervalMs);
    }
    logger.info('watch caches are filled', { applications: keys.size, settled });
  }

  function spread(what: string, withinMs: number): void {
    const keys = [...watched.applications.store.keys()];
    const stepMs = Math.min(BUNDLE_STEP_MS, withinMs / Math.max(1, keys.length));
    keys.forEach((key, position) => enqueue(key, 1 + position * stepMs));
    logger.info(what, { applications: keys.length });
  }
  const spreadNewBundle = () =>
    spread('the CA bundle has changed: it is written to all applications', BUNDLE_SPREAD_MS);
  const spreadNewIssuer = () =>
    spread('another certificate signs: all applications get new ones', ISSUER_SPREAD_MS);

  /** A bundle older than that of the leader before would take certificates away that are in use. */
  async function refreshBundle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await trustBundle.refresh();
        return;
      } catch (error) {
        logger.warn('the CA bundle could not be read; it is tried again', { error: String(error) });
        await pause(systemClock, BUNDLE_RETRY_MS, signal);
      }
    }
  }

  async function work(signal: AbortSignal): Promise<void> {
    await refreshBundle(signal);
    while (!watched.all.every((reflector) => reflector.ready())) {
      if (signal.aborted) return;
      await pause(systemClock, SYNC_POLL_MS, signal);
    }
    if (signal.aborted) return;
    synced = true;
    enqueueAll();
    for (const unsubscribe of [
      trustBundle.onChange(spreadNewBundle),
      certificates?.onChange(spreadNewIssuer),
    ])
      if (unsubscribe !== undefined) signal.addEventListener('abort', unsubscribe, { once: true });
    await queue.start(signal);
  }

  return {
    name: 'application controller',
    async start(signal) {
      if (run !== undefined) throw new Error('this controller was started before: make a new one');
      const controller = new AbortController();
      const both = AbortSignal.any([signal, controller.signal]);
      // One for each watch cache; more than ten is no leak here.
      setMaxListeners(0, both);
      run = { controller, ended: work(both) };
      await Promise.all(watched.all.map((reflector) => reflector.start(both)));
    },
    async stop() {
      await queue.stop();
      calls.stop();
      run?.controller.abort();
      await run?.ended;
      await Promise.all(watched.all.map((reflector) => reflector.stop()));
    },
    ready: () => synced && queue.ready(),
    phases() {
      const counts = new Map<Phase | 'None', number>();
      for (const { phase = 'None' } of watched.applications.store.values()) {
        counts.set(phase, (counts.get(phase) ?? 0) + 1);
      }
      return counts;
    },
  };
}

/** The bundle's hash, calculated once for each bundle. */
function createFingerprint(): (pem: string) => string {
  let last: { readonly pem: string; readonly hash: string } | undefined;
  return (pem) => {
    if (last?.pem !== pem) last = { pem, hash: sha256(pem) };
    return last.hash;
  };
}
