import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { waitFor } from '../cluster/wait-for.ts';
import { callApi } from './call-api.ts';
import {
  ENABLED,
  NAMESPACE,
  PARTS,
  pod,
  serviceAccount,
  startWithManifests,
  type ManifestsSetting,
} from './manifests-setting.ts';

/** What each service account may do, reviewed by people; UPDATE_GOLDEN=1 rewrites it, which the review of the change then sees. */
const GOLDEN = join(import.meta.dirname, '..', 'testdata', 'rbac');
/** Our own namespace, one of a user's, one of the cluster's. */
const NAMESPACES = [NAMESPACE, 'shop', 'kube-system'] as const;

jest.setTimeout(300_000);
let setting: ManifestsSetting;
beforeAll(async () => {
  setting = await startWithManifests();
  await setting.namespace('shop', ENABLED);
  await setting.untilLabelsAreKnown();
}, 600_000);
afterAll(() => setting.controlPlane.stop(), 60_000);

interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** One line for each resource: `verbs group/resource [names]`. */
async function rulesOf(user: string, namespace: string): Promise<Set<string>> {
  const { stdout } = await setting.controlPlane.kubectl(
    ['create', '--validate=false', '-o', 'json', `--as=${user}`, '-f', '-'],
    {
      input: JSON.stringify({
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectRulesReview',
        spec: { namespace },
      }),
    },
  );
  const { status } = JSON.parse(stdout) as {
    status: { incomplete: boolean; resourceRules: readonly Rule[] };
  };
  expect(status.incomplete).toBe(false);
  const verbs = new Map<string, Set<string>>();
  for (const rule of status.resourceRules) {
    const names = rule.resourceNames ? ` [${rule.resourceNames.join(', ')}]` : '';
    for (const group of rule.apiGroups ?? ['']) {
      for (const resource of rule.resources ?? []) {
        const key = `${group || 'core'}/${resource}${names}`;
        verbs.set(key, new Set([...(verbs.get(key) ?? []), ...rule.verbs]));
      }
    }
  }
  return new Set([...verbs].map(([key, of]) => `${key}: ${[...of].sort().join(', ')}`));
}

describe.each(PARTS)('the service account of %s', (part) => {
  it('may do exactly what was reviewed, beside what every service account may', async () => {
    const found: Record<string, string[]> = {};
    for (const namespace of NAMESPACES) {
      const everybody = await rulesOf(serviceAccount('of-nobody'), namespace);
      const own = await rulesOf(serviceAccount(part), namespace);
      found[namespace] = [...own].filter((line) => !everybody.has(line)).sort();
    }
    const file = join(GOLDEN, `${part}.yaml`);
    if (process.env.UPDATE_GOLDEN === '1') {
      if (process.env.CI !== undefined) throw new Error('UPDATE_GOLDEN is for people, not for CI');
      await writeFile(file, stringify(found, { lineWidth: 0 }));
    }
    expect(found).toEqual(parse(await readFile(file, 'utf8')));
  });

  it.each([
    ['list', 'secrets'],
    ['create', 'pods'],
    ['create', 'serviceaccounts/token'],
    ['update', 'mutatingwebhookconfigurations.admissionregistration.k8s.io/krake-hooks'],
    ['update', 'validatingwebhookconfigurations.admissionregistration.k8s.io/krake-hooks-gate'],
    ['*', '*'],
  ])('may not %s %s anywhere', async (verb, resource) => {
    for (const scope of [['--all-namespaces'], ['-n', NAMESPACE]]) {
      const { stdout } = await setting.controlPlane.kubectl(
        ['auth', 'can-i', verb, resource, `--as=${serviceAccount(part)}`, ...scope],
        { allowFailure: true },
      );
      expect(`${scope.join(' ')}: ${stdout.trim()}`).toBe(`${scope.join(' ')}: no`);
    }
  });
});

