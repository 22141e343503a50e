import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ENABLED, startWithManifests, type ManifestsSetting } from './manifests-setting.ts';

const APPLICATION = 'deployment-web';
const SECRET = `krake-hooks-${APPLICATION}`;
const STAMPED = { 'hooks.krake.dev/application': APPLICATION };
const COMPLETE = { 'hooks.krake.dev/hooks': 'complete' };

const plain = (name: string) => ({ name, image: 'example.invalid/main' });
/** The variable's name is the configuration's business, so any will do. */
const injected = (name: string, secret = SECRET) => ({
  ...plain(name),
  env: [
    { name: 'OWN', value: 'x' },
    { name: 'ANY_NAME', valueFrom: { secretKeyRef: { name: secret, key: 'token' } } },
  ],
});
/** With a pod identity: no variable from the Secret, but a mount of the token. */
const identified = (name: string, volumeName = 'any-token') => ({
  ...plain(name),
  volumeMounts: [{ name: volumeName, mountPath: '/any', readOnly: true }],
});
const tokenVolume = (audience?: string) => ({
  name: 'any-token',
  projected: { sources: [{ serviceAccountToken: { audience, path: 'token' } }] },
});
/** The API server takes such a volume only with a service account, which its own admission adds before the policies. */
const identitySpec = (...volumes: readonly object[]) => ({
  serviceAccountName: 'default',
  containers: [identified('main')],
  volumes,
});
const IDENTITY = { ...COMPLETE, 'hooks.krake.dev/auth': 'pod-identity' };
const volume = (secretName = SECRET) => ({ name: 'any', secret: { secretName } });

interface Template {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, unknown>>;
}

const podOf = ({ labels, annotations, spec }: Template, namespace = 'shop') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace, labels, annotations },
  spec,
});
const jobOf = ({ labels, annotations, spec }: Template, own?: Readonly<Record<string, string>>) => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'web', namespace: 'shop', annotations: own },
  spec: { template: { metadata: { labels, annotations }, spec: { restartPolicy: 'Never', ...spec } } },
});

jest.setTimeout(300_000);
let setting: ManifestsSetting;
beforeAll(async () => {
  setting = await startWithManifests();
  await setting.namespace('shop', ENABLED);
  await setting.namespace('elsewhere');
}, 600_000);
afterAll(() => setting.controlPlane.stop(), 60_000);

describe('while no service runs, these are let in', () => {
  const whole = { labels: STAMPED, annotations: COMPLETE };
  it.each<[string, object]>([
    ['a pod without our annotations', podOf({ spec: { containers: [plain('main')] } })],
    ['a pod that only has the label', podOf({ labels: STAMPED, spec: { containers: [plain('main')] } })],
    [
      'a pod with a hook that nobody knows',
      podOf({ annotations: { 'hooks.krake.dev/hooks': 'compleet' }, spec: { containers: [plain('main')] } }),
    ],
    [
      'an injected pod',
      podOf({ ...whole, spec: { containers: [injected('main'), injected('side')], volumes: [volume()] } }),
    ],
    [
      'a pod whose listed containers are injected, an init container among them',
      podOf({
        labels: STAMPED,
        annotations: { ...COMPLETE, 'hooks.krake.dev/containers': ' main, first ,' },
        spec: {
          initContainers: [injected('first'), plain('second')],
          containers: [injected('main'), plain('side')],
          volumes: [volume()],
        },
      }),
    ],
    [
      'a pod with its identity',
      podOf({
        labels: STAMPED,
        annotations: IDENTITY,
        spec: identitySpec(volume(), tokenVolume('any.example')),
      }),
    ],
    [
      'a pod whose auth is misspelt, injected as it is read',
      podOf({
        labels: STAMPED,
        annotations: { ...COMPLETE, 'hooks.krake.dev/auth': 'pod-identty' },
        spec: identitySpec(volume(), tokenVolume('any.example')),
      }),
    ],
    [
      'a pod that says the default',
      podOf({
        labels: STAMPED,
        annotations: { ...COMPLETE, 'hooks.krake.dev/auth': ' token ' },
        spec: { containers: [injected('main')], volumes: [volume()] },
      }),
    ],
    [
      'a pod that lists a container it does not have',
      podOf({
        labels: STAMPED,
        annotations: { ...COMPLETE, 'hooks.krake.dev/containers': 'mian' },
        spec: { containers: [plain('main')], volumes: [volume()] },
      }),
    ],
    [
      'a mirror pod',
      podOf({
        annotations: { ...COMPLETE, 'kubernetes.io/config.mirror': 'hash' },
        spec: { nodeName: 'node-1', containers: [plain('main')] },
      }),
    ],
    [
      'an annotated pod in a namespace that is not opted in',
      podOf({ ...whole, spec: { containers: [plain('main')] } }, 'elsewhere'),
    ],
    ['a Job without our annotations', jobOf({ spec: { containers: [plain('main')] } })],
    [
      'a Job with its pods’ identity',
      jobOf(
        {
          labels: STAMPED,
          annotations: IDENTITY,
          spec: identitySpec(volume(), tokenVolume('any.example')),
        },
        IDENTITY,
      ),
    ],
    [
      'an injected Job',
      jobOf({ ...whole, spec: { containers: [injected('main')], volumes: [volume()] } }, COMPLETE),
    ],
  ])('%s', async (_name, object) => {
    expect(await setting.create(object, { dryRun: true })).toBeUndefined();
  });
});

