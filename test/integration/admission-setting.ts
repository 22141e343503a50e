import { createServer } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import forge from 'node-forge';
import { makeCertificate } from '../../certs/development-certificate.ts';
import { createAdmissionHandler } from '../../src/admission/index.ts';
import { createHttpsListener } from '../../src/http/index.ts';
import { createKubeClient, type FullKubeClient, type KubeObject } from '../../src/kube/index.ts';
import type { LogFields, Logger } from '../../src/observability/index.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { settingsOf } from '../unit/admission/admission-fixtures.ts';
import { ENABLED, startWithManifests, type ManifestsSetting } from './manifests-setting.ts';

export const HOOKS = 'hooks.krake.dev/hooks';
export const APPLICATION = 'hooks.krake.dev/application';
export const STAMPED_FROM = 'hooks.krake.dev/stamped-from';
export const COMPLETE = { [HOOKS]: 'complete' } as const;
export const AUTH = 'hooks.krake.dev/auth';
export const NAMESPACE = 'shop';
/** The service is in the process of the test, which a busy machine lets wait; how fast it is is measured elsewhere. */
const PATIENCE_SECONDS = 30;
/** Default of `injection.fsGroup`. */
export const OUR_GROUP = 65_532;

export const RESOURCES = {
  deployments: { apiVersion: 'apps/v1', plural: 'deployments' },
  replicaSets: { apiVersion: 'apps/v1', plural: 'replicasets' },
  cronJobs: { apiVersion: 'batch/v1', plural: 'cronjobs' },
  jobs: { apiVersion: 'batch/v1', plural: 'jobs' },
  pods: { apiVersion: 'v1', plural: 'pods' },
  webhooks: { apiVersion: 'admissionregistration.k8s.io/v1', plural: 'mutatingwebhookconfigurations' },
} as const;

export interface Container {
  readonly name: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}
export interface PodTemplate {
  readonly metadata?: KubeObject['metadata'];
  readonly spec: {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly {
      readonly name: string;
      readonly secret?: {
        readonly secretName: string;
        readonly items?: readonly { readonly key: string; readonly mode?: number }[];
      };
      readonly projected?: object;
    }[];
    readonly securityContext?: Readonly<Record<string, unknown>>;
  };
}
export interface Pod extends KubeObject {
  readonly spec: PodTemplate['spec'];
}
export interface Workload extends KubeObject {
  readonly spec: { readonly template: PodTemplate; readonly replicas?: number };
  readonly status?: { readonly observedGeneration?: number };
}

/** One review as the service decided it. */
export type Review = Readonly<
  Record<'kind' | 'name' | 'operation' | 'outcome' | 'reason' | 'application', string | undefined>
> & { readonly dryRun: boolean };

/** The manifests on a real API server, their webhooks answered by the real handler in this process. */
export interface AdmissionSetting {
  readonly controlPlane: ControlPlane;
  readonly manifests: ManifestsSetting;
  readonly client: FullKubeClient;
  /** Every review since the start. */
  readonly reviews: readonly Review[];
  /** What was decided while `act` ran. */
  during(act: () => Promise<unknown>): Promise<readonly Review[]>;
  /** kubectl in the opted-in namespace, both outputs; throws on a failure. */
  kubectl(
    args: readonly string[],
    input?: unknown,
  ): Promise<{ readonly stdout: string; readonly stderr: string }>;
  /** Makes a namespace that is opted in, and waits until the API server knows of it. */
  namespace(name: string, labels?: Readonly<Record<string, string>>): Promise<void>;
  /** A mutating webhook of someone else, that adds a container to pods; returns what ends it. */
  otherWebhook(name: string, container: object): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

export async function startAdmission(): Promise<AdmissionSetting> {
  const pem = await throwawayCertificate();
  const reviews: Review[] = [];
  const listener = createHttpsListener({
    name: 'admission',
    host: '127.0.0.1',
    port: 0,
    tls: { current: () => pem, onChange: () => () => undefined },
    limits: { maxConnectionsPerAddress: Infinity },
    onRequest: createAdmissionHandler(
      {
        logger: reviewRecorder(reviews),
        metrics: { reviewed: () => undefined, rejected: () => undefined, failed: () => undefined },
      },
      { settings: settingsOf(), deadlineMs: PATIENCE_SECONDS * 1_000 },
    ),
  });
  await listener.start(new AbortController().signal);
  const manifests = await startWithManifests();
  const { controlPlane } = manifests;
  const client = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'admission-test/0' });
  await callByUrl(client, `https://127.0.0.1:${listener.port()}/mutate`, pem.cert);
  const namespace = async (name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> => {
    await manifests.namespace(name, { ...labels, ...ENABLED });
    await untilCalled(client, reviews, name);
  };
  await namespace(NAMESPACE);

  return {
    controlPlane,
    manifests,
    client,
    reviews,
    namespace,
    async during(act) {
      const before = reviews.length;
      await act();
      return reviews.slice(before);
    },
    kubectl: (args, input) =>
      controlPlane.kubectl(
        ['-n', NAMESPACE, ...args],
        input === undefined ? {} : { input: JSON.stringify(input) },
      ),
    otherWebhook: (name, container) => startOtherWebhook(client, pem, name, container),
    async stop() {
      client.close();
      await controlPlane.stop();
      await listener.stop();
    },
  };
}

