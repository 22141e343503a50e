import { isIP } from 'node:net';
import type { ServingNames } from './certificate-profiles.ts';

export interface ServingNamesOptions {
  readonly serviceName: string;
  readonly namespace: string;
  /** Further DNS names and IP addresses, as configured. */
  readonly extraNames: readonly string[];
}

/**
 * The names of a Service, as the API server (`name.namespace.svc`) and pods call it, and the extra ones sorted into DNS names and IP
 * addresses; each once.
 */
export function servingNames({ serviceName, namespace, extraNames }: ServingNamesOptions): ServingNames {
  const ofService = `${serviceName}.${namespace}`;
  const dnsNames = [
    `${ofService}.svc`,
    `${ofService}.svc.cluster.local`,
    ofService,
    serviceName,
    ...extraNames.filter((name) => isIP(name) === 0),
  ];
  return {
    dnsNames: [...new Set(dnsNames)],
    ipAddresses: [...new Set(extraNames.filter((name) => isIP(name) !== 0))],
  };
}