describe('while no service runs, these are refused with what is missing', () => {
  const NO_LABEL = 'the label hooks.krake.dev/application is missing';
  const bare = { containers: [plain('main')] };
  it.each<[string, object, string]>([
    ['a bare annotated pod', podOf({ annotations: COMPLETE, spec: bare }), NO_LABEL],
    [
      'a pod with one known hook among others',
      podOf({ annotations: { 'hooks.krake.dev/hooks': 'x, shutdown' }, spec: bare }),
      NO_LABEL,
    ],
    [
      'a stamped pod',
      podOf({ labels: STAMPED, annotations: COMPLETE, spec: bare }),
      `application ${APPLICATION}: no variable from the Secret ${SECRET} in container main; no volume from the Secret ${SECRET}`,
    ],
    [
      'a pod with a container that came after the injection',
      podOf({
        labels: STAMPED,
        annotations: COMPLETE,
        spec: { containers: [injected('main'), plain('late')], volumes: [volume()] },
      }),
      `no variable from the Secret ${SECRET} in container late; the admission service`,
    ],
    [
      'a pod that was injected for another application',
      podOf({
        labels: STAMPED,
        annotations: COMPLETE,
        spec: {
          containers: [injected('main', 'krake-hooks-other')],
          volumes: [volume('krake-hooks-other')],
        },
      }),
      `no variable from the Secret ${SECRET} in container main; no volume`,
    ],
    [
      'a pod without the volume',
      podOf({ labels: STAMPED, annotations: COMPLETE, spec: { containers: [injected('main')] } }),
      `application ${APPLICATION}: no volume from the Secret ${SECRET}; the admission service`,
    ],
    [
      'a pod whose listed init container is not injected',
      podOf({
        labels: STAMPED,
        annotations: { ...COMPLETE, 'hooks.krake.dev/containers': 'first' },
        spec: { initContainers: [plain('first')], containers: [plain('main')], volumes: [volume()] },
      }),
      'in container first',
    ],
    [
      'a pod that should show its identity and has a token',
      podOf({
        labels: STAMPED,
        annotations: IDENTITY,
        spec: { containers: [injected('main')], volumes: [volume()] },
      }),
      `application ${APPLICATION}: no token of the pod identity in container main; the admission service`,
    ],
    [
      'a pod that has its identity and should show a token',
      podOf({
        labels: STAMPED,
        annotations: COMPLETE,
        spec: identitySpec(volume(), tokenVolume('any.example')),
      }),
      `application ${APPLICATION}: no variable from the Secret ${SECRET} in container main; the admission service`,
    ],
    [
      'a pod with only the token for the API server',
      podOf({
        labels: STAMPED,
        annotations: IDENTITY,
        spec: identitySpec(volume(), tokenVolume()),
      }),
      'no token of the pod identity in container main',
    ],
    [
      'a pod with its identity that lacks the CA bundle',
      podOf({
        labels: STAMPED,
        annotations: IDENTITY,
        spec: identitySpec(tokenVolume('any.example')),
      }),
      `application ${APPLICATION}: no volume from the Secret ${SECRET}; the admission service`,
    ],
    [
      'a stamped Job that should have its pods’ identity',
      jobOf({ labels: STAMPED, annotations: IDENTITY, spec: bare }, IDENTITY),
      'no token of the pod identity in container main; no volume',
    ],
    ['an annotated Job', jobOf({ spec: bare }, COMPLETE), NO_LABEL],
    ['a Job with an annotated template', jobOf({ annotations: COMPLETE, spec: bare }), NO_LABEL],
    [
      'a stamped Job',
      jobOf({ labels: STAMPED, annotations: COMPLETE, spec: bare }, COMPLETE),
      'in container main',
    ],
  ])('%s', async (_name, object, message) => {
    const refusal = await setting.create(object, { dryRun: true });
    expect(refusal).toContain("ValidatingAdmissionPolicy 'krake-hooks-injected'");
    expect(refusal).toContain(message);
    expect(refusal).toContain('the admission service of krake-hooks was not reached');
    expect(refusal).toContain('kubectl -n krake-system get deployments');
  });
});

