import { join } from 'node:path';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';

export const MANIFESTS = join(import.meta.dirname, '..', '..', 'manifests');
export const NAMESPACE = 'krake-system';
export const PARTS = ['admission', 'gate', 'callbacks', 'controller', 'jobs'] as const;
export const ENABLED = { 'hooks.krake.dev/enabled': 'true' } as const;

export const serviceAccount = (part: string): string =>
  `system:serviceaccount:${NAMESPACE}:krake-hooks-${part}`;

export interface CreateOptions {
  readonly dryRun?: boolean;
  readonly as?: string;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export interface Selector {
  readonly matchExpressions: readonly { key: string; operator: string; values: readonly string[] }[];
}

/** Of a webhook configuration. */
export interface Webhook {
  readonly name: string;
  readonly timeoutSeconds: number;
  readonly failurePolicy: string;
  readonly clientConfig: { service: { name: string; namespace: string; port: number }; caBundle?: string };
  readonly rules: readonly { apiGroups: string[]; apiVersions: string[]; resources: string[] }[];
  readonly namespaceSelector: Selector;
}

/** A control plane with the manifests applied and no service running: nothing answers the webhooks. */
export interface ManifestsSetting {
  readonly controlPlane: ControlPlane;
  /** Creates the object; undefined: it was let in, else what kubectl wrote. */
  readonly create: (object: object, options?: CreateOptions) => Promise<string | undefined>;
  /** Makes or labels a namespace, ready for pods. */
  readonly namespace: (name: string, labels?: Readonly<Record<string, string>>) => Promise<void>;
  /** kubectl's JSON of `get`. */
  readonly get: <T>(...args: readonly string[]) => Promise<T>;
  /** Resolves when the API server knows the labels that namespaces have now. */
  readonly untilLabelsAreKnown: () => Promise<void>;
}

export async function startWithManifests(): Promise<ManifestsSetting> {
  const controlPlane = await startControlPlane();
  try {
    await controlPlane.kubectl(['apply', '--validate=strict', '-k', MANIFESTS]);
    const setting = createSetting(controlPlane);
    await waitUntilPoliciesHold(setting);
    return setting;
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
}

export function pod(namespace: string, meta: object, spec: object = {}): object {
  const containers = [{ name: 'main', image: 'example.invalid/main' }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'main', namespace, ...meta },
    spec: { containers, ...spec },
  };
}

function createSetting(controlPlane: ControlPlane): ManifestsSetting {
  const create: ManifestsSetting['create'] = async (object, { dryRun = false, as } = {}) => {
    const flags = [...(dryRun ? ['--dry-run=server'] : []), ...(as === undefined ? [] : [`--as=${as}`])];
    const { code, stderr } = await controlPlane.kubectl(['create', ...flags, '-f', '-'], {
      input: JSON.stringify(object),
      allowFailure: true,
    });
    return code === 0 ? undefined : stderr;
  };
  const namespace: ManifestsSetting['namespace'] = async (name, labels = {}) => {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
    await controlPlane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(object) });
    await waitFor(`the service account of ${name}`, async () => {
      const args = ['-n', name, 'get', 'serviceaccount', 'default'];
      return (await controlPlane.kubectl(args, { allowFailure: true })).code === 0 || undefined;
    });
  };
  let known = 0;
  return {
    controlPlane,
    create,
    namespace,
    async get<T>(...args: readonly string[]) {
      const { stdout } = await controlPlane.kubectl(['get', '-o', 'json', ...args]);
      return JSON.parse(stdout) as T;
    },
    async untilLabelsAreKnown() {
      // Admission watches namespaces and so learns of changes in their order: who knows the last one knows those before.
      const name = `known-${++known}`;
      await namespace(name, ENABLED);
      await waitFor(`the label of ${name} to be known`, async () => {
        const refusal = await create(pod(name, { annotations: { 'hooks.krake.dev/hooks': 'complete' } }), {
          dryRun: true,
        });
        return refusal?.includes('krake-hooks-injected') === true ? true : undefined;
      });
    },
  };
}

/** Policies are checked by Kubernetes one after the other, and Deployments get their status, at the speed of the machine. */
export async function isDealtWith({ get }: ManifestsSetting): Promise<boolean> {
  const policies = await get<{ items: { status?: { typeChecking?: unknown } }[] }>(
    'validatingadmissionpolicies',
  );
  const deployments = await get<{
    items: { metadata: { generation: number }; status?: { observedGeneration?: number } }[];
  }>('-n', NAMESPACE, 'deployments');
  return (
    policies.items.every(({ status }) => status?.typeChecking !== undefined) &&
    deployments.items.every(({ metadata, status }) => status?.observedGeneration === metadata.generation)
  );
}

/** The API server takes a new policy up a moment after it was created. */
async function waitUntilPoliciesHold({ create, untilLabelsAreKnown }: ManifestsSetting): Promise<void> {
  await untilLabelsAreKnown();
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'foreign', namespace: 'default' } };
  await waitFor('the policy krake-hooks-own-secrets to hold', async () => {
    const refusal = await create(secret, { dryRun: true, as: serviceAccount('controller') });
    return refusal?.includes('ValidatingAdmissionPolicy') === true ? true : undefined;
  });
}
