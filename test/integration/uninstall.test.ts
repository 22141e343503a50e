import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { APPLICATIONS } from '../../src/applications/index.ts';
import { WORKLOAD_KINDS } from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { HELD_KINDS, INSTALLED_KINDS } from './left-behind.ts';
import {
  letGo,
  MANIFESTS,
  startUninstallSetting,
  untilGone,
  type UninstallSetting,
} from './uninstall-setting.ts';

// `krake-hooks uninstall` on a real control plane, with the service dead: there is no node, so its pods never run.

jest.setTimeout(600_000);
/** But for what is applied beside an installation and is its user's. */
const OVERLAYS = readdirSync(join(MANIFESTS, 'overlays'))
  .filter((name) => name !== 'legacy-job-webhooks')
  .map((name) => `overlays/${name}`);
const UNINSTALL = ['uninstall', '--yes'] as const;

let setting: UninstallSetting;
beforeAll(async () => {
  setting = await startUninstallSetting();
}, 600_000);
afterAll(() => setting.stop());

const secretsAndApplications = async (namespace: string) => {
  const { stdout } = await setting.controlPlane.kubectl([
    ...['-n', namespace, 'get', 'secrets', '-o', 'name', '-l', 'app.kubernetes.io/managed-by=krake-hooks'],
  ]);
  return stdout.split('\n').filter((line) => line !== '');
};

interface ManifestObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

