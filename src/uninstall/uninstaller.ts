import {
  createReflector,
  KubeApiError,
  pause,
  systemClock,
  type Clock,
  type FullKubeClient,
  type KubeObject,
  type Reflector,
  type Resource,
} from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { insist } from './insist.ts';
import { CLUSTER_ROLES, CONTROLLER_ROLE, giveUpOwnRights } from './own-rights.ts';
import { releaseEverything, type Released } from './release-everything.ts';

export interface UninstallerDeps {
  readonly client: Pick<
    FullKubeClient,
    'list' | 'watch' | 'get' | 'create' | 'patch' | 'delete' | 'patchTogether'
  >;
  readonly logger: Logger;
  /** Whether this replica leads now: the others leave the work to it for a while. */
  readonly leads: () => boolean;
  /**
   * Called once, when it begins: resolves when this process puts no finalizer on anything any more, nor ever will. Waited for, but not for
   * longer than some seconds.
   */
  readonly onBegin: () => Promise<void>;
  /** Called once, when nothing is held any more and the rights are given up: the process has nothing more to do. */
  readonly onDone: () => void;
  readonly clock?: Clock;
}

export interface UninstallerOptions {
  /** The service's own namespace. */
  readonly namespace: string;
  /** The gate's: nobody would answer it. */
  readonly validatingWebhookConfiguration: string;
}

/** A component that runs in every replica of the controller, leader or not. */
export interface Uninstaller {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  /** Looks once more whether we are being uninstalled; if so, resolves only when that is done, or has failed for good. */
  stop(): Promise<void>;
  ready(): boolean;
  /** It has begun and not ended: it should not be cut short. */
  overrunning(): boolean;
}

const NAMESPACES = { apiVersion: 'v1', plural: 'namespaces' } as const;
const VALIDATING_WEBHOOK_CONFIGURATIONS = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  plural: 'validatingwebhookconfigurations',
} as const;

const LONGEST_BEGIN_MS = 5_000;
/** Of the leader, after the deletion began: whoever comes later than that, as a container that is restarted, gives none. */
const HEAD_START_MS = 12_000;
/** Other replicas see the same within a second; what their leader has put back until then is found afterwards. */
const SETTLE_MS = 3_000;
const BETWEEN_PASSES_MS = 500;
/** So many passes in a row that have found nothing, and nothing being deleted, end it. */
const IDLE_PASSES = 2;
/**
 * Kubernetes deletes the Applications one by one when their kind is deleted. With thousands of them there is no time to wait for that: the token
 * is good for 60 s after the deletion began. So this is counted from there, too; whoever comes late waits for the least.
 */
const LONGEST_WAIT_FOR_DELETIONS_MS = 25_000;
const LEAST_WAIT_FOR_DELETIONS_MS = 8_000;
const FAILURE_PAUSE_MS = 1_000;
const LAST_LOOK_MS = 3_000;
/** Of many failures these are enough to see why. */
const FAILURES_TOLD = 5;

/**
 * Takes every finalizer of ours off when the service is being uninstalled, which shows in its ClusterRole or its namespace being deleted: whoever
 * deletes all manifests at once would otherwise wait for good for what only we can do. The ClusterRole, its binding and the ServiceAccount have a
 * finalizer themselves, so that we may still do it; it goes last. Where anything is left that cannot be released, they stay, and with them the
 * deletion visibly hangs: `krake-hooks uninstall` ends it.
 */
