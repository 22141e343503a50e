import { KubeApiError, systemClock, type Clock, type EventRecorder, type KubeClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { createPoll } from './poll.ts';
import type { TrustBundle } from './trust-bundle.ts';
import {
  buildCaBundlePatch,
  objectRefOf,
  WEBHOOKS_API_VERSION,
  type WebhookConfiguration,
  type WebhookConfigurationRef,
} from './webhook-configuration.ts';

export interface CaBundleKeeperDeps {
  readonly client: Pick<KubeClient, 'get' | 'patch'>;
  readonly trustBundle: TrustBundle;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly events?: Pick<EventRecorder, 'record'>;
}

export interface CaBundleKeeperOptions {
  readonly webhookConfiguration: WebhookConfigurationRef;
  /** How often the configuration is read; default 5 s. A change of the trust bundle is written at once. */
  readonly pollIntervalMs?: number;
}

export interface CaBundleKeeper {
  readonly name: string;
  /** Resolves at once: a configuration that is missing or an API server that is away must not hold the service up. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** Always true once started: what counts for readiness is the serving check. */
  ready(): boolean;
  /** The live configuration had the trust bundle of this moment when it was last read. */
  verified(): boolean;
}

const POLL_INTERVAL_MS = 5_000;
const MAX_ATTEMPTS = 5;

/**
 * Keeps the caBundle of each webhook equal to the trust bundle, on any number of replicas at once, and puts back what others change. It
 * never makes the configuration and touches nothing else of it.
 *
 * A replica that lags behind must not undo what another one wrote: a difference makes it read the source of its own bundle again first, and
 * what it then writes holds only for the configuration that it read before.
 */
export function createCaBundleKeeper(
  deps: CaBundleKeeperDeps,
  options: CaBundleKeeperOptions,
): CaBundleKeeper {
  const { client, trustBundle, events } = deps;
  const { kind, name } = options.webhookConfiguration;
  const logger = deps.logger.child({ component: 'ca-bundle', kind, webhookConfiguration: name });
  const ref = objectRefOf(options.webhookConfiguration);
  /** The bundle that the live configuration was last seen with; undefined: it had another one. */
  let verifiedPem: string | undefined;
  let wasMissing = false;

  async function reconcile(): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (await attemptOnce()) return;
    }
    throw new Error('the webhook configuration kept changing while its caBundle was written');
  }

  /** @returns false: somebody else wrote in between */
  async function attemptOnce(): Promise<boolean> {
    const configuration = await client.get<WebhookConfiguration>(ref);
    reportMissing(configuration === undefined);
    if (configuration === undefined) {
      verifiedPem = undefined;
      return true;
    }
    const known = trustBundle.pem();
    if (buildCaBundlePatch(configuration, known) === undefined) {
      verifiedPem = known;
      return true;
    }
    await trustBundle.refresh();
    const pem = trustBundle.pem();
    const body = buildCaBundlePatch(configuration, pem);
    const isDrift = verifiedPem === pem;
    verifiedPem = undefined;
    if (body !== undefined && !(await write(body))) return false;
    if (body !== undefined) reportWritten(configuration, isDrift);
    verifiedPem = pem;
    return true;
  }

  async function write(body: readonly unknown[]): Promise<boolean> {
    try {
      await client.patch(ref, { type: 'json', body });
      return true;
    } catch (error) {
      // 422 is a test of the patch that did not hold, 409 a write at the same moment, 404 a configuration that has just gone.
      if (error instanceof KubeApiError && [404, 409, 422].includes(error.status)) return false;
      throw error;
    }
  }

  function reportMissing(isMissing: boolean): void {
    if (isMissing && !wasMissing) logger.warn('there is no such webhook configuration; nobody is asked');
    wasMissing = isMissing;
  }

  function reportWritten(configuration: WebhookConfiguration, isDrift: boolean): void {
    if (isDrift) logger.warn('caBundle had been changed by someone else and was put back');
    else logger.info('caBundle updated');
    const { uid } = configuration.metadata;
    if (uid === undefined) return;
    events?.record({
      regarding: { apiVersion: WEBHOOKS_API_VERSION, kind, name, uid },
      type: isDrift ? 'Warning' : 'Normal',
      reason: isDrift ? 'CaBundleRepaired' : 'CaBundleUpdated',
      action: 'UpdateCaBundle',
      note: isDrift
        ? 'caBundle was not the one that krake-hooks keeps; it was put back.'
        : 'caBundle follows the CA certificates of krake-hooks.',
    });
  }

  const poll = createPoll(
    { clock: deps.clock ?? systemClock, logger },
    {
      subject: 'caBundle of the webhook configuration',
      intervalMs: () => options.pollIntervalMs ?? POLL_INTERVAL_MS,
      run: reconcile,
    },
  );
  let unsubscribe: () => void = () => undefined;
  return {
    name: `ca-bundle-keeper ${name}`,
    start(signal) {
      unsubscribe = trustBundle.onChange(() => poll.wake());
      poll.start(signal);
      return Promise.resolve();
    },
    stop() {
      unsubscribe();
      return poll.stop();
    },
    ready: () => true,
    verified: () => verifiedPem !== undefined && verifiedPem === trustBundle.pem(),
  };
}
