import { systemClock, type Clock, type EventRecorder, type KubeClient } from '../../kube/index.ts';
import type { Logger } from '../../observability/index.ts';
import { createChangeListeners } from '../change-listeners.ts';
import { retirementMarginMs, type RotationTiming } from '../plan-rotation.ts';
import type { CallerCertificate, ClientCertificateIssuer } from './client-certificate.ts';
import { createFilesSignerSource } from './files-signer-source.ts';
import { createOwnSignerSource } from './own-signer-source.ts';
import type { ClientCertificateSigner } from './sign-client-certificate.ts';
import type { SignerSource } from './signer-source.ts';
import { createTrustKeeper } from './trust-keeper.ts';

export interface ClientCertificateIssuerDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Each step of a rotation becomes an Event on the Secret. */
  readonly events?: Pick<EventRecorder, 'record'>;
}

/** `config.pki.clientCertificates`, with the namespace of the service and `config.pki.trustDelay`. Durations in milliseconds. */
export interface ClientCertificateIssuerOptions {
  readonly namespace: string;
  readonly hookUser: string;
  readonly lifetime: number;
  readonly secretName: string;
  readonly trustConfigMapName: string;
  readonly signingLifetime: number;
  /** How long another signing certificate is trusted before it signs. */
  readonly trustDelay: number;
  readonly intermediateCert?: string | undefined;
  readonly intermediateKey?: string | undefined;
  readonly intermediatePassphraseFile?: string | undefined;
  readonly rootsFile?: string | undefined;
  /** How often Secret, ConfigMap and files are read, in milliseconds; default 5 s. */
  readonly pollIntervalMs?: number;
}

const POLL_INTERVAL_MS = 5_000;

/**
 * Issues by the operator's intermediate when `intermediateCert` is set, else by an intermediate of its own; and keeps the ConfigMap by which
 * callbacks know what was issued.
 *
 * @throws Error at once when the lifetimes or the settings of the files do not fit together
 */
export function createClientCertificateIssuer(
  deps: ClientCertificateIssuerDeps,
  options: ClientCertificateIssuerOptions,
): ClientCertificateIssuer {
  const { client, events } = deps;
  const logger = deps.logger.child({ component: 'client-certificates' });
  const clock = deps.clock ?? systemClock;
  const timing: RotationTiming = {
    caLifetimeMs: options.signingLifetime,
    leafLifetimeMs: options.lifetime,
    trustDelayMs: options.trustDelay,
  };
  assertLifetimesFit(options);
  const { intermediateCert, pollIntervalMs = POLL_INTERVAL_MS } = options;
  const listeners = createChangeListeners((error) =>
    logger.error('the signing certificate was changed, but not all took it', { error: String(error) }),
  );
  const trustKeeper = createTrustKeeper(
    { client, clock },
    { ...options, holdMs: options.lifetime + retirementMarginMs(timing) },
  );
  let seen = '';
  let caller: Promise<CallerCertificate> | undefined;
  // Also while it starts, as when a namespace that is being deleted takes no Secret any more: that is no failure.
  let isStopped = false;
  const shared = { trustKeeper, logger, clock, onLook: notifyOfChange };
  const source: SignerSource =
    intermediateCert === undefined
      ? createOwnSignerSource(
          { ...shared, client, ...(events && { events }) },
          { ...options, timing, pollIntervalMs },
        )
      : createFilesSignerSource(shared, {
          hookUser: options.hookUser,
          trustDelayMs: options.trustDelay,
          pollIntervalMs,
          files: {
            intermediateCert,
            intermediateKey: options.intermediateKey,
            intermediatePassphraseFile: options.intermediatePassphraseFile,
            rootsFile: options.rootsFile,
          },
        });

  function notifyOfChange(): void {
    const now = `${source.current()?.issuerSha256 ?? ''} ${source.chainPem() ?? ''}`;
    if (now === seen) return;
    seen = now;
    listeners.notify();
  }

  function signer(): ClientCertificateSigner {
    return source.current() ?? notStarted();
  }

  async function renewCaller(
    before: Promise<CallerCertificate> | undefined,
    by: ClientCertificateSigner,
  ): Promise<CallerCertificate> {
    const kept = await before?.catch(() => undefined);
    if (kept?.issuerSha256 === by.issuerSha256 && clock.now() < kept.renewAt) return kept;
    return await by.signCaller({ now: clock.now(), lifetimeMs: options.lifetime });
  }

  return {
    name: 'client-certificates',
    async start(signal) {
      await source.start(signal).catch((error: unknown) => {
        if (!isStopped) throw error;
      });
    },
    async stop() {
      isStopped = true;
      await source.stop();
    },
    ready: () => (source.current()?.notAfter ?? 0) > clock.now(),
    async issue(identity) {
      return await signer().sign(identity, { now: clock.now(), lifetimeMs: options.lifetime });
    },
    async caller() {
      // One after the other, so that those who ask at once get the same one.
      caller = renewCaller(caller, signer());
      return await caller;
    },
    issuerSha256: () => signer().issuerSha256,
    issuerNotAfter: () => source.current()?.notAfter,
    chainPem: () => source.chainPem() ?? notStarted(),
    onChange: (listener) => listeners.add(listener),
  };
}

function notStarted(): never {
  throw new Error('there is no signing certificate before the issuer has started');
}

/** A third of the signing certificate's life is left when its successor is made: enough for that to be trusted, and to sign. */
function assertLifetimesFit(options: ClientCertificateIssuerOptions): void {
  const { lifetime, signingLifetime, trustDelay, intermediateCert, intermediateKey } = options;
  const prefix = 'pki.clientCertificates';
  if (lifetime < 1_000) throw new Error(`${prefix}.lifetime must be at least 1s`);
  if (intermediateCert === undefined && intermediateKey !== undefined) {
    throw new Error(`${prefix}.intermediateKey is set: set ${prefix}.intermediateCert too, or neither`);
  }
  if (intermediateCert === undefined && signingLifetime < 3 * (trustDelay + lifetime)) {
    throw new Error(
      `${prefix}.signingLifetime must be at least three times pki.trustDelay and ${prefix}.lifetime together`,
    );
  }
}
