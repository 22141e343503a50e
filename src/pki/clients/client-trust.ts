import type { X509Certificate } from 'node:crypto';
import { systemClock, type Clock, type KubeClient } from '../../kube/index.ts';
import type { Logger } from '../../observability/index.ts';
import { createChangeListeners } from '../change-listeners.ts';
import { createPoll } from '../poll.ts';
import { judgeClient, type ClientVerdict } from './judge-client.ts';
import { parseTrust, trustPem, type TrustConfigMap, type TrustedCertificate } from './trust-config-map.ts';

export interface ClientTrustDeps {
  readonly client: Pick<KubeClient, 'get'>;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface ClientTrustOptions {
  readonly namespace: string;
  /** `config.pki.clientCertificates.trustConfigMapName` */
  readonly trustConfigMapName: string;
  /** How often the ConfigMap is read, in milliseconds; default 5 s, and 1 s while nothing is known. */
  readonly pollIntervalMs?: number;
}

/** The certificates by which applications' certificates are known; read from the ConfigMap that the controller keeps. */
export interface ClientTrust {
  readonly name: string;
  /** Resolves at once: while nothing is known, no certificate is taken. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** The ConfigMap has been read and has a signing certificate that is valid now. */
  ready(): boolean;
  /** PEM, for the handshake; empty: nobody is known. */
  caPem(): string;
  /** Calls the listener after each change; returns the function that ends it. */
  onChange(listener: () => void): () => void;
  /**
   * Judges a certificate whose key the client has proven to hold (`socket.getPeerX509Certificate()`), whatever the handshake says: it must be
   * signed by an intermediate that is trusted now. What it does not know is whether the Application's status lists the certificate.
   */
  verify(certificate: X509Certificate): ClientVerdict;
}

const POLL_INTERVAL_MS = 5_000;
const INTERVAL_WITHOUT_ANY_MS = 1_000;

/**
 * Follows the ConfigMap by a poll, by name: it needs no list and no watch. While the ConfigMap is missing or empty, what was known stays: the controller
 * puts it back, and applications must not be refused for that.
 */
export function createClientTrust(deps: ClientTrustDeps, options: ClientTrustOptions): ClientTrust {
  const { client } = deps;
  const clock = deps.clock ?? systemClock;
  const logger = deps.logger.child({ component: 'client-trust', configMap: options.trustConfigMapName });
  const listeners = createChangeListeners((error) =>
    logger.error('what clients are known by was changed, but a listener did not take it', {
      error: String(error),
    }),
  );
  const ref = {
    resource: { apiVersion: 'v1', plural: 'configmaps' },
    namespace: options.namespace,
    name: options.trustConfigMapName,
  };
  let trusted: readonly TrustedCertificate[] = [];
  let pem = '';
  let wasMissing = false;

  async function look(): Promise<void> {
    const read = parseTrust(await client.get<TrustConfigMap>(ref));
    reportMissing(read.length === 0);
    const readPem = trustPem(read);
    if (read.length === 0 || readPem === pem) return;
    trusted = read;
    pem = readPem;
    logger.info('the CAs of applications’ certificates were read', { certificates: read.length });
    listeners.notify();
  }

  function reportMissing(isMissing: boolean): void {
    if (isMissing && !wasMissing) {
      logger.warn('there are no CAs of applications’ certificates in the ConfigMap; what was known stays', {
        known: trusted.length,
      });
    }
    wasMissing = isMissing;
  }

  const { pollIntervalMs = POLL_INTERVAL_MS } = options;
  const poll = createPoll(
    { clock, logger },
    {
      subject: 'ConfigMap with the CAs of applications’ certificates',
      intervalMs: () => (pem === '' ? Math.min(pollIntervalMs, INTERVAL_WITHOUT_ANY_MS) : pollIntervalMs),
      run: look,
    },
  );
  return {
    name: 'client-trust',
    start(signal) {
      poll.start(signal);
      return Promise.resolve();
    },
    stop: () => poll.stop(),
    ready: () =>
      trusted.some(({ signs, certificate }) => signs && certificate.validToDate.getTime() > clock.now()),
    caPem: () => pem,
    onChange: (listener) => listeners.add(listener),
    verify: (certificate) => judgeClient(certificate, trusted, clock.now()),
  };
}
