import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Cluster } from '../cluster/cluster.ts';
import { eventually } from './eventually.ts';
import { ensureInstalled, startCluster } from './installation.ts';
import { createNamespace, removeNamespace, type TestNamespace } from './namespace.ts';
import { onNode } from './on-node.ts';
import { deployment, pod, podSpec, SIGNAL_BY_IDENTITY, TLS_FILES } from './workloads.ts';

interface Signal {
  readonly provenBy: string;
  readonly pod?: { readonly name: string; readonly uid: string };
}
interface Application {
  readonly status?: {
    readonly phase?: string;
    readonly signals?: {
      readonly complete?: Signal;
      readonly completeFrom?: Readonly<Record<string, Signal>>;
    };
  };
}

const NAME = 'hooks-e2e-proof';
/** Signals, and stays, so that what it wrote can be read. */
const KEPT = { 'hooks.krake.dev/hooks': 'complete', 'hooks.krake.dev/complete-action': 'none' };
const IDENTITY = { ...KEPT, 'hooks.krake.dev/auth': 'pod-identity' };
/** The kubelet looks at the files of a running pod about once a minute. */
const FILES_FOLLOW_MS = 180_000;

const NOBODY_THERE = '000|503';
/** Of an application that callbacks may not have heard of yet. */
const NOT_KNOWN_YET = `${NOBODY_THERE}|401`;

/** Sends the token, again while it is answered so, and prints `WORD CODE`. */
const put = (word: string, token: string, flags: string, again = NOT_KNOWN_YET): string => {
  const curl = `curl -s -o /dev/null -w '%{http_code}' -m 10 -X PUT -d "{\\"token\\":\\"${token}\\"}" "$KRAKE_COMPLETE_URL" ${flags}`;
  return `for i in $(seq 15); do code=$(${curl}); case $code in ${again}) sleep 2;; *) break;; esac; done; echo "${word} $code"`;
};
/** The CA bundle alone, as an application of an older version has it. */
const WITHOUT_CERTIFICATE = '--cacert /etc/krake_cert/ca-bundle.pem';
const restricted = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };

