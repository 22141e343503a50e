import { FINALIZER_SHUTDOWN, LABEL_APPLICATION, MANAGED_BY } from '../contract/index.ts';
import type { KubeClient, ObjectRef } from '../kube/index.ts';
import {
  API_VERSION,
  APPLICATIONS,
  MANAGED_BY_LABEL,
  type Application,
  type ApplicationSpec,
  type ApplicationStatus,
} from './application.ts';
import type { ApplicationView } from './application-view.ts';

export interface ApplicationWriterDeps {
  readonly client: Pick<KubeClient, 'create' | 'replace'>;
  /** Told of each resourceVersion that this process wrote to an Application, so that the watch does not wake it for its own writes. */
  readonly onOwnWrite: (resourceVersion: string) => void;
}

export function refOf(view: Pick<ApplicationView, 'namespace' | 'name'>): ObjectRef {
  return { resource: APPLICATIONS, namespace: view.namespace, name: view.name };
}

export async function createApplication(
  view: ApplicationView,
  spec: ApplicationSpec,
  deps: ApplicationWriterDeps,
  signal: AbortSignal,
): Promise<Application> {
  const object = {
    apiVersion: API_VERSION,
    kind: 'Application',
    metadata: {
      name: view.name,
      namespace: view.namespace,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY, [LABEL_APPLICATION]: view.name },
      finalizers: spec.hooks.includes('shutdown') ? [FINALIZER_SHUTDOWN] : [],
    },
    spec,
  };
  const created = await deps.client.create<Application>(APPLICATIONS, view.namespace, object, { signal });
  deps.onOwnWrite(created.metadata.resourceVersion ?? '');
  return created;
}

/** Carries the resourceVersion that was read; the status is not written. */
export async function replaceApplication(
  app: Application,
  deps: ApplicationWriterDeps,
  signal: AbortSignal,
): Promise<Application> {
  const ref = refOf(app.metadata);
  const written = await deps.client.replace<Application>(ref, app, { signal });
  deps.onOwnWrite(written.metadata.resourceVersion ?? '');
  return written;
}

/** Carries the resourceVersion that was read: a signal that came in between is never overwritten, but leads to a conflict. */
export async function replaceStatus(
  app: Application,
  status: ApplicationStatus,
  deps: ApplicationWriterDeps,
  signal: AbortSignal,
): Promise<Application> {
  const ref: ObjectRef = { ...refOf(app.metadata), subresource: 'status' };
  const written = await deps.client.replace<Application>(ref, { ...app, status }, { signal });
  deps.onOwnWrite(written.metadata.resourceVersion ?? '');
  return written;
}