describe('what RBAC cannot say, the policies do', () => {
  const secret = (namespace: string, name: string, more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, ...more },
  });
  const controller = { as: serviceAccount('controller'), dryRun: true };
  const SECRETS = "ValidatingAdmissionPolicy 'krake-hooks-own-secrets'";

  it('Secrets of applications and of the CA can be written', async () => {
    expect(await setting.create(secret('shop', 'krake-hooks-deployment-web'), controller)).toBeUndefined();
    // Job-done webhooks have nothing to do with certificates.
    for (const part of PARTS.filter((each) => each !== 'jobs')) {
      const as = serviceAccount(part);
      expect(await setting.create(secret(NAMESPACE, 'krake-hooks-ca'), { as, dryRun: true })).toBeUndefined();
    }
  });

  it('what signs the certificates of applications is the controller’s, in Secret and ConfigMap', async () => {
    const signing = secret(NAMESPACE, 'krake-hooks-signing');
    const trust = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace: NAMESPACE, name: 'krake-hooks-client-ca' },
    };
    expect(await setting.create(signing, controller)).toBeUndefined();
    expect(await setting.create(trust, controller)).toBeUndefined();
    const other = { ...trust, metadata: { ...trust.metadata, name: 'krake-hooks-config' } };
    expect(await setting.create(other, controller)).toContain('krake-hooks-own-config-maps');
    for (const part of PARTS.filter((each) => !['controller', 'jobs'].includes(each))) {
      expect(await setting.create(signing, { as: serviceAccount(part), dryRun: true })).toContain(SECRETS);
    }
  });

  const tokenOf = (account: string) => ({ annotations: { 'kubernetes.io/service-account.name': account } });
  it.each<[string, object]>([
    ['another Secret', secret('shop', 'database-password')],
    ['a Secret in a namespace of the cluster', secret('kube-system', 'krake-hooks-x')],
    ['another Secret in our own namespace', secret(NAMESPACE, 'krake-hooks-x')],
    [
      'a Secret that Kubernetes fills with a token',
      {
        ...secret('shop', 'krake-hooks-x', tokenOf('default')),
        type: 'kubernetes.io/service-account-token',
      },
    ],
  ])('not %s', async (_name, object) => {
    expect(await setting.create(object, controller)).toContain(SECRETS);
  });

  it('a Secret of a user’s can’t be deleted', async () => {
    await setting.create(secret('shop', 'database-password'));
    const { stderr } = await setting.controlPlane.kubectl(
      ['-n', 'shop', 'delete', 'secret', 'database-password', `--as=${controller.as}`],
      { allowFailure: true },
    );
    expect(stderr).toContain(SECRETS);
  });

  it('a stolen token of admission can’t make itself a token of the controller', async () => {
    const forged = {
      ...secret(NAMESPACE, 'krake-hooks-ca', tokenOf('krake-hooks-controller')),
      type: 'kubernetes.io/service-account-token',
    };
    const refusal = await setting.create(forged, { as: serviceAccount('admission'), dryRun: true });
    expect(refusal).toContain(SECRETS);
  });

  describe('of an Application’s status the gate changes only which pods are to go', () => {
    const path = '/apis/hooks.krake.dev/v1alpha1/namespaces/shop/applications/web/status';
    const going = { name: 'a', cause: 'deletion', requestedAt: '2030-01-01T00:00:00Z' };
    /** kubectl would read the status first, which the gate may not. */
    const patchStatus = async (patch: readonly object[], as?: string) => {
      const query = as === undefined ? '' : '?dryRun=All';
      const options = { patch: 'json', ...(as !== undefined && { as }) } as const;
      const { status, body } = await callApi(setting.controlPlane, 'PATCH', path + query, patch, options);
      return status === 200 ? '' : (body.message ?? '');
    };
    const byGate = (...patch: readonly object[]) => patchStatus(patch, serviceAccount('gate'));
    const add = (at: string, value: unknown) => ({ op: 'add', path: `/status${at}`, value });
    const shutdown = { sequence: 1, going: { old: going }, conversations: [] };

    beforeAll(async () => {
      await setting.create({
        apiVersion: 'hooks.krake.dev/v1alpha1',
        kind: 'Application',
        metadata: { name: 'web', namespace: 'shop' },
        spec: { hooks: ['shutdown'] },
      });
    });

    it('where there is nothing yet', async () => {
      const first = { sequence: 0, going: { new: going }, conversations: [] };
      expect(await byGate(add('', { shutdown: first }))).toBe('');
      expect(await byGate(add('', { shutdown: { ...first, sequence: 7 } }))).toContain(
        'krake-hooks-gate-status',
      );
      expect(await byGate(add('', { shutdown: first, tokenSha256: 'a'.repeat(64) }))).toContain(
        'krake-hooks-gate-status',
      );
    });

    it('where there is a status', async () => {
      expect(await patchStatus([add('', { tokenSha256: 'a'.repeat(64), shutdown })])).toBe('');
      expect(await byGate(add('/shutdown/going/new', going))).toBe('');
      expect(await byGate(add('/shutdown/going/old', { ...going, cause: 'eviction' }))).toBe('');
    });

    it.each<[string, object]>([
      ['another token', add('/tokenSha256', 'b'.repeat(64))],
      ['a signal', add('/signals', { complete: { receivedAt: going.requestedAt, provenBy: 'token' } })],
      ['a phase', add('/phase', 'Completed')],
      ['a conversation count', add('/shutdown/sequence', 2)],
      ['no entry where there was one', { op: 'remove', path: '/status/shutdown/going/old' }],
      ['no status', { op: 'remove', path: '/status/tokenSha256' }],
    ])('not %s', async (_what, operation) => {
      expect(await byGate(operation)).toContain("ValidatingAdmissionPolicy 'krake-hooks-gate-status'");
    });
  });

  it('a delivery under a name that is the id of an event is made by us alone', async () => {
    const editor = 'system:serviceaccount:shop:editor';
    await setting.controlPlane.kubectl([
      '-n',
      'shop',
      'create',
      'rolebinding',
      'editor',
      '--clusterrole=edit',
      '--serviceaccount=shop:editor',
    ]);
    const delivery = (name: string) => ({
      apiVersion: 'hooks.krake.dev/v1alpha1',
      kind: 'WebhookDelivery',
      metadata: { name, namespace: 'shop' },
      spec: {
        webhook: { name: 'reports', uid: '0f0f0f0f-0000-4000-8000-000000000001' },
        event: {
          type: 'complete',
          time: '2030-01-01T00:00:00Z',
          job: { name: 'train', uid: '0f0f0f0f-0000-4000-8000-000000000002' },
        },
      },
    });
    const ours = `jd-${'a'.repeat(40)}`;
    const byEditor = (name: string) => setting.create(delivery(name), { as: editor, dryRun: true });
    await waitFor('the editor to have its rights', async () =>
      (await byEditor('test-1')) === undefined ? true : undefined,
    );
    const refusal = await waitFor('the policy to hold', () => byEditor(ours));
    expect(refusal).toContain("ValidatingAdmissionPolicy 'krake-hooks-own-deliveries'");
    expect(
      await setting.create(delivery(ours), { as: serviceAccount('jobs'), dryRun: true }),
    ).toBeUndefined();
  });

  it('workloads are changed and deleted only where hooks are switched on', async () => {
    await setting.namespace('elsewhere');
    await setting.controlPlane.kubectl(['label', 'namespace', 'kube-system', 'hooks.krake.dev/enabled=true']);
    const label = { labels: { 'hooks.krake.dev/application': 'pod-main' } };
    await setting.create(pod('shop', {}));
    await setting.create(pod('elsewhere', {}));
    await setting.create(pod('elsewhere', { ...label, name: 'labelled' }));
    await setting.create(pod('kube-system', label));
    await setting.untilLabelsAreKnown();
    const remove = async (namespace: string, name: string) => {
      const args = ['-n', namespace, 'delete', 'pod', name, '--dry-run=server', `--as=${controller.as}`];
      return (await setting.controlPlane.kubectl(args, { allowFailure: true })).stderr;
    };
    expect(await remove('shop', 'main')).toBe('');
    expect(await remove('elsewhere', 'labelled')).toBe('');
    const refusal = "ValidatingAdmissionPolicy 'krake-hooks-own-workloads'";
    expect(await remove('elsewhere', 'main')).toContain(refusal);
    expect(await remove('kube-system', 'main')).toContain(refusal);
    await setting.controlPlane.kubectl(['label', 'namespace', 'kube-system', 'hooks.krake.dev/enabled-']);
  });
});
