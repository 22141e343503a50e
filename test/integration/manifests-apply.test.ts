import { readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/index.ts';
import {
  ANNOTATION_CONTAINERS,
  ANNOTATION_HOOKS,
  HOOKS,
  LABEL_APPLICATION,
  LABEL_ENABLED,
  secretName,
  SYSTEM_NAMESPACES,
  WORKLOAD_KINDS,
} from '../../src/contract/index.ts';
import { GATE_PATH } from '../../src/gate/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  isDealtWith,
  MANIFESTS,
  NAMESPACE,
  PARTS,
  startWithManifests,
  type Manifest,
  type ManifestsSetting,
  type Selector,
  type Webhook,
} from './manifests-setting.ts';

jest.setTimeout(300_000);
let setting: ManifestsSetting;
beforeAll(async () => {
  setting = await startWithManifests();
}, 600_000);
afterAll(() => setting.controlPlane.stop(), 60_000);

interface Deployment extends Manifest {
  readonly spec: {
    template: {
      spec: {
        terminationGracePeriodSeconds: number;
        containers: { args: string[]; ports: { name: string; containerPort: number }[] }[];
      };
    };
  };
}

const kustomize = async (folder: string): Promise<Manifest[]> => {
  const { stdout } = await setting.controlPlane.kubectl(['kustomize', folder]);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
};
const idOf = ({ kind, metadata: { namespace, name } }: Manifest) => `${kind} ${namespace ?? ''}/${name}`;

/** Each object of the manifests as it is stored, by kind and name. */
async function versions(): Promise<Record<string, string | undefined>> {
  const { stdout } = await setting.controlPlane.kubectl(['get', '-k', MANIFESTS, '-o', 'json']);
  const { items } = JSON.parse(stdout) as { items: (Manifest & { metadata: { resourceVersion: string } })[] };
  return Object.fromEntries(items.map((item) => [idOf(item), item.metadata.resourceVersion]));
}

describe('kubectl apply -k manifests', () => {
  it('twice changes nothing, and kubectl diff is empty', async () => {
    const { controlPlane } = setting;
    // The controllers that fill in status have had their turn.
    let before: Awaited<ReturnType<typeof versions>> = {};
    let looks = 0;
    await waitFor(
      'the objects to settle',
      async () => {
        const earlier = before;
        before = await versions();
        if (!(await isDealtWith(setting))) return undefined;
        looks = JSON.stringify(earlier) === JSON.stringify(before) ? looks + 1 : 0;
        return looks >= 3 || undefined;
      },
      { intervalMs: 1_500, timeoutMs: 150_000 },
    );
    expect(Object.keys(before).length).toBeGreaterThan(30);
    await controlPlane.kubectl(['apply', '--validate=strict', '-k', MANIFESTS]);
    expect(await versions()).toEqual(before);
    expect((await controlPlane.kubectl(['diff', '-k', MANIFESTS])).stdout).toBe('');
  });

  it('leaves a caBundle that the service has written, client-side and server-side', async () => {
    const { controlPlane, get } = setting;
    const names = [
      'mutatingwebhookconfiguration/krake-hooks',
      'validatingwebhookconfiguration/krake-hooks-gate',
    ];
    const caBundle = Buffer.from(controlPlane.caPem).toString('base64');
    const patch = [0, 1].map((i) => ({
      op: 'add',
      path: `/webhooks/${i}/clientConfig/caBundle`,
      value: caBundle,
    }));
    const flags = ['--type=json', '-p', JSON.stringify(patch)];
    for (const name of names) await controlPlane.kubectl(['patch', name, ...flags]);
    await controlPlane.kubectl(['apply', '-k', MANIFESTS]);
    await controlPlane.kubectl(['apply', '--server-side', '--force-conflicts', '-k', MANIFESTS]);
    for (const name of names) {
      const { webhooks } = await get<{ webhooks: Webhook[] }>(name);
      expect(webhooks.map(({ clientConfig }) => clientConfig.caBundle)).toEqual([caBundle, caBundle]);
    }
    expect((await controlPlane.kubectl(['diff', '-k', MANIFESTS])).stdout).toBe('');
  });

  it('brings policies that the API server finds nothing wrong with', async () => {
    const policies = await waitFor('the policies to be checked', async () => {
      const { items } = await setting.get<{
        items: {
          metadata: { name: string };
          status?: { typeChecking?: { expressionWarnings?: unknown[] } };
        }[];
      }>('validatingadmissionpolicies');
      return items.every(({ status }) => status?.typeChecking !== undefined) ? items : undefined;
    });
    expect(policies.map(({ metadata: { name } }) => name).sort()).toEqual([
      'krake-hooks-gate-status',
      'krake-hooks-injected',
      'krake-hooks-own-config-maps',
      'krake-hooks-own-deliveries',
      'krake-hooks-own-jobs',
      'krake-hooks-own-roles',
      'krake-hooks-own-secrets',
      'krake-hooks-own-workloads',
    ]);
    for (const { status } of policies) expect(status?.typeChecking?.expressionWarnings).toBeUndefined();
  });

  it('brings pods that the Pod Security level restricted lets in, two for each part', async () => {
    await waitFor('the pods of all parts', async () => {
      const { items } = await setting.get<{ items: { metadata: { labels: Record<string, string> } }[] }>(
        ...['-n', NAMESPACE, 'pods'],
      );
      const count = (part: string) =>
        items.filter(({ metadata }) => metadata.labels['app.kubernetes.io/component'] === part).length;
      return PARTS.every((part) => count(part) === 2) || undefined;
    });
  });
});