it.each(['', ...OVERLAYS])('finds every object of manifests/%s by its label and kind', async (overlay) => {
  const { stdout } = await setting.controlPlane.kubectl(['kustomize', join(MANIFESTS, overlay)]);
  const objects = parseAllDocuments(stdout).map((document) => document.toJS() as ManifestObject);
  expect(objects.length).toBeGreaterThan(40);
  const { stdout: resources } = await setting.controlPlane.kubectl(['api-resources', '--no-headers']);
  const known = new Set(
    INSTALLED_KINDS.map(({ apiVersion, plural }) => {
      const line = resources
        .split('\n')
        .find((text) => text.split(/\s+/)[0] === plural && text.includes(` ${apiVersion} `));
      return `${apiVersion} ${line?.trim().split(/\s+/).at(-1)}`;
    }),
  );
  const missed = objects.filter(({ apiVersion, kind, metadata }) =>
    // The rest of what is in our namespace goes with it.
    metadata.labels?.['app.kubernetes.io/part-of'] === 'krake-hooks'
      ? !known.has(`${apiVersion} ${kind}`)
      : metadata.namespace !== 'krake-system',
  );
  expect(missed.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
});

describe('krake-hooks uninstall', () => {
  it('leaves nothing of ours, and what was annotated lives on', async () => {
    await setting.apply();
    expect((await setting.installed()).length).toBeGreaterThan(50);
    await setting.namespace('shop');
    for (const kind of HELD_KINDS) await setting.holdWorkload('shop', kind, 'web');

    const output = await setting.succeed(...UNINSTALL);

    expect(output).toContain('nothing of the installation is left');
    expect(await setting.installed()).toEqual([]);
    expect(await setting.held()).toEqual([]);
    expect(await secretsAndApplications('shop')).toEqual([]);
    for (const kind of HELD_KINDS) {
      const ref = { resource: WORKLOAD_KINDS[kind], namespace: 'shop', name: 'web' };
      expect((await setting.admin.get(ref))?.metadata.deletionTimestamp).toBeUndefined();
    }
    await letGo(setting, 'shop');
    await setting.controlPlane.kubectl(['delete', 'namespace', 'shop', '--wait=false']);
    await untilGone(setting, 'shop');
  });

  it('may be repeated where nothing is left', async () => {
    const output = await setting.succeed(...UNINSTALL);
    expect(output).toContain('nothing of the installation is left');
  });

  it('keeps Applications and Secrets for another installation where that is asked for', async () => {
    await setting.apply();
    await setting.namespace('kept');
    await setting.holdWorkload('kept', 'Deployment', 'web');

    await setting.succeed(...UNINSTALL, '--keep-crds');

    expect(await setting.held()).toEqual([]);
    const left = await setting.installed();
    expect(left.filter((name) => !name.startsWith('customresourcedefinitions '))).toEqual([]);
    expect(left).toContain('customresourcedefinitions applications.hooks.krake.dev');
    expect(await secretsAndApplications('kept')).toEqual(['secret/krake-hooks-deployment-web']);
    expect((await setting.admin.list(APPLICATIONS, 'kept')).items).toHaveLength(1);

    await setting.succeed(...UNINSTALL);
    expect(await setting.installed()).toEqual([]);
    expect(await secretsAndApplications('kept')).toEqual([]);
  });

  it('goes on where it was killed, whenever that was', async () => {
    await setting.namespace('killed');
    for (const afterMs of [0, 500, 2_000]) {
      await setting.apply();
      for (const kind of HELD_KINDS) await setting.holdWorkload('killed', kind, `after-${afterMs}`);
      const first = setting.command(...UNINSTALL);
      await waitFor('its first word', () => first.output() !== '' || undefined, { intervalMs: 5 });
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      first.process.kill('SIGKILL');
      await first.ended;

      await setting.succeed(...UNINSTALL);

      expect(await setting.installed()).toEqual([]);
      expect(await setting.held()).toEqual([]);
    }
  });

  it('ends a deletion of the manifests that waits for the dead service', async () => {
    await setting.apply();
    await setting.holdWorkload('killed', 'Deployment', 'waits');
    const deletion = setting.controlPlane.kubectl(
      ['delete', '-k', MANIFESTS, '--ignore-not-found', '--timeout=240s'],
      {
        timeoutMs: 250_000,
      },
    );
    await waitFor('the namespace to be terminating', async () => {
      const ref = { resource: { apiVersion: 'v1', plural: 'namespaces' }, name: 'krake-system' };
      return (await setting.admin.get(ref))?.metadata.deletionTimestamp;
    });

    await setting.succeed(...UNINSTALL);

    await deletion;
    expect(await setting.installed()).toEqual([]);
    expect(await setting.held()).toEqual([]);
  });

  it('leaves alone a namespace that is not of the manifests', async () => {
    await setting.apply();
    await setting.controlPlane.kubectl(['label', 'namespace', 'krake-system', 'app.kubernetes.io/part-of-']);
    await setting.controlPlane.kubectl(['-n', 'krake-system', 'create', 'configmap', 'somebody-elses']);
    await setting.controlPlane.kubectl([
      '-n',
      'krake-system',
      'create',
      'secret',
      'generic',
      'krake-hooks-ca',
    ]);

    await setting.succeed(...UNINSTALL);

    expect(await setting.installed()).toEqual([]);
    await setting.controlPlane.kubectl(['-n', 'krake-system', 'get', 'configmap', 'somebody-elses']);
    await setting.controlPlane.kubectl(['delete', 'namespace', 'krake-system', '--wait=false']);
    await untilGone(setting, 'krake-system');
  });

  it('says which object it could not release, and removes the rest when that is solved', async () => {
    await setting.apply();
    await setting.holdWorkload('killed', 'Deployment', 'stubborn');
    const policy = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name: 'stubborn' } };
    await setting.admin.create(
      { apiVersion: policy.apiVersion, plural: 'validatingadmissionpolicies' },
      undefined,
      {
        ...policy,
        kind: 'ValidatingAdmissionPolicy',
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: {
            resourceRules: [
              { apiGroups: ['apps'], apiVersions: ['*'], resources: ['deployments'], operations: ['UPDATE'] },
            ],
          },
          matchConditions: [{ name: 'this-one', expression: "object.metadata.name == 'stubborn'" }],
          validations: [{ expression: 'false', message: 'nobody changes this one' }],
        },
      },
    );
    const bindings = { apiVersion: policy.apiVersion, plural: 'validatingadmissionpolicybindings' };
    await setting.admin.create(bindings, undefined, {
      ...policy,
      kind: 'ValidatingAdmissionPolicyBinding',
      spec: { policyName: 'stubborn', validationActions: ['Deny'] },
    });
    await waitFor('the policy to hold', async () => {
      const args = ['-n', 'killed', 'annotate', 'deployment/stubborn', `at=${Date.now()}`, '--overwrite'];
      const { stderr } = await setting.controlPlane.kubectl(args, { allowFailure: true });
      return stderr.includes('nobody changes this one') ? true : undefined;
    });

    const { code, output } = await setting.run(...UNINSTALL);

    expect(output).toContain('deployments killed/stubborn');
    expect(output).toContain('nobody changes this one');
    expect(code).toBe(1);
    expect(await setting.held()).toEqual(['deployments killed/stubborn']);

    await setting.controlPlane.kubectl(['delete', 'validatingadmissionpolicybinding', 'stubborn']);
    await waitFor(
      'the command to succeed',
      async () => ((await setting.run(...UNINSTALL)).code === 0 ? true : undefined),
      { timeoutMs: 120_000 },
    );
    expect(await setting.held()).toEqual([]);
    expect(await setting.installed()).toEqual([]);
    await letGo(setting, 'killed');
    await setting.controlPlane.kubectl(['delete', 'namespace', 'killed', '--wait=false']);
    await untilGone(setting, 'killed');
  });
});