/** The tested configuration with nothing changed but patience and the way to the service: without a node no Service leads anywhere. */
async function callByUrl(client: FullKubeClient, url: string, caPem: string): Promise<void> {
  interface Configuration extends KubeObject {
    readonly webhooks: readonly object[];
  }
  const ref = { resource: RESOURCES.webhooks, name: 'krake-hooks' };
  const configuration = await client.get<Configuration>(ref);
  if (configuration === undefined) throw new Error('the manifests bring no webhook configuration');
  const clientConfig = { url, caBundle: Buffer.from(caPem).toString('base64') };
  const patience = { timeoutSeconds: PATIENCE_SECONDS };
  const webhooks = configuration.webhooks.map((webhook) => ({ ...webhook, ...patience, clientConfig }));
  await client.replace(ref, { ...configuration, webhooks });
}

/** The API server takes a changed configuration, or a namespace's label, up a moment later. */
async function untilCalled(
  client: FullKubeClient,
  reviews: readonly Review[],
  namespace: string,
): Promise<void> {
  const before = reviews.length;
  const probe = pod({ name: 'probe', annotations: { 'hooks.krake.dev/none': '' } });
  await waitFor(`the webhook to be called for ${namespace}`, async () => {
    await client.create(RESOURCES.pods, namespace, probe, { dryRun: true }).catch(() => undefined);
    return reviews.length > before || undefined;
  });
}

async function throwawayCertificate(): Promise<{ readonly cert: string; readonly key: string }> {
  const made = await makeCertificate({
    commonName: 'krake-hooks test',
    days: 1,
    issuer: undefined,
    use: { names: ['127.0.0.1'] },
  });
  return {
    cert: forge.pki.certificateToPem(made.certificate),
    key: forge.pki.privateKeyToPem(made.privateKey),
  };
}

/** The handler tells each decision in one line; that line is what a test sees of it. */
function reviewRecorder(reviews: Review[]): Logger {
  const record = (_message: string, fields: LogFields = {}): void => {
    reviews.push(fields as unknown as Review);
  };
  const logger: Logger = { debug: record, info: record, warn: record, error: record, child: () => logger };
  return logger;
}

async function startOtherWebhook(
  client: FullKubeClient,
  pem: { readonly cert: string; readonly key: string },
  name: string,
  container: object,
): Promise<() => Promise<void>> {
  const server = createServer(pem, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as {
        request: { uid: string; object: Pod };
      };
      const { uid, object } = review.request;
      const hasIt = object.spec.containers.some((c) => c.name === (container as Container).name);
      const patch = [{ op: 'add', path: '/spec/containers/0', value: container }];
      const change = { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') };
      response.setHeader('Content-Type', 'application/json');
      response.end(
        JSON.stringify({
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          response: { uid, allowed: true, ...(hasIt ? {} : change) },
        }),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await client.create(RESOURCES.webhooks, undefined, {
    apiVersion: RESOURCES.webhooks.apiVersion,
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name: 'sidecar.example.com',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        reinvocationPolicy: 'IfNeeded',
        failurePolicy: 'Fail',
        clientConfig: {
          url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
          caBundle: Buffer.from(pem.cert).toString('base64'),
        },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': NAMESPACE } },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
      },
    ],
  });
  return async () => {
    const made = await client.get({ resource: RESOURCES.webhooks, name });
    if (made?.metadata.uid !== undefined) {
      await client.delete({ resource: RESOURCES.webhooks, name }, { uid: made.metadata.uid });
    }
    // The API server may call it for a moment still, and would let nothing in if it were away.
    await waitFor(`${name} not to be called any more`, async () => {
      const found = await client.create<Pod>(RESOURCES.pods, NAMESPACE, pod({ name: 'probe' }), {
        dryRun: true,
      });
      return found.spec.containers.length === 1 ? true : undefined;
    });
    server.close();
    server.closeAllConnections();
  };
}

export function pod(metadata: object, spec: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { containers: [{ name: 'main', image: 'example.invalid/main' }], ...spec },
  };
}

export interface DeploymentOptions {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly template?: object;
  readonly spec?: object;
  readonly replicas?: number;
}

export function deployment(name: string, options: DeploymentOptions = {}): object {
  const { annotations = COMPLETE, replicas = 1, template = {}, spec = {} } = options;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: NAMESPACE, annotations },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, ...template },
        spec: { containers: [{ name: 'main', image: 'example.invalid/main' }], ...spec },
      },
    },
  };
}

/** Names of the containers that have the token of the application and the mount, if the volume is there too. */
export function injectedContainers({ spec }: PodTemplate, application: string): string[] {
  const secret = `krake-hooks-${application}`;
  if (spec.volumes?.filter((v) => v.secret?.secretName === secret).length !== 1) return [];
  return [...(spec.initContainers ?? []), ...spec.containers]
    .filter(
      ({ env = [], volumeMounts = [] }) =>
        env.filter(({ name }) => name === 'KRAKE_TOKEN').length === 1 &&
        env.filter(({ value }) =>
          value?.endsWith(`/namespaces/${NAMESPACE}/applications/${application}/complete`),
        ).length === 1 &&
        volumeMounts.filter(({ name }) => name === 'krake-hooks').length === 1,
    )
    .map(({ name }) => name);
}