describe('the overlays', () => {
  // cert-manager's needs the types of cert-manager.
  const overlays = readdirSync(join(MANIFESTS, 'overlays')).filter((name) => name !== 'cert-manager');
  it.each(overlays)('%s is accepted by the API server without a warning', async (overlay) => {
    const folder = join(MANIFESTS, 'overlays', overlay);
    const args = ['apply', '--dry-run=server', '--validate=strict', '-k', folder];
    const { stderr } = await setting.controlPlane.kubectl(args);
    // kubectl's own remark about sortOptions, which uninstalling needs.
    expect(stderr.replace(/^.*Sorting order is set both in.*\n/gm, '')).toBe('');
  });

  it('cert-manager builds, and leaves no right to write certificates or the caBundle', async () => {
    const objects = await kustomize(join(MANIFESTS, 'overlays/cert-manager'));
    const roles = objects.filter(({ metadata }) =>
      /^krake-hooks-(?:certificate|admission|gate|callbacks)$/.test(metadata.name),
    );
    const rules = roles.flatMap((role) =>
      'rules' in role ? (role.rules as { resources: string[]; verbs: string[] }[]) : [],
    );
    expect(rules.filter(({ resources }) => resources.includes('secrets'))).toEqual([]);
    const onConfigurations = rules.filter(({ resources }) =>
      resources.some((resource) => resource.endsWith('webhookconfigurations')),
    );
    expect(onConfigurations.map(({ verbs }) => verbs)).toEqual(Array.from({ length: 4 }, () => ['get']));
  });

  it('single runs every part under one account, behind all Services', async () => {
    const objects = await kustomize(join(MANIFESTS, 'overlays/single'));
    const deployments = objects.filter((object): object is Deployment => object.kind === 'Deployment');
    expect(deployments).toHaveLength(1);
    expect(deployments[0]?.spec.template.spec).toMatchObject({ serviceAccountName: 'krake-hooks-all' });
    expect(deployments[0]?.spec.template.spec.containers[0]?.args).toContain(PARTS.join(','));
    const labels = deployments[0]?.spec.template;
    for (const service of objects.filter(({ kind }) => kind === 'Service')) {
      const { selector } = (service as Manifest & { spec: { selector: Record<string, string> } }).spec;
      expect(labels).toMatchObject({ metadata: { labels: selector } });
    }
  });

  it('without-gate leaves nothing of the gate behind but the right to see that there is none', async () => {
    const objects = await kustomize(join(MANIFESTS, 'overlays/without-gate'));
    expect(objects.filter(({ metadata }) => metadata.name.includes('gate'))).toEqual([]);
  });

  it('gate-fails-open changes what happens while the gate is down, and nothing else', async () => {
    const folder = join(setting.controlPlane.dir, 'fails-open');
    await mkdir(folder);
    const from = relative(folder, MANIFESTS);
    const text = `resources: [${from}/base]\ncomponents: [${from}/components/gate-fails-open]\n`;
    await writeFile(join(folder, 'kustomization.yaml'), text);
    const policiesOf = (objects: readonly Manifest[]) =>
      objects
        .filter((object): object is Manifest & { webhooks: Webhook[] } => 'webhooks' in object)
        .map(({ kind, webhooks }) => [kind, ...webhooks.map(({ failurePolicy }) => failurePolicy)]);
    const before = await kustomize(join(MANIFESTS, 'base'));
    const after = await kustomize(folder);
    expect(policiesOf(before)).toContainEqual(['ValidatingWebhookConfiguration', 'Fail', 'Fail']);
    expect(policiesOf(after)).toContainEqual(['ValidatingWebhookConfiguration', 'Ignore', 'Ignore']);
    expect(after.map(idOf)).toEqual(before.map(idOf));
  });

  it.each(['base', 'overlays/local', 'overlays/cert-manager', 'overlays/krake'])(
    'the configuration of %s is one that the service accepts, and it ends before it is killed',
    async (folder) => {
      const config = loadConfig({ file: join(MANIFESTS, folder, 'config.yaml'), env: {} });
      const objects = await kustomize(join(MANIFESTS, folder));
      const deployments = objects.filter((object): object is Deployment => object.kind === 'Deployment');
      expect(deployments).toHaveLength(PARTS.length);
      for (const { spec } of deployments) {
        expect(spec.template.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(
          config.shutdownDeadline,
        );
      }
    },
  );
});

describe('the names in the manifests are those of the code', () => {
  const config = loadConfig({ env: {} });
  const excluded = [...SYSTEM_NAMESPACES, config.namespace].sort();

  const expectSelector = ({ matchExpressions }: Selector) => {
    const [enabled, names] = matchExpressions;
    expect(enabled).toEqual({ key: LABEL_ENABLED, operator: 'In', values: ['true'] });
    expect(names).toMatchObject({ key: 'kubernetes.io/metadata.name', operator: 'NotIn' });
    expect([...(names?.values ?? [])].sort()).toEqual(excluded);
  };

  it('webhook configuration', async () => {
    const name = `mutatingwebhookconfiguration/${config.admission.mutatingWebhookConfiguration}`;
    const { webhooks } = await setting.get<{ webhooks: Webhook[] }>(name);
    for (const { clientConfig, namespaceSelector, timeoutSeconds, failurePolicy } of webhooks) {
      const { serviceName } = config.admission;
      expect(clientConfig.service).toMatchObject({
        name: serviceName,
        namespace: config.namespace,
        port: 443,
      });
      expectSelector(namespaceSelector);
      expect(timeoutSeconds * 1000).toBeGreaterThan(config.admission.deadline);
      expect(failurePolicy).toBe('Ignore');
    }
    const named = webhooks.flatMap(({ rules }) =>
      rules.flatMap(({ apiGroups: [group = ''], apiVersions: [version = ''], resources }) =>
        resources.map((resource) => `${group === '' ? version : `${group}/${version}`} ${resource}`),
      ),
    );
    const known = Object.values(WORKLOAD_KINDS).map(({ apiVersion, plural }) => `${apiVersion} ${plural}`);
    expect(named.sort()).toEqual(known.sort());
  });

  it('gate', async () => {
    const name = `validatingwebhookconfiguration/${config.gate.validatingWebhookConfiguration}`;
    const { webhooks } = await setting.get<{ webhooks: (Webhook & { objectSelector: object })[] }>(name);
    for (const { clientConfig, namespaceSelector, timeoutSeconds, failurePolicy } of webhooks) {
      expect(clientConfig.service).toMatchObject({
        name: config.gate.serviceName,
        namespace: config.namespace,
        path: GATE_PATH,
        port: 443,
      });
      expectSelector(namespaceSelector);
      expect(timeoutSeconds * 1000).toBeGreaterThan(config.gate.deadline);
      expect(failurePolicy).toBe('Fail');
    }
    expect(webhooks.map(({ rules }) => rules.map(({ resources }) => resources))).toEqual([
      [['pods']],
      [['pods/eviction']],
    ]);
    const labelled = { key: LABEL_APPLICATION, operator: 'Exists' };
    expect(webhooks[0]?.objectSelector).toEqual({ matchExpressions: [labelled] });
    const file = join(MANIFESTS, 'base/gate/webhook-configuration.yaml');
    expect(await readFile(file, 'utf8')).toContain(`'${ANNOTATION_HOOKS}'`);
  });

  it('policy', async () => {
    const { spec } = await setting.get<{ spec: { matchResources: { namespaceSelector: Selector } } }>(
      'validatingadmissionpolicybinding/krake-hooks-injected',
    );
    expectSelector(spec.matchResources.namespaceSelector);
    const text = await readFile(join(MANIFESTS, 'base/policy/injected.yaml'), 'utf8');
    for (const name of [ANNOTATION_HOOKS, ANNOTATION_CONTAINERS, LABEL_APPLICATION]) {
      expect(text).toContain(`'${name}'`);
    }
    expect(text).toContain(`in [${HOOKS.map((hook) => `'${hook}'`).join(', ')}]`);
    expect(text).toContain(`'${secretName('')}' + `);
  });

  it('Services, ports and Leases', async () => {
    const services = [
      [config.admission.serviceName, config.admission.port],
      [config.gate.serviceName, config.gate.port],
      [config.callbacks.serviceName, config.callbacks.port],
    ] as const;
    const deployments = (await kustomize(MANIFESTS)).filter(
      (object): object is Deployment => object.kind === 'Deployment',
    );
    const ports = deployments.flatMap(({ spec }) => spec.template.spec.containers.flatMap((c) => c.ports));
    for (const [name, port] of services) {
      const { spec } = await setting.get<{ spec: { ports: { port: number; targetPort: string }[] } }>(
        ...['-n', config.namespace, `service/${name}`],
      );
      expect(spec.ports).toHaveLength(1);
      expect(spec.ports[0]?.port).toBe(config.callbacks.servicePort);
      const target = ports.find((candidate) => candidate.name === spec.ports[0]?.targetPort);
      expect(target?.containerPort).toBe(port);
    }
    expect(ports.filter(({ name }) => name === 'health').map((p) => p.containerPort)).toEqual(
      PARTS.map(() => config.health.port),
    );
    const { stdout } = await setting.controlPlane.kubectl(['kustomize', MANIFESTS]);
    for (const name of [config.controller.leaseName, config.pki.caSecretName])
      expect(stdout).toContain(`- ${name}\n`);
  });
});
