import { WORKLOAD_KINDS, type WorkloadKind } from '../contract/index.ts';
import type { KubeClient, KubeObject } from '../kube/index.ts';
import { APPLICATION_KINDS, isManaged, type ApplicationKind } from './application.ts';
import type { ApplicationView } from './application-view.ts';
import { describeWorkload, type LiveWorkload, type WorkloadObject } from './live-workload.ts';
import { knownController } from './member.ts';

export interface ObserveDeps {
  readonly client: Pick<KubeClient, 'get'>;
  /** The JSON Patch that brings a workload's stamp in order, as admission would have; undefined: it is. Pure. */
  readonly stampPatch: (object: KubeObject) => readonly unknown[] | undefined;
}

interface Named {
  readonly kind: ApplicationKind;
  readonly name: string;
}

/** No pod has more different owners than a group has workloads; what is beyond is looked at when those are gone. */
const MAX_ROOTS = 16;

/**
 * Reads live every workload that may have to do with the Application: those that are annotated, those that its token speaks of, those that
 * its user lists, and, when nothing is annotated, those that its pods come from.
 */
export async function observeWorkloads(
  view: ApplicationView,
  deps: ObserveDeps,
  signal: AbortSignal,
): Promise<LiveWorkload[]> {
  const { application: app } = view;
  const named: Named[] = [
    ...view.members,
    ...(app?.status?.workloads ?? []),
    ...(app !== undefined && !isManaged(app) ? app.spec.workloads : []),
  ];
  if (view.members.length === 0) named.push(...(await rootsOfPods(view, deps, signal)));
  const distinct = new Map(named.map(({ kind, name }) => [`${kind}/${name}`, { kind, name }]));
  const found = await Promise.all(
    [...distinct.values()].map(async ({ kind, name }) => {
      const ref = { resource: WORKLOAD_KINDS[kind], namespace: view.namespace, name };
      const object = await deps.client.get<WorkloadObject>(ref, { signal });
      if (object === undefined) return undefined;
      const whole = { ...object, apiVersion: WORKLOAD_KINDS[kind].apiVersion, kind };
      return describeWorkload(kind, whole, view.name, deps.stampPatch(whole));
    }),
  );
  return found.filter((workload) => workload !== undefined);
}

/** The workloads at the top of the pods' owners: a template that asks by itself is seen only through its pods. */
async function rootsOfPods(view: ApplicationView, deps: ObserveDeps, signal: AbortSignal): Promise<Named[]> {
  const owners = new Map<string, { kind: WorkloadKind; name: string }>();
  for (const { ownerKind, ownerName, deleting } of view.pods) {
    if (ownerKind === undefined || ownerName === undefined || deleting) continue;
    if (owners.size < MAX_ROOTS)
      owners.set(`${ownerKind}/${ownerName}`, { kind: ownerKind, name: ownerName });
  }
  const roots = await Promise.all(
    [...owners.values()].map(async ({ kind, name }): Promise<Named | undefined> => {
      const ref = { resource: WORKLOAD_KINDS[kind], namespace: view.namespace, name };
      const owner = await deps.client.get(ref, { signal, metadataOnly: true });
      if (owner === undefined) return undefined;
      const above = knownController(owner.metadata);
      const root = above === undefined || above.kind === 'CronJob' ? { kind, name } : above;
      return isApplicationKind(root.kind) ? { kind: root.kind, name: root.name } : undefined;
    }),
  );
  return roots.filter((root) => root !== undefined);
}

function isApplicationKind(kind: WorkloadKind): kind is ApplicationKind {
  return (APPLICATION_KINDS as readonly WorkloadKind[]).includes(kind);
}
