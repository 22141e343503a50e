import type { Clock, EventRecorder, KubeClient } from '../../kube/index.ts';
import type { Logger } from '../../observability/index.ts';
import type { ClientCertificateIssuer } from './client-certificate.ts';

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

export function createClientCertificateIssuer(
  deps: ClientCertificateIssuerDeps,
  options: ClientCertificateIssuerOptions,
): ClientCertificateIssuer {
  throw new Error(`not there yet: ${Object.keys(deps).length + Object.keys(options).length}`);
}
