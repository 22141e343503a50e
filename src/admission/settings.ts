import { SYSTEM_NAMESPACES, callbackBase } from '../contract/index.ts';
import type { Config } from '../config/index.ts';

/** What of the configuration decides about a review. */
export interface AdmissionSettings {
  /** Namespaces that are refused here too, in case that the selector of the webhook configuration was changed. */
  readonly excludedNamespaces: ReadonlySet<string>;
  /** What the URLs that applications signal at begin with. */
  readonly callbackBase: string;
  readonly injection: Config['injection'];
  readonly podIdentity: Pick<Config['podIdentity'], 'audience' | 'tokenLifetime'>;
}

export function buildAdmissionSettings(
  config: Pick<Config, 'namespace' | 'callbacks' | 'injection' | 'podIdentity'>,
): AdmissionSettings {
  const { serviceName, servicePort, externalEndpoint } = config.callbacks;
  const endpoint = externalEndpoint ?? `https://${serviceName}.${config.namespace}.svc:${servicePort}`;
  return {
    excludedNamespaces: new Set([...SYSTEM_NAMESPACES, config.namespace]),
    callbackBase: callbackBase(endpoint),
    injection: config.injection,
    podIdentity: config.podIdentity,
  };
}