onNode('who signals is proven on a real node', () => {
  let cluster: Cluster;
  let ns: TestNamespace;

  beforeAll(async () => {
    cluster = await startCluster();
    await ensureInstalled(cluster);
    ns = await createNamespace(cluster, NAME);
  }, 600_000);
  afterAll(() => removeNamespace(cluster, NAME), 60_000);

  const read = (application: string) => ns.json<Application>(['get', 'application', application]);
  const logsOf = async (name: string, until: string): Promise<string> =>
    eventually(`${name} to say "${until}"`, async () => {
      const { stdout } = await ns.kubectl(['logs', name, '--all-containers'], { allowFailure: true });
      return stdout.includes(until) ? stdout : undefined;
    });

  it('a stolen token is not enough: with the certificate it is taken, without it is not', async () => {
    const script = [
      put('without', '$KRAKE_TOKEN', WITHOUT_CERTIFICATE, NOBODY_THERE),
      put('with', '$KRAKE_TOKEN', TLS_FILES),
      'sleep 3600',
    ].join('; ');
    await ns.apply(pod('stolen', script, KEPT));
    const logs = await logsOf('stolen', 'with 200');
    expect(logs).toContain('without 401');
    const { status } = await read('pod-stolen');
    expect(status?.signals?.complete?.provenBy).toBe('token-and-certificate');
  }, 600_000);

  const files = ['key.pem', 'token', 'cert.pem', 'ca-bundle.pem'].map((file) => `/etc/krake_cert/${file}`);
  const show = `stat -L -c '%n %a %u %g' ${files.join(' ')}; id; ${put('signal', '$(cat /etc/krake_cert/token)', TLS_FILES)}; sleep 3600`;

  it.each([
    [
      'another user than root, without a group',
      'plain',
      { ...restricted, runAsUser: 1000, runAsGroup: 1000 },
      '440 0 65532',
    ],
    [
      'with a group of its own',
      'grouped',
      { ...restricted, runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 },
      '440 0 2000',
    ],
    ['root', 'root', { runAsUser: 0 }, '400 0 0'],
  ])(
    'the private key is readable for %s, and for nobody else',
    async (_who, name, securityContext, owned) => {
      const level = name === 'root' ? 'baseline' : 'restricted';
      await ns.kubectl([
        'label',
        '--overwrite',
        'namespace',
        NAME,
        `pod-security.kubernetes.io/enforce=${level}`,
      ]);
      // The API server may know the level of before for a moment.
      await eventually('the pod to be let in', () =>
        ns.apply(pod(name, show, KEPT, { securityContext })).then(() => true),
      );
      const logs = await logsOf(name, 'signal ');
      expect(logs).toContain(`/etc/krake_cert/key.pem ${owned}`);
      expect(logs).toContain(`/etc/krake_cert/token ${owned}`);
      expect(logs).toContain('/etc/krake_cert/ca-bundle.pem 444');
      expect(logs).toContain('signal 200');
    },
    600_000,
  );

  const API_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';
  const SECRET_FILE = '/ssh/id';
  /** The user is the image's, which admission does not know; the mode is that of the Secret's volume. */
  const withSecret = (name: string, mode: number): object => {
    const seen = `stat -L -c '%n %a %u %g' ${[SECRET_FILE, API_TOKEN, ...files].join(' ')}; cat ${API_TOKEN} > /dev/null && echo token readable`;
    const script = `${seen}; ${put('signal', '$(cat /etc/krake_cert/token)', TLS_FILES)}; sleep 3600`;
    const { containers } = podSpec(script) as { readonly containers: readonly object[] };
    return pod(name, script, KEPT, {
      securityContext: restricted,
      containers: containers.map((container) => ({
        ...container,
        volumeMounts: [{ name: 'ssh', mountPath: '/ssh', readOnly: true }],
      })),
      volumes: [{ name: 'ssh', secret: { secretName: 'ssh', defaultMode: mode } }],
    });
  };

  it.each([
    ['keeps its mode where it is for root alone', 'strict', 0o400, '400 0 0', '444 0 0', '644 0 0'],
    [
      "keeps its mode where ours may be the group's",
      'wide',
      0o444,
      '444 0 65532',
      '440 0 65532',
      '640 0 65532',
    ],
  ])(
    "a user's Secret %s, and the API token is readable",
    async (_what, name, mode, ofSecret, ofKey, ofApiToken) => {
      await ns.apply(
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ssh' }, stringData: { id: 'none' } },
        withSecret(name, mode),
      );
      const logs = await logsOf(name, 'signal ');
      expect(logs).toContain(`${SECRET_FILE} ${ofSecret}`);
      expect(logs).toContain(`/etc/krake_cert/key.pem ${ofKey}`);
      expect(logs).toContain(`${API_TOKEN} ${ofApiToken}`);
      expect(logs).toContain('token readable');
      expect(logs).toContain('signal 200');
    },
    600_000,
  );

  it('a pod signals by its own identity; nothing secret is stored for it', async () => {
    const spec = {
      automountServiceAccountToken: false,
      securityContext: { ...restricted, runAsUser: 1000, runAsGroup: 1000 },
    };
    await ns.apply(pod('known', `${SIGNAL_BY_IDENTITY} && echo done; sleep 3600`, IDENTITY, spec));
    await logsOf('known', 'done');
    const { status } = await read('pod-known');
    expect(status?.signals?.complete).toMatchObject({ provenBy: 'pod-identity', pod: { name: 'known' } });
    const secret = await ns.json<{ data: object }>(['get', 'secret', 'krake-hooks-pod-known']);
    expect(Object.keys(secret.data)).toEqual(['ca-bundle.pem']);
  }, 600_000);

  it('complete-when all: every pod has to say so, each counts once', async () => {
    const annotations = {
      ...IDENTITY,
      'hooks.krake.dev/complete-when': 'all',
      'hooks.krake.dev/complete-action': 'delete',
    };
    await ns.apply(deployment('pair', 'sleep 3600', { replicas: 2, annotations }));
    await ns.kubectl(['rollout', 'status', 'deployment/pair', '--timeout=180s'], { timeoutMs: 190_000 });
    const { items } = await ns.json<{ items: { metadata: { name: string; uid: string } }[] }>([
      'get',
      'pods',
      '-l',
      'app=pair',
    ]);
    const [first, second] = items.map(({ metadata }) => metadata);
    if (first === undefined || second === undefined) throw new Error('two pods were asked for');
    const signal = (name: string) => ns.kubectl(['exec', name, '--', 'sh', '-c', SIGNAL_BY_IDENTITY]);

    await signal(first.name);
    await signal(first.name);
    const { status } = await read('deployment-pair');
    expect(Object.keys(status?.signals?.completeFrom ?? {})).toEqual([first.uid]);
    expect(status?.signals?.complete).toBeUndefined();
    await ns.kubectl(['get', 'deployment', 'pair']);

    await signal(second.name);
    await ns.kubectl(['wait', '--for=delete', 'deployment/pair', '--timeout=120s'], { timeoutMs: 130_000 });
    // Its status says so once our controller has seen that the Deployment is gone.
    await eventually('deployment-pair to be Completed', async () => {
      return (await read('deployment-pair')).status?.phase === 'Completed' || undefined;
    });
  }, 600_000);

  it('the mounted files follow a rotation, and what was there before is void', async () => {
    await ns.apply(pod('rotated', 'sleep 3600', KEPT));
    await ns.kubectl(['wait', '--for=condition=Ready', 'pod/rotated', '--timeout=120s'], {
      timeoutMs: 130_000,
    });
    const inside = async (script: string): Promise<string> =>
      (await ns.kubectl(['exec', 'rotated', '--', 'sh', '-c', script])).stdout.trim();
    const sums = () => inside('cd /etc/krake_cert; sha256sum key.pem token cert.pem');
    const before = await sums();
    expect(await inside(put('before', '$KRAKE_TOKEN', TLS_FILES))).toBe('before 200');

    await ns.kubectl(['annotate', 'application', 'pod-rotated', 'hooks.krake.dev/request=rotate']);
    await eventually(
      'the files in the container to follow',
      async () => {
        const lines = (await sums()).split('\n');
        return lines.every((line) => !before.includes(line)) || undefined;
      },
      FILES_FOLLOW_MS,
    );
    expect(await inside(put('environment', '$KRAKE_TOKEN', TLS_FILES, NOBODY_THERE))).toBe('environment 401');
    expect(await inside(put('file', '$(cat /etc/krake_cert/token)', TLS_FILES))).toBe('file 200');
  }, 600_000);
});
