import { SYSTEM_NAMESPACES } from '../contract/index.ts';
import type { Config } from '../config/index.ts';

/** What of the configuration decides about a review. */
export interface AdmissionSettings {
  /** Namespaces that are refused here too, in case that the selector of the webhook configuration was changed. */
  readonly excludedNamespaces: ReadonlySet<string>;
  /** Base URL that applications signal at. */
  readonly endpoint: string;
  readonly injection: Config['injection'];
}

export function buildAdmissionSettings(
  config: Pick<Config, 'namespace' | 'callbacks' | 'injection'>,
): AdmissionSettings {
  const { serviceName, servicePort, externalEndpoint } = config.callbacks;
  return {
    excludedNamespaces: new Set([...SYSTEM_NAMESPACES, config.namespace]),
    endpoint: externalEndpoint ?? `https://${serviceName}.${config.namespace}.svc:${servicePort}`,
    injection: config.injection,
  };
}
