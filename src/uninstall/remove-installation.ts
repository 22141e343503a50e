import { pause, type KubeObject, type Resource } from '../kube/index.ts';
import { eachObject } from './each-object.ts';
import { forEachBounded } from './for-each-bounded.ts';
import { APPLICATIONS, MANAGED_SELECTOR, PART_OF_SELECTOR, SECRETS } from './held-objects.ts';
import { CRDS, INSTALLED, NAMESPACES } from './installed-resources.ts';
import type { Released } from './release-everything.ts';
import { removeWhatRefuses, takeControllersRights, type SwitchOffOptions } from './switch-off.ts';
import { findObjects, releaseAndTell, removeObject, removeObjects, type ToolDeps } from './tool.ts';

export interface RemovalOptions extends SwitchOffOptions {
  /** Applications, their Secrets and the CRD stay: pods that are injected go on, and another installation finds them. */
  readonly keepCrds: boolean;
  /** Made by the service in its namespace, with no label. */
  readonly caSecretName: string;
  readonly leaseName: string;
}

const APPLICATIONS_CRD = `${APPLICATIONS.plural}.${APPLICATIONS.apiVersion.split('/')[0] ?? ''}`;
const AT_ONCE = 16;
const POLL_MS = 500;
const LONGEST_WAIT_MS = 300_000;
const TELL_MS = 15_000;

/**
 * Removes the whole installation, in an order in which nothing waits for what is gone: what could refuse something; the controller's rights;
 * the Deployments; every finalizer; Secrets, Applications and CRD; the rest; the namespace. Each step may be repeated, and finding nothing is
 * no error, so an interrupted run is simply begun again.
 *
 * @returns what the finalizers' removal has failed at; where it has failed at something, the rest is left alone
 */
export async function removeInstallation(deps: ToolDeps, options: RemovalOptions): Promise<Released> {
  await removeWhatRefuses(deps, options);
  await takeControllersRights(deps);
  for (const resource of INSTALLED.running) await removeObjects(deps, labelled(resource));
  const released = await releaseAndTell(deps);
  if (released.failures.length > 0) return released;
  if (!options.keepCrds) await removeApplications(deps);
  for (const resource of INSTALLED.rest) await removeObjects(deps, labelled(resource));
  await removeNamespace(deps, options);
  return released;
}

async function removeApplications(deps: ToolDeps): Promise<void> {
  await removeMany(deps, 'Secrets of applications', SECRETS, MANAGED_SELECTOR);
  await removeMany(deps, 'Applications', APPLICATIONS);
  const crds = { ...labelled(CRDS), names: [{ name: APPLICATIONS_CRD }] };
  if ((await removeObjects(deps, crds)) > 0) await untilGone(deps, 'the CRDs', () => findObjects(deps, crds));
}

async function removeMany(
  deps: ToolDeps,
  what: string,
  resource: Resource,
  labelSelector?: string,
): Promise<void> {
  let count = 0;
  await forEachBounded(eachObject(deps, resource, labelSelector), AT_ONCE, async (object) => {
    await removeObject(deps, resource, object);
    count += 1;
  });
  if (count > 0) deps.say(`deleted ${count} ${what}`);
}

/** A namespace that the manifests did not make is its owner's: of it only what is ours goes. */
async function removeNamespace(deps: ToolDeps, options: RemovalOptions): Promise<void> {
  const { namespace } = options;
  const made = { labelSelector: PART_OF_SELECTOR };
  const ours = await findObjects(deps, { resource: NAMESPACES, ...made });
  for (const object of ours) await removeObject(deps, NAMESPACES, object);
  if (!ours.some(({ metadata }) => metadata.name === namespace)) {
    await removeObjects(deps, { resource: SECRETS, names: [{ name: options.caSecretName, namespace }] });
    await removeObjects(deps, {
      resource: { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' },
      names: [{ name: options.leaseName, namespace }],
    });
  }
  for (const { metadata } of ours) {
    const { name = '' } = metadata;
    deps.say(`deleted namespaces ${name}; waiting for it to be empty ...`);
    await untilGone(deps, `the namespace ${name}`, () =>
      findObjects(deps, { resource: NAMESPACES, names: [{ name }] }),
    );
  }
}

async function untilGone(
  deps: ToolDeps,
  what: string,
  find: () => Promise<readonly KubeObject[]>,
): Promise<void> {
  const deadline = deps.clock.monotonic() + LONGEST_WAIT_MS;
  let tellAt = deps.clock.monotonic() + TELL_MS;
  while ((await find()).length > 0 && !deps.signal.aborted) {
    const now = deps.clock.monotonic();
    if (now > deadline)
      throw new Error(
        `${what}: still there after ${LONGEST_WAIT_MS / 1_000} s; "kubectl get -o yaml" shows what it waits for. Then run this again`,
      );
    if (now >= tellAt) {
      deps.say(`  waiting for ${what} to be gone`);
      tellAt = now + TELL_MS;
    }
    await pause(deps.clock, POLL_MS, deps.signal);
  }
}

const labelled = (resource: Resource) => ({ resource, labelSelector: PART_OF_SELECTOR });