export function createUninstaller(deps: UninstallerDeps, options: UninstallerOptions): Uninstaller {
  const { client, logger, clock = systemClock } = deps;
  let reflectors: readonly Reflector<object>[] = [];
  let cut: AbortSignal = AbortSignal.abort();
  /** Plurals of what was seen being deleted. */
  const going = new Set<string>();
  let run: Promise<void> | undefined;
  let ended = false;

  function look({ plural }: Resource, { metadata }: KubeObject): undefined {
    if (metadata.deletionTimestamp === undefined) return;
    going.add(plural);
    const ageMs = Math.max(0, clock.now() - Date.parse(metadata.deletionTimestamp));
    run ??= carryOut(`${plural} ${metadata.name ?? ''} is being deleted`, ageMs).finally(() => {
      ended = true;
    });
  }

  /** @param ageMs how long ago the deletion began, by our clock and the API server's */
  async function carryOut(reason: string, ageMs: number): Promise<void> {
    logger.info('we are being uninstalled: all finalizers are taken off', { reason, ageMs });
    const startedAt = clock.monotonic();
    const leads = deps.leads();
    await stopWorking();
    // Two that go through the same list would only get into each other's way. A leader that is done has taken our rights along.
    if (!leads) await pause(clock, Math.max(0, HEAD_START_MS - ageMs), cut);
    while (!cut.aborted) {
      try {
        await removeGate();
        const finalizers = await releaseAll(startedAt, ageMs);
        await removeGate();
        const own = await giveUpOwnRights({ client, clock, signal: cut });
        const ms = Math.round(clock.monotonic() - startedAt);
        logger.info('nothing is held any more', { finalizers, own, ms });
        deps.onDone();
        return;
      } catch (error) {
        if (isWithoutRights(error)) {
          logger.info(
            'our rights are gone: another replica was faster, or "krake-hooks uninstall" has to end it',
          );
          deps.onDone();
          return;
        }
        logger.warn('the uninstallation does not get on; it is tried again', { error: String(error) });
        await pause(clock, FAILURE_PAUSE_MS, cut);
      }
    }
    logger.error('the uninstallation was cut off: "krake-hooks uninstall" ends it from outside');
  }

  async function stopWorking(): Promise<void> {
    const stopped = deps.onBegin().catch((error: unknown) => {
      logger.warn('the controller did not stop cleanly', { error: String(error) });
    });
    await Promise.race([stopped, pause(clock, LONGEST_BEGIN_MS, cut)]);
  }

  /** With its namespace alone deleted, the gate's webhook would stay and refuse every deletion. */
  async function removeGate(): Promise<void> {
    if (!going.has(NAMESPACES.plural)) return;
    const ref = { resource: VALIDATING_WEBHOOK_CONFIGURATIONS, name: options.validatingWebhookConfiguration };
    const request = { signal: cut, urgent: true };
    try {
      const found = await insist({ clock, signal: cut }, () =>
        client.get(ref, { ...request, metadataOnly: true }),
      );
      const uid = found?.metadata.uid;
      if (uid !== undefined)
        await insist({ clock, signal: cut }, () => client.delete(ref, { ...request, uid }));
    } catch (error) {
      logger.warn('the webhook configuration of the gate could not be deleted', { error: String(error) });
    }
  }

  /** Resolves with the number of finalizers taken off, once all has been quiet. Rejects when our rights are gone or we are cut off. */
  async function releaseAll(startedAt: number, ageMs: number): Promise<number> {
    const elapsedMs = () => clock.monotonic() - startedAt;
    const longestMs = Math.max(LEAST_WAIT_FOR_DELETIONS_MS, LONGEST_WAIT_FOR_DELETIONS_MS - ageMs);
    let total = 0;
    for (let idle = 0; idle < IDLE_PASSES && elapsedMs() < longestMs;) {
      const pass = await onePass('deleted');
      total += pass.total;
      const isQuiet = pass.total === 0 && pass.beingDeleted === 0 && pass.failures.length === 0;
      idle = isQuiet && elapsedMs() >= SETTLE_MS ? idle + 1 : 0;
      await pause(clock, pass.failures.length > 0 ? FAILURE_PAUSE_MS : BETWEEN_PASSES_MS, cut);
    }
    // Applications that nobody deletes stay; their finalizers do not.
    for (;;) {
      const pass = await onePass('all');
      total += pass.total;
      if (pass.total === 0 && pass.failures.length === 0) return total;
      if (pass.failures.length > 0) await pause(clock, FAILURE_PAUSE_MS, cut);
    }
  }

  async function onePass(applications: 'deleted' | 'all'): Promise<Released> {
    if (cut.aborted) throw new Error('the process was cut off before all was done');
    const pass = await releaseEverything(
      { client, clock, signal: cut },
      { secrets: 'of-applications', applications },
    );
    for (const { object, error } of pass.failures.slice(0, FAILURES_TOLD))
      logger.warn('a finalizer could not be taken off', { object, error: String(error) });
    if (pass.total > 0) logger.info('finalizers taken off', { ...pass.taken });
    return pass;
  }

  const watch = (resource: Resource, name: string) =>
    createReflector<object>({
      client,
      resource,
      logger,
      fieldSelector: `metadata.name=${name}`,
      metadataOnly: true,
      project: (object) => look(resource, object),
      onChange: () => undefined,
    });

  async function lookOnceMore(): Promise<void> {
    for (const [resource, name] of [
      [CLUSTER_ROLES, CONTROLLER_ROLE],
      [NAMESPACES, options.namespace],
    ] as const) {
      const { items } = await client.list(resource, undefined, {
        fieldSelector: `metadata.name=${name}`,
        metadataOnly: true,
        timeoutMs: LAST_LOOK_MS,
        urgent: true,
      });
      for (const item of items) look(resource, item);
    }
  }

  return {
    name: 'uninstaller',
    async start(signal) {
      cut = signal;
      reflectors = [watch(CLUSTER_ROLES, CONTROLLER_ROLE), watch(NAMESPACES, options.namespace)];
      await Promise.all(reflectors.map((reflector) => reflector.start(signal)));
    },
    async stop() {
      if (run === undefined)
        await lookOnceMore().catch((error: unknown) => {
          logger.debug('whether we are being uninstalled could not be read', { error: String(error) });
        });
      await run;
      await Promise.all(reflectors.map((reflector) => reflector.stop()));
    },
    ready: () => true,
    overrunning: () => run !== undefined && !ended,
  };
}

/** Lists and reads are refused for this alone; of a write it might be somebody's admission webhook. */
function isWithoutRights(error: unknown): boolean {
  return error instanceof KubeApiError && (error.status === 401 || error.status === 403);
}
