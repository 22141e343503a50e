import { DEFAULT_SHUTDOWN, parseShutdownService } from '../../contract/index.ts';
import type { KubeClient } from '../../kube/index.ts';
import type { Application } from '../application.ts';
import type { ShutdownTarget } from '../conversation.ts';
import { SERVICES, rememberTarget, type ServiceObject } from './shutdown-target.ts';

/** Reads what the shutdown service leads to; undefined: it is not asked for, not there, or leads to no pods by selector. */
export async function observeTarget(
  app: Application | undefined,
  client: Pick<KubeClient, 'get'>,
  signal: AbortSignal,
): Promise<ShutdownTarget | undefined> {
  if (app?.spec.hooks.includes('shutdown') !== true) return undefined;
  const wanted = parseShutdownService(app.spec.shutdown?.service ?? DEFAULT_SHUTDOWN.service);
  if (wanted?.service === undefined) return undefined;
  const ref = { resource: SERVICES, namespace: app.metadata.namespace, name: wanted.service };
  const service = await client.get<ServiceObject>(ref, { signal });
  return service === undefined ? undefined : rememberTarget(wanted, service);
}
