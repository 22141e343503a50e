import type { Clock, EventRecorder, KubeClient } from '../kube/index.ts';
import { systemClock } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { createCaKeeper, type CaKeeper, type CaKeeperWords } from './ca-keeper.ts';
import { SERVING_CA_LAYOUT } from './ca-secret.ts';
import { trustedCertificates, type CaState } from './ca-state.ts';
import { createCaStore } from './ca-store.ts';
import { issueCa } from './issue-certificate.ts';
import type { Pki } from './pki.ts';
import type { RotationTiming } from './plan-rotation.ts';
import { createPoll } from './poll.ts';
import { createServingCertificate, type ServingCertificate } from './serving-certificate.ts';
import { createTrustBundle } from './trust-bundle.ts';
import { isTrustedByWebhooks, type WebhookConfigurationRef } from './webhook-configuration.ts';

export interface SelfManagedPkiDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Each step of a rotation becomes an Event on the CA Secret. */
  readonly events?: Pick<EventRecorder, 'record'>;
}

export interface SelfManagedPkiOptions extends RotationTiming {
  readonly namespace: string;
  readonly caSecretName: string;
  /**
   * The webhook configurations that must trust a new CA before that CA signs, those of them that exist. None: the delay alone counts.
   */
  readonly webhookConfigurations?: readonly WebhookConfigurationRef[];
  /** How often the Secret is read; default 5 s. A poll and no watch: it needs neither list nor watch on Secrets. */
  readonly pollIntervalMs?: number;
}

const POLL_INTERVAL_MS = 5_000;

/**
 * A PKI of the service's own: one CA in one Secret, shared by all replicas, and a serving certificate for each listener that is made
 * and kept in memory. Every replica carries out whatever step of the CA's life is due, so none of them matters.
 *
 * `start` waits as long as it takes until the Secret was read or made; what is in the way is logged.
 *
 * @throws Error at once when the lifetimes do not fit together
 */
export function createSelfManagedPki(deps: SelfManagedPkiDeps, options: SelfManagedPkiOptions): Pki {
  assertTimingFits(options);
  const { client, events } = deps;
  const logger = deps.logger.child({ component: 'pki' });
  const clock = deps.clock ?? systemClock;
  const onListenerError = (error: unknown) =>
    logger.error('a certificate was changed, but a listener did not take it', { error: String(error) });
  const servingCertificates: ServingCertificate[] = [];
  let adopted: CaState | undefined;

  const trustBundle = createTrustBundle(() => refresh(), onListenerError);
  const { webhookConfigurations = [] } = options;
  const keeper: CaKeeper = createCaKeeper(
    {
      store: createCaStore(client, SERVING_CA_LAYOUT, options),
      logger,
      clock,
      ...(events && { events }),
      words: WORDS,
      issue: () => issueCa({ now: clock.now(), lifetimeMs: options.caLifetimeMs }),
      isTrusted: (cert) => isTrustedByWebhooks(client, webhookConfigurations, cert),
      onState: adopt,
    },
    options,
  );
  const poll = createPoll(
    { clock, logger },
    {
      subject: 'CA Secret',
      intervalMs: () => options.pollIntervalMs ?? POLL_INTERVAL_MS,
      run: () => refresh(),
    },
  );

  // One after the other: two callers never work on the same Secret at once, and each gets a reading that began after its call.
  let last: Promise<unknown> = Promise.resolve();
  function refresh(): Promise<void> {
    const run = last.then(
      () => keeper.reconcile(),
      () => keeper.reconcile(),
    );
    last = run;
    return run;
  }

  async function adopt(state: CaState): Promise<void> {
    adopted = state;
    trustBundle.set(trustedCertificates(state));
    if (state.current === undefined) return;
    for (const certificate of servingCertificates) await certificate.refresh(state.current, clock.now());
  }

  return {
    name: 'pki',
    async start(signal) {
      poll.start(signal);
      await poll.succeeded();
    },
    stop: () => poll.stop(),
    ready: () =>
      adopted !== undefined &&
      servingCertificates.every((certificate) => (certificate.notAfter() ?? 0) > clock.now()),
    tlsSource(names) {
      const certificate = createServingCertificate({
        names,
        lifetimeMs: options.leafLifetimeMs,
        onListenerError,
      });
      servingCertificates.push(certificate);
      poll.wake();
      return certificate.source;
    },
    trustBundle,
    expiry: () => ({
      caNotAfter: adopted?.current?.notAfter,
      servingNotAfter: earliest(servingCertificates.map((certificate) => certificate.notAfter())),
    }),
  };
}

const WORDS: CaKeeperWords = {
  secret: 'the CA Secret',
  trustedBy: 'the webhook configuration',
  eventPrefix: 'Ca',
  notes: {
    created: 'A CA was made; it signs the serving certificates.',
    restored: 'The Secret was deleted or damaged; the CA in use was put back, and its rotation begins.',
    repaired: 'Damaged parts of the Secret were put back or left out.',
    'current-unusable': 'The CA was damaged or has expired; another one signs from now on.',
    'next-unusable': 'The next CA has expired before it was used; a new one takes its place.',
    'trust-ended': 'All that an old CA signed has expired; it is trusted no more.',
    promoted: 'The next CA signs from now on; the old one stays trusted until all it signed has expired.',
    due: 'Two thirds of the CA’s life are over; the next CA is trusted from now on.',
    requested: 'A rotation was requested; the next CA is trusted from now on.',
  },
};

/** A third of the CA's life is left when its successor is made: that must be enough for the successor to be trusted and to serve. */
function assertTimingFits({ caLifetimeMs, leafLifetimeMs, trustDelayMs }: RotationTiming): void {
  if (leafLifetimeMs < 1_000) throw new Error('pki.leafLifetime must be at least 1s');
  if (caLifetimeMs < 3 * (trustDelayMs + leafLifetimeMs)) {
    throw new Error(
      'pki.caLifetime must be at least three times pki.trustDelay and pki.leafLifetime together',
    );
  }
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