it.each(['kube-system', 'krake-system'])('%s stays excluded, also with the label', async (namespace) => {
  const { controlPlane, create } = setting;
  await controlPlane.kubectl(['label', 'namespace', namespace, 'hooks.krake.dev/enabled=true']);
  await setting.untilLabelsAreKnown();
  const spec = {
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        ...plain('main'),
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  };
  expect(await create(podOf({ annotations: COMPLETE, spec }, namespace), { dryRun: true })).toBeUndefined();
  await controlPlane.kubectl(['label', 'namespace', namespace, 'hooks.krake.dev/enabled-']);
});

it('updates of a running pod are nobody’s business: annotated later, it still loses its finalizer', async () => {
  const { controlPlane, create } = setting;
  const kubectl = (...args: readonly string[]) => controlPlane.kubectl(['-n', 'shop', ...args]);
  const pod = podOf({ spec: { containers: [plain('main')] } });
  const finalizers = ['example.com/held'];
  expect(await create({ ...pod, metadata: { ...pod.metadata, finalizers } })).toBeUndefined();
  await kubectl('annotate', 'pod', 'web', 'hooks.krake.dev/hooks=complete');
  await kubectl('delete', 'pod', 'web', '--now', '--wait=false');
  await kubectl('patch', 'pod', 'web', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
  await kubectl('wait', '--for=delete', 'pod/web', '--timeout=60s');
});

it('a Deployment that came while the service was down says on its ReplicaSet why there are no pods', async () => {
  const { controlPlane, create, get } = setting;
  const labels = { app: 'later' };
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'later', namespace: 'shop' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels, annotations: COMPLETE }, spec: { containers: [plain('main')] } },
    },
  };
  expect(await create(deployment)).toBeUndefined();
  await controlPlane.kubectl([
    ...['-n', 'shop', 'wait', 'deployment/later', '--timeout=60s'],
    '--for=condition=ReplicaFailure',
  ]);
  const { status } = await get<{ status: { conditions: { type: string; message: string }[] } }>(
    ...['-n', 'shop', 'deployment', 'later'],
  );
  const failure = status.conditions.find(({ type }) => type === 'ReplicaFailure');
  expect(failure?.message).toContain('the admission service of krake-hooks was not reached');
});
