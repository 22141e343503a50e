/** Why a Service that was found by its name may not be called. */
export type ServiceRefusal = 'own-namespace' | 'namespace-not-allowed';

/** Behind "a Service of the namespace NAME, ". */
export const SERVICE_REFUSED_AS: Readonly<Record<ServiceRefusal, string>> = {
  'own-namespace': 'where this service itself runs',
  'namespace-not-allowed': 'which outbound.inClusterNamespaces does not allow',
};

export interface ServicePolicyOptions {
  /** Where this service itself runs; what is in it is nobody else's to call. */
  readonly ownNamespace?: string | undefined;
  /** Namespaces whose Services may be called by name; `*`: all, `.`: that of whoever chose the URL. Default: all. */
  readonly inClusterNamespaces?: readonly string[];
}

/**
 * Decides on a Service by its namespace, for a URL that somebody in another namespace chose. It says nothing of addresses: who knows a Service's or pod's
 * address needs no name.
 */
export function whyServiceRefused(
  { ownNamespace, inClusterNamespaces = ['*'] }: ServicePolicyOptions,
  callerNamespace: string,
  serviceNamespace: string,
): ServiceRefusal | undefined {
  if (serviceNamespace === ownNamespace && callerNamespace !== ownNamespace) return 'own-namespace';
  const isAllowed =
    inClusterNamespaces.includes('*') ||
    inClusterNamespaces.includes(serviceNamespace) ||
    (inClusterNamespaces.includes('.') && serviceNamespace === callerNamespace);
  return isAllowed ? undefined : 'namespace-not-allowed';
}
