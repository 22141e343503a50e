import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ANNOTATION_ROTATE, requestRotation } from '../../src/pki/index.ts';
import { parseCaSecret, type Secret } from '../../src/pki/ca-secret.ts';
import { issueCa } from '../../src/pki/issue-certificate.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { NAMESPACE, SECRETS, startPkiSetting, TIMING, type PkiSetting, type Replica } from './pki-setting.ts';

jest.setTimeout(300_000);

const names = { dnsNames: ['hooks.krake-system.svc'], ipAddresses: [] };
let setting: PkiSetting;

beforeAll(async () => {
  setting = await startPkiSetting();
}, 600_000);
afterAll(() => setting.stop());

const never = new AbortController().signal;

async function start(replicas: readonly Replica[]): Promise<void> {
  await Promise.all(replicas.map(({ pki }) => pki.start(never)));
}

async function stop(replicas: readonly Replica[]): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.stop()));
}

function reasons(replicas: readonly Replica[]): string[] {
  return replicas.flatMap(({ events }) => events.map(({ reason }) => reason)).sort();
}

async function readState(name: string): Promise<ReturnType<typeof parseCaSecret>> {
  return parseCaSecret((await setting.readSecret(name)) ?? { metadata: {} });
}

describe('the CA Secret, on a real API server', () => {
  it('is one CA for three replicas that start at the same moment, 20 times', async () => {
    let lost = 0;
    for (let round = 0; round < 20; round++) {
      const caSecretName = `race-${round}`;
      const replicas = [1, 2, 3].map(() => setting.replica({ caSecretName }));
      const sources = replicas.map(({ pki }) => pki.tlsSource(names));
      await start(replicas);
      const { state } = await readState(caSecretName);
      const ca = new X509Certificate(state.current?.cert ?? '');
      for (const { pki } of replicas) expect(pki.trustBundle.pem()).toBe(state.current?.cert);
      for (const source of sources) {
        expect(new X509Certificate(source.current().cert).checkIssued(ca)).toBe(true);
      }
      expect(new Set(sources.map((source) => source.current().key)).size).toBe(3);
      expect(reasons(replicas)).toEqual(['CaCreated']);
      lost += replicas.flatMap(({ logger }) =>
        logger.lines.filter(({ message }) => message === 'another replica was first'),
      ).length;
      await stop(replicas);
    }
    expect(lost).toBeGreaterThan(0); // else they never met, and this shows nothing
  });

  it('rotates on request: the next CA is trusted by all before it signs, the old one after, then no more', async () => {
    const caSecretName = 'requested';
    const trustDelayMs = 5_000;
    const replicas = [1, 2].map(() => setting.replica({ caSecretName, trustDelayMs }));
    const [source] = replicas.map(({ pki }) => pki.tlsSource(names));
    await start(replicas);
    const first = (await readState(caSecretName)).state.current?.cert ?? '';
    await requestRotation(setting.client, { namespace: NAMESPACE, caSecretName });

    const staged = await waitFor('a next CA', async () => (await readState(caSecretName)).state.next, {
      intervalMs: 20,
    });
    await waitFor('its promotion', async () => {
      const { state } = await readState(caSecretName);
      return state.current?.cert === staged.cert ? true : undefined;
    });
    expect(Date.now() - staged.trustedSince).toBeGreaterThanOrEqual(trustDelayMs);
    await waitFor('the new CA to serve', () => {
      const leaf = new X509Certificate(source?.current().cert ?? '');
      return leaf.checkIssued(new X509Certificate(staged.cert)) ? true : undefined;
    });
    await waitFor('both replicas to know it', () =>
      replicas.every(({ pki }) => pki.trustBundle.pem() === staged.cert + first) ? true : undefined,
    );

    await waitFor('the end of the old CA', () =>
      replicas.every(({ pki }) => pki.trustBundle.pem() === staged.cert) ? true : undefined,
    );
    expect(Date.now() - staged.trustedSince).toBeGreaterThanOrEqual(trustDelayMs + TIMING.leafLifetimeMs);
    await waitFor('its Event', () => reasons(replicas).find((reason) => reason === 'CaTrustEnded'));
    expect(reasons(replicas)).toEqual(['CaCreated', 'CaPromoted', 'CaRequested', 'CaTrustEnded']);
    expect(JSON.stringify(replicas.map(({ logger }) => logger.lines))).not.toMatch(/PRIVATE|BEGIN/);
    await stop(replicas);
  });

  it('is renewed in time by whoever is left', async () => {
    const options = { caSecretName: 'due', caLifetimeMs: 30_000, leafLifetimeMs: 2_000 };
    const [leader, follower] = [setting.replica(options), setting.replica(options)];
    await start([leader, follower]);
    const first = (await readState('due')).state.current?.cert;
    await leader.stop();
    await waitFor('the second CA', async () => {
      const { state } = await readState('due');
      return state.current?.cert === first ? undefined : state.current;
    });
    expect(reasons([follower])).toContain('CaDue');
    await follower.stop();
  });

  it('deleted by hand: comes back with the CA in use, which is then rotated', async () => {
    const caSecretName = 'deleted';
    const replicas = [1, 2].map(() => setting.replica({ caSecretName, trustDelayMs: 10_000 }));
    await start(replicas);
    const before = (await readState(caSecretName)).state.current?.cert ?? '';
    await setting.controlPlane.kubectl(['-n', NAMESPACE, 'delete', 'secret', caSecretName]);
    const next = await waitFor('the Secret', async () => (await readState(caSecretName)).state.next);
    expect((await readState(caSecretName)).state.current?.cert).toBe(before);
    await waitFor('both to trust the next CA', () =>
      replicas.every(({ pki }) => pki.trustBundle.pem() === before + next.cert) ? true : undefined,
    );
    await stop(replicas);
  });

  it('damaged by hand: put back by a replica that knows it', async () => {
    const replica = setting.replica({ caSecretName: 'damaged' });
    await start([replica]);
    const before = (await readState('damaged')).state.current;
    await overwrite('damaged', { 'ca.key': (await issueCa({ now: Date.now(), lifetimeMs: 60_000 })).key });
    await waitFor('the repair', async () =>
      (await readState('damaged')).state.current?.key === before?.key ? true : undefined,
    );
    const errors = replica.logger.lines.filter(({ level }) => level === 'error');
    expect(errors.map(({ fields }) => fields?.problems)).toEqual([
      'ca.crt: the private key does not belong to the certificate',
    ]);
    await replica.stop();
  });

  it.each([
    ['nonsense', () => Promise.resolve({ 'ca.crt': 'nonsense', 'ca.key': 'nonsense' })],
    [
      'an expired CA',
      async () => {
        const old = await issueCa({ now: Date.now() - 120_000, lifetimeMs: 60_000 });
        return { 'ca.crt': old.cert, 'ca.key': old.key, 'state.json': '{}' };
      },
    ],
    ['nothing', () => Promise.resolve({})],
  ])('with %s in it, and nobody who remembers: a new CA at once', async (what, data) => {
    const caSecretName = what.toLowerCase().replaceAll(' ', '-');
    await setting.controlPlane.kubectl(['-n', NAMESPACE, 'create', 'secret', 'generic', caSecretName]);
    await overwrite(caSecretName, await data());
    const replica = setting.replica({ caSecretName });
    const source = replica.pki.tlsSource(names);
    await start([replica]);
    const { state, problems } = await readState(caSecretName);
    expect(problems).toEqual([]);
    expect(replica.pki.trustBundle.pem()).toBe(state.current?.cert);
    expect(
      new X509Certificate(source.current().cert).checkIssued(new X509Certificate(state.current?.cert ?? '')),
    ).toBe(true);
    expect(replica.events.map(({ reason, type }) => `${type} ${reason}`)).toEqual([
      'Warning CaCurrentUnusable',
    ]);
    await replica.stop();
  });

  it('keeps labels and annotations of others when it is written', async () => {
    const replica = setting.replica({ caSecretName: 'annotated' });
    await start([replica]);
    const kubectl = (...args: string[]) => setting.controlPlane.kubectl(['-n', NAMESPACE, ...args]);
    await kubectl('label', 'secret', 'annotated', 'team=a');
    await kubectl('annotate', 'secret', 'annotated', `${ANNOTATION_ROTATE}=by hand`);
    await waitFor('a rotation', async () =>
      (await readState('annotated')).state.previous.length > 0 ? true : undefined,
    );
    const secret = await setting.readSecret('annotated');
    expect(secret?.metadata.labels).toMatchObject({
      team: 'a',
      'app.kubernetes.io/managed-by': 'krake-hooks',
    });
    expect((await readState('annotated')).state.handledRequest).toBe('by hand');
    await replica.stop();
  });

  it('needs get, create and update on Secrets, and no list or watch', async () => {
    const kubeconfigPath = await restrictedKubeconfig();
    const replica = setting.replica({ caSecretName: 'restricted', kubeconfigPath });
    const source = replica.pki.tlsSource(names);
    await start([replica]);
    const first = source.current().cert;
    await requestRotation(setting.client, { namespace: NAMESPACE, caSecretName: 'restricted' });
    await waitFor('a new certificate', () => (source.current().cert === first ? undefined : true));
    expect(replica.logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
    await replica.stop();
  });

  it('waits for an API server that is away at the start, and survives its restart', async () => {
    await setting.controlPlane.killApiserver();
    const replica = setting.replica({ caSecretName: 'away' });
    const source = replica.pki.tlsSource(names);
    const started = replica.pki.start(never);
    await waitFor('an error in the log', () => replica.logger.lines.find(({ level }) => level === 'error'));
    expect(replica.pki.ready()).toBe(false);
    await setting.controlPlane.startApiserver();
    await started;
    expect(replica.pki.ready()).toBe(true);
    expect(source.current().cert).toContain('BEGIN CERTIFICATE');
    await replica.stop();
  });

  it('gives the start up when it is told to', async () => {
    const replica = setting.replica({ caSecretName: 'never', namespace: 'there-is-none' });
    const abort = new AbortController();
    const started = replica.pki.start(abort.signal);
    await waitFor('an error in the log', () => replica.logger.lines.find(({ level }) => level === 'error'));
    abort.abort();
    await expect(started).rejects.toThrow('stopped');
    await replica.stop();
  });
});

async function overwrite(name: string, texts: Record<string, string>): Promise<void> {
  const data = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  );
  const ref = { resource: SECRETS, namespace: NAMESPACE, name };
  await setting.client.patch<Secret>(ref, { type: 'merge', body: { data } });
}

