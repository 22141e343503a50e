import type { ShutdownService } from '../../contract/index.ts';
import type { KubeObject } from '../../kube/index.ts';
import type { ShutdownTarget } from '../conversation.ts';
import { isInhabited, type LivePod } from './live-pod.ts';

export const SERVICES = { apiVersion: 'v1', plural: 'services' } as const;

interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: string;
}

export interface ServiceObject extends KubeObject {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly ServicePort[];
  };
}

/** Where a call goes. */
export interface CallTarget {
  readonly url: string;
  /** Connected to without asking DNS; undefined: the name of the URL is resolved. */
  readonly connectTo: { readonly address: string; readonly port: number } | undefined;
}

/** Why there is nowhere to call, in words. */
export interface NoTarget {
  readonly error: string;
}

/**
 * By the Service's cluster address, or its name where it has none (headless, ExternalName).
 *
 * @param pods of the selector that {@link selectorToRead} says; otherwise not looked at
 */
export function serviceTarget(
  wanted: ShutdownService,
  namespace: string,
  service: ServiceObject,
  pods: readonly LivePod[],
): CallTarget | NoTarget {
  const name = wanted.service ?? '';
  const port = portOf(wanted, service);
  if (port === undefined) {
    const which = wanted.port === undefined ? 'no TCP port' : `no port ${wanted.port}`;
    return { error: `the Service ${name} has ${which}` };
  }
  const host = `${name}.${namespace}.svc`;
  const { clusterIP = '' } = service.spec ?? {};
  if (!isHeadless(service))
    return { url: urlOf(wanted, host, port.port), connectTo: { address: clusterIP, port: port.port } };
  // Its name leads to pods, so the port is theirs.
  const named = selectorToRead(wanted, service) !== undefined ? String(port.targetPort) : undefined;
  if (named === undefined) {
    const number = typeof port.targetPort === 'number' ? port.targetPort : port.port;
    return { url: urlOf(wanted, host, number), connectTo: undefined };
  }
  const number = pods.filter(isInhabited).find(({ ports }) => ports[named] !== undefined)?.ports[named];
  return number === undefined
    ? { error: `no running pod of the Service ${name} has a container port named ${named}` }
    : { url: urlOf(wanted, host, number), connectTo: undefined };
}

/** Of the pods that alone know the port: the Service is headless, and the port of its pods has a name. */
export function selectorToRead(
  wanted: ShutdownService,
  service: ServiceObject,
): Readonly<Record<string, string>> | undefined {
  const { selector = {} } = service.spec ?? {};
  const isNamed = typeof portOf(wanted, service)?.targetPort === 'string';
  return isHeadless(service) && isNamed && Object.keys(selector).length > 0 ? selector : undefined;
}

function isHeadless({ spec }: ServiceObject): boolean {
  const { clusterIP = '' } = spec ?? {};
  return clusterIP === '' || clusterIP === 'None';
}

/**
 * One of the pods that a Service led to: it goes before them when their namespace is deleted.
 *
 * @param pods of the remembered selector
 */
export function formerTarget(
  wanted: ShutdownService,
  namespace: string,
  former: ShutdownTarget | undefined,
  pods: readonly LivePod[],
): CallTarget | NoTarget {
  const name = wanted.service ?? '';
  const missing = { error: `there is no Service ${name} in the namespace` };
  if (former === undefined || former.service !== name) return missing;
  const pod = pods.find((candidate) => isInhabited(candidate) && candidate.address !== undefined);
  const port = /^\d+$/.test(former.targetPort) ? Number(former.targetPort) : pod?.ports[former.targetPort];
  if (pod?.address === undefined || port === undefined) return missing;
  return {
    url: urlOf(wanted, `${name}.${namespace}.svc`, former.port),
    connectTo: { address: pod.address, port },
  };
}

/** A pod itself. For https its certificate has to be valid for `APPLICATION.NAMESPACE.pod`. */
export function podTarget(
  wanted: ShutdownService,
  namespace: string,
  application: string,
  pod: LivePod,
): CallTarget | NoTarget {
  if (pod.address === undefined) return { error: `pod ${pod.name} has no IP address` };
  const port = typeof wanted.port === 'number' ? wanted.port : pod.ports[wanted.port ?? ''];
  if (port === undefined)
    return { error: `pod ${pod.name} has no container port named ${wanted.port ?? ''}` };
  return {
    url: urlOf(wanted, `${application}.${namespace}.pod`, port),
    connectTo: { address: pod.address, port },
  };
}

/** What is remembered of a Service for the time after it; undefined: nothing that would lead to pods. */
export function rememberTarget(wanted: ShutdownService, service: ServiceObject): ShutdownTarget | undefined {
  const port = portOf(wanted, service);
  const { selector = {} } = service.spec ?? {};
  if (wanted.service === undefined || port === undefined || Object.keys(selector).length === 0)
    return undefined;
  return {
    service: wanted.service,
    port: port.port,
    targetPort: String(port.targetPort ?? port.port),
    selector,
  };
}

function portOf({ port }: ShutdownService, service: ServiceObject): ServicePort | undefined {
  const ports = (service.spec?.ports ?? []).filter(
    ({ protocol }) => protocol === undefined || protocol === 'TCP',
  );
  if (port === undefined) return ports[0];
  // ExternalName and headless Services may have none: their name leads anywhere.
  if (ports.length === 0 && typeof port === 'number' && isHeadless(service)) return { port };
  return ports.find((candidate) => candidate.port === port || candidate.name === port);
}

function urlOf({ scheme, path }: ShutdownService, host: string, port: number): string {
  return `${scheme}://${host}:${port}${path}`;
}
