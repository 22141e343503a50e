import { isHeldByUs, isOurFinalizer, PART_OF_SELECTOR, refOf } from './held-objects.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  CONTROLLER_ACCOUNTS,
  CONTROLLER_ROLE,
  SERVICE_ACCOUNTS,
} from './own-rights.ts';
import type { Released } from './release-everything.ts';
import { takeFinalizersOff } from './take-finalizers-off.ts';
import { findObjects, releaseAndTell, removeObjects, type Selection, type ToolDeps } from './tool.ts';

const ADMISSION_REGISTRATION = 'admissionregistration.k8s.io/v1';
/** Refuses annotated pods that were not injected. The other policies only limit ourselves. */
const INJECTED_POLICY_BINDING = 'krake-hooks-injected';

export interface SwitchOffOptions {
  /** The service's own. */
  readonly namespace: string;
  readonly validatingWebhookConfiguration: string;
  readonly mutatingWebhookConfiguration: string;
}

/**
 * Takes everything of ours out of everybody's way, with the service dead or alive: first what could refuse something, then the controller's
 * rights, so that a live one puts nothing back, then every finalizer. Repeating it does no harm and goes on where it was interrupted; applying the
 * manifests brings all of it back.
 */
export async function switchOff(deps: ToolDeps, options: SwitchOffOptions): Promise<Released> {
  await removeWhatRefuses(deps, options);
  await takeControllersRights(deps);
  const released = await releaseAndTell(deps);
  await releaseOwnRoles(deps, options.namespace);
  return released;
}

export async function removeWhatRefuses(deps: ToolDeps, options: SwitchOffOptions): Promise<void> {
  const selections: readonly Selection[] = [
    {
      resource: { apiVersion: ADMISSION_REGISTRATION, plural: 'validatingwebhookconfigurations' },
      labelSelector: PART_OF_SELECTOR,
      names: [{ name: options.validatingWebhookConfiguration }],
    },
    {
      resource: { apiVersion: ADMISSION_REGISTRATION, plural: 'mutatingwebhookconfigurations' },
      labelSelector: PART_OF_SELECTOR,
      names: [{ name: options.mutatingWebhookConfiguration }],
    },
    {
      resource: { apiVersion: ADMISSION_REGISTRATION, plural: 'validatingadmissionpolicybindings' },
      names: [{ name: INJECTED_POLICY_BINDING }],
    },
  ];
  let removed = 0;
  for (const selection of selections) removed += await removeObjects(deps, selection);
  if (removed === 0) deps.say('no webhook configuration of ours is there');
}

/** Without its binding a live controller can put no finalizer back, whatever state it is in. */
export async function takeControllersRights(deps: ToolDeps): Promise<void> {
  await removeObjects(deps, { resource: CLUSTER_ROLE_BINDINGS, names: [{ name: CONTROLLER_ROLE }] });
}

/** What somebody has begun to delete, and now waits for a controller that is not there. */
async function releaseOwnRoles(deps: ToolDeps, namespace: string): Promise<void> {
  const selections: readonly Selection[] = [
    { resource: CLUSTER_ROLES, names: [{ name: CONTROLLER_ROLE }] },
    { resource: SERVICE_ACCOUNTS, names: CONTROLLER_ACCOUNTS.map((name) => ({ name, namespace })) },
  ];
  for (const selection of selections) {
    for (const { metadata } of await findObjects(deps, selection)) {
      if (metadata.deletionTimestamp === undefined || !isHeldByUs(metadata)) continue;
      await takeFinalizersOff(deps, refOf(selection.resource, metadata), metadata, isOurFinalizer);
      deps.say(`let ${selection.resource.plural} ${metadata.name ?? ''} go, whose deletion had begun`);
    }
  }
}