/** Credentials of a service account that may do what the manifests will allow, and nothing else. */
async function restrictedKubeconfig(): Promise<string> {
  const { controlPlane } = setting;
  const kubectl = (...args: string[]) => controlPlane.kubectl(['-n', NAMESPACE, ...args]);
  await kubectl('create', 'serviceaccount', 'restricted');
  await kubectl('create', 'role', 'create-secrets', '--verb=create', '--resource=secrets');
  await kubectl(
    'create',
    'role',
    'ca',
    '--verb=get,update',
    '--resource=secrets',
    '--resource-name=restricted',
  );
  for (const role of ['create-secrets', 'ca']) {
    await kubectl(
      'create',
      'rolebinding',
      role,
      `--role=${role}`,
      `--serviceaccount=${NAMESPACE}:restricted`,
    );
  }
  // The authorizer hears of a role a moment later.
  const who = `--as=system:serviceaccount:${NAMESPACE}:restricted`;
  for (const right of [
    ['create', 'secrets'],
    ['update', 'secrets/restricted'],
  ] as const) {
    await waitFor(`the right to ${right.join(' ')}`, () => kubectl('auth', 'can-i', ...right, who));
  }
  const token = (await kubectl('create', 'token', 'restricted')).stdout.trim();
  const cluster = {
    server: controlPlane.url,
    'certificate-authority-data': Buffer.from(controlPlane.caPem).toString('base64'),
  };
  const path = join(controlPlane.dir, 'restricted.kubeconfig');
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  await writeFile(path, JSON.stringify(kubeconfig));
  return path;
}
