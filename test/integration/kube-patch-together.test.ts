import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  createKubeClient,
  type FullKubeClient,
  type JointPatch,
  type KubeObject,
} from '../../src/kube/index.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { clientOfServiceAccount } from './service-account-client.ts';

jest.setTimeout(300_000);
const FINALIZER = 'test.krake.dev/hold';
const RBAC = 'rbac.authorization.k8s.io';
const ROLES = { apiVersion: `${RBAC}/v1`, plural: 'clusterroles' };
const BINDINGS = { apiVersion: `${RBAC}/v1`, plural: 'clusterrolebindings' };
const ACCOUNTS = { apiVersion: 'v1', plural: 'serviceaccounts' };
const REVIEWS = { apiVersion: 'authorization.k8s.io/v1', plural: 'selfsubjectaccessreviews' };

interface AccessReview extends KubeObject {
  readonly status: { readonly allowed: boolean };
}

let controlPlane: ControlPlane;
let admin: FullKubeClient;
beforeAll(async () => {
  controlPlane = await startControlPlane();
  admin = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'krake-hooks-test/1' });
}, 600_000);
afterAll(async () => {
  admin.close();
  await controlPlane.stop();
});

/** A service account that may patch its own role, binding and account, all three being deleted. */
async function makeAccount(name: string) {
  const metadata = { name, finalizers: [FINALIZER] };
  await admin.create(ACCOUNTS, 'default', { metadata: { ...metadata, namespace: 'default' } });
  await admin.create(ROLES, undefined, {
    metadata,
    rules: [
      {
        apiGroups: [RBAC],
        resources: [ROLES.plural, BINDINGS.plural],
        resourceNames: [name],
        verbs: ['patch'],
      },
      { apiGroups: [''], resources: [ACCOUNTS.plural], resourceNames: [name], verbs: ['patch'] },
    ],
  });
  await admin.create(BINDINGS, undefined, {
    metadata,
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: 'default' }],
  });
  const { client } = await clientOfServiceAccount(controlPlane, 'default', name);
  // The authorizer hears of a role a moment later.
  for (const [group, resource] of [
    [RBAC, ROLES.plural],
    [RBAC, BINDINGS.plural],
    ['', ACCOUNTS.plural],
  ] as const) {
    const namespace = group === '' ? { namespace: 'default' } : {};
    const spec = { resourceAttributes: { verb: 'patch', group, resource, name, ...namespace } };
    await waitFor(`${name} to be allowed to patch ${resource}`, async () => {
      const review = await client.create<AccessReview>(REVIEWS, undefined, { spec });
      return review.status.allowed ? true : undefined;
    });
  }
  const args = ['delete', '--wait=false', `clusterrole/${name}`, `clusterrolebinding/${name}`];
  await controlPlane.kubectl(args);
  await controlPlane.kubectl(['-n', 'default', 'delete', '--wait=false', `serviceaccount/${name}`]);
  return client;
}

const patch = { type: 'merge', body: { metadata: { finalizers: null } } } as const;
const own = (name: string): JointPatch[] => [
  { ref: { resource: ROLES, name }, patch },
  { ref: { resource: BINDINGS, name }, patch },
  { ref: { resource: ACCOUNTS, namespace: 'default', name }, patch },
];

describe('patches made together', () => {
  it('take the own rights away whole, which one after the other does not', async () => {
    const outcomes: string[] = [];
    for (let round = 0; round < 10; round++) {
      const client = await makeAccount(`joint-${round}`);
      const settled = await client.patchTogether(own(`joint-${round}`));
      outcomes.push(settled.map(({ status }) => status).join());
      client.close();
    }
    expect(outcomes).toEqual(Array(10).fill('fulfilled,fulfilled,fulfilled'));
    for (const resource of [ROLES, BINDINGS]) {
      const { items } = await admin.list(resource, undefined);
      expect(items.filter(({ metadata }) => metadata.name?.startsWith('joint-'))).toEqual([]);
    }
  });

  it('are all left undone when one of them is refused', async () => {
    const client = await makeAccount('half');
    const foreign: JointPatch = { ref: { resource: ACCOUNTS, namespace: 'default', name: 'default' }, patch };
    const settled = await client.patchTogether([...own('half'), foreign]);
    expect(settled.map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
    expect(await admin.get({ resource: ROLES, name: 'half' })).toMatchObject({
      metadata: { finalizers: [FINALIZER] },
    });
    expect((await client.patchTogether(own('half'))).map(({ status }) => status)).toEqual(
      Array(3).fill('fulfilled'),
    );
    client.close();
  });

  it('come through where an object is gone already', async () => {
    const client = await makeAccount('gone');
    const missing: JointPatch = {
      ref: { resource: ACCOUNTS, namespace: 'kube-public', name: 'gone' },
      patch,
    };
    const settled = await client.patchTogether([...own('gone'), missing]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    client.close();
  });
});
