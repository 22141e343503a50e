import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createPrivateKey, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { createClientCertificateSigner } from '../../src/pki/clients/sign-client-certificate.ts';
import { issueCa, issueClientCa, issueClientIntermediate } from '../../src/pki/issue-certificate.ts';
import type { CertificateWithKey } from '../../src/pki/certificate.ts';
import { issueClient } from '../cluster/client-certificate.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { findFreePort, findLastingPort } from '../cluster/free-port.ts';
import { eventually } from '../e2e/eventually.ts';
import { MANIFESTS } from './manifests-setting.ts';
import { applyManifests, type ServiceProcess } from './service.ts';
import {
  call,
  CONFIGURATIONS,
  createInjected,
  leadServiceHere,
  metricOf,
  NAMESPACE,
  pathsOf,
  startWebhook,
  untilEvicted,
  untilInjected,
  type WebhookPart,
} from './webhook-callers-setting.ts';

// Only the API server is answered: by the certificate that it shows, or at a path that nobody else knows. Each part is a process with the rights of
// its own account, called by the Service's name.

jest.setTimeout(300_000);
const HOUR_MS = 3_600_000;
const PARTS = ['admission', 'gate'] as const;
const PATHS = { admission: '/mutate', gate: '/validate' } as const;

let controlPlane: ControlPlane;
let ca: CertificateWithKey;
let ports: Readonly<Record<WebhookPart, number>>;
const services: ServiceProcess[] = [];

beforeAll(async () => {
  ca = await issueCa({ now: Date.now(), lifetimeMs: HOUR_MS });
  ports = { admission: await findLastingPort(), gate: await findLastingPort() };
  controlPlane = await startControlPlane({
    webhookUsers: {
      [`krake-hooks-admission.krake-system.svc:${ports.admission}`]: await issueClient(ca, 'kube-apiserver'),
      [`*.krake-system.svc:${ports.gate}`]: await issueClient(ca, 'kube-apiserver'),
    },
  });
  await applyManifests(controlPlane);
  await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
  await controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
  for (const part of PARTS) await leadServiceHere(controlPlane, part, ports[part]);
  await writeFile(join(controlPlane.dir, 'api-server-ca.crt'), ca.cert);
}, 600_000);
afterAll(() => controlPlane.stop());
afterEach(async () => {
  for (const service of services.splice(0)) await service.end('SIGKILL');
});

async function start(set: (part: WebhookPart) => Record<string, string>): Promise<ServiceProcess[]> {
  for (const part of PARTS) await startWebhook(controlPlane, services, part, ports[part], set(part));
  return services;
}

const counted = (service: ServiceProcess, part: WebhookPart, failure: string) =>
  metricOf(service, `krake_hooks_client_failures_total{listener="${part}",failure="${failure}"}`);

/** One that our own controller would give an application, with the name of the API server at that. */
async function applicationCertificate(): Promise<{ cert: string; key: string }> {
  const validity = { now: Date.now(), lifetimeMs: HOUR_MS };
  const { cert, key, notAfter } = await issueClientIntermediate(await issueClientCa(validity), validity);
  const signing = { certificate: new X509Certificate(cert), key: createPrivateKey(key), notAfter };
  const identity = { namespace: NAMESPACE, name: 'web', uid: randomUUID() };
  const issued = await createClientCertificateSigner(signing, 'kube-apiserver').sign(identity, validity);
  return { cert: issued.certPem, key: issued.keyPem };
}

describe('with a client certificate', () => {
  const withCertificate = (part: WebhookPart, names = 'kube-apiserver') => ({
    [`${part}.clientCaFile`]: join(controlPlane.dir, 'api-server-ca.crt'),
    [`${part}.clientNames`]: names,
  });

  it('the API server is served, by admission and by the gate', async () => {
    await start((part) => withCertificate(part));
    await untilEvicted(controlPlane, await untilInjected(controlPlane, 'served'));
    for (const service of services) expect((await service.get('/readyz')).status).toBe(200);
  });

  it('nobody else is, and is told so in the handshake, by a metric and in the log', async () => {
    await start((part) => withCertificate(part));
    const otherCa = await issueCa({ now: Date.now(), lifetimeMs: HOUR_MS });
    const strangers = [{}, await issueClient(otherCa, 'kube-apiserver'), await applicationCertificate()];
    for (const [index, part] of PARTS.entries()) {
      const service = services[index] as ServiceProcess;
      for (const stranger of strangers) {
        expect(await call(ports[part], PATHS[part], stranger)).toBeUndefined();
      }
      await eventually('the refusals counted', async () =>
        (await counted(service, part, 'certificate')) === strangers.length ? true : undefined,
      );
      for (const reason of ['no certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']) {
        await eventually('the reason in the log', () =>
          Promise.resolve(service.output().includes(reason) || undefined),
        );
      }
    }
  });

  it('a certificate of the CA with another name is answered 403', async () => {
    await start((part) => withCertificate(part));
    const worker = await issueClient(ca, 'system:node:worker');
    for (const [index, part] of PARTS.entries()) {
      const service = services[index] as ServiceProcess;
      const answer = await call(ports[part], PATHS[part], worker);
      expect(answer?.status).toBe(403);
      expect(JSON.parse(answer?.text ?? '')).toMatchObject({ status: 403, reason: 'client-name' });
      await eventually('the reason in the log', () =>
        Promise.resolve(service.output().includes('"reason":"client-name"') || undefined),
      );
      expect(await metricOf(service, `krake_hooks_${part}_rejected_requests_total{code="403"}`)).toBe(1);
    }
  });

  it('an API server whose name is not listed is nobody either', async () => {
    await start((part) => withCertificate(part, 'another'));
    const refused = () =>
      metricOf(services[0] as ServiceProcess, 'krake_hooks_admission_rejected_requests_total{code="403"}');
    // The API server has a changed CA bundle within a second or so; before that it does not get as far.
    const injected: boolean[] = [];
    const create = async () =>
      injected.push(await createInjected(controlPlane, `unlisted-${injected.length}`));
    await eventually('the API server to be refused', async () => {
      await create();
      return (await refused()) > 0 ? true : undefined;
    });
    const before = await refused();
    await create();
    expect(await refused()).toBe(before + 1);
    expect(injected).not.toContain(true);
  });
});

describe('with a secret path', () => {
  const withSecretPath = (part: WebhookPart) => ({ [`${part}.secretPath`]: 'true', logLevel: 'debug' });
  const secretOf = async (part: WebhookPart): Promise<string> => {
    const [path = ''] = await pathsOf(controlPlane, part);
    return path.slice(PATHS[part].length + 1);
  };

  it('the API server is served there, and nobody elsewhere', async () => {
    expect(await pathsOf(controlPlane, 'admission')).toEqual(['/mutate', '/mutate']);
    await start(withSecretPath);
    await untilEvicted(controlPlane, await untilInjected(controlPlane, 'secret'));
    for (const part of PARTS) {
      const paths = await pathsOf(controlPlane, part);
      expect(new Set(paths).size).toBe(1);
      expect(paths[0]).toMatch(/^\/(mutate|validate)\/[0-9a-f]{64}$/);
      const known = paths[0] ?? '';
      const others = [PATHS[part], `${PATHS[part]}/`, `${known}x`, known.slice(0, -1), '/', '/metrics'];
      const answers = [
        ...(await Promise.all(others.map((path) => call(ports[part], path)))),
        await call(ports[part], known, { method: 'GET' }),
        await call(ports[part], known, { method: 'PUT' }),
      ];
      for (const answer of answers) expect(answer).toEqual(answers[0]);
      expect(answers[0]?.status).toBe(404);
      expect(answers[0]?.text).not.toContain(PATHS[part]);
      // Whoever knows the path is heard.
      expect((await call(ports[part], known, { type: 'text/plain' }))?.status).toBe(415);
      expect((await call(ports[part], known))?.status).toBe(400);
    }
    for (const service of services) {
      for (const part of PARTS) expect(service.output()).not.toContain(await secretOf(part));
    }
  });

  it('a second replica and a restarted one take the same, and a new one at its first use', async () => {
    await start(withSecretPath);
    const secret = await secretOf('admission');
    const port = await findFreePort();
    await startWebhook(controlPlane, services, 'admission', port, withSecretPath('admission'));
    expect(await secretOf('admission')).toBe(secret);
    expect((await call(port, `/mutate/${secret}`))?.status).toBe(400);

    const next = randomBytes(32).toString('hex');
    const patch = [0, 1].map((index) => ({
      op: 'replace',
      path: `/webhooks/${index}/clientConfig/service/path`,
      value: `/mutate/${next}`,
    }));
    await controlPlane.kubectl([
      'patch',
      CONFIGURATIONS.admission,
      '--type=json',
      '-p',
      JSON.stringify(patch),
    ]);
    for (const replica of [port, ports.admission]) {
      await eventually('the new path to be taken', async () =>
        (await call(replica, `/mutate/${next}`))?.status === 400 ? true : undefined,
      );
      // The API server may not have heard of it yet.
      expect((await call(replica, `/mutate/${secret}`))?.status).toBe(400);
    }
    await untilInjected(controlPlane, 'rotated');
    for (const service of services) expect(service.output()).not.toContain(next);
  });

  it('is given anew when it is taken away', async () => {
    await start(withSecretPath);
    const before = await secretOf('admission');
    await controlPlane.kubectl([
      'patch',
      CONFIGURATIONS.admission,
      '--type=json',
      '-p',
      JSON.stringify([0, 1].map((i) => ({ op: 'remove', path: `/webhooks/${i}/clientConfig/service/path` }))),
    ]);
    const after = await eventually('another path', async () => {
      const secret = await secretOf('admission');
      return secret.length === 64 && secret !== before ? secret : undefined;
    });
    expect(after).not.toBe(before);
    await untilInjected(controlPlane, 'anew');
  });

  it('stays when the manifests with the component are applied again', async () => {
    await start(withSecretPath);
    const { stdout } = await controlPlane.kubectl([
      'kustomize',
      join(MANIFESTS, 'overlays/webhook-secret-path'),
    ]);
    const manifests = parseAllDocuments(stdout).map((document) => document.toJS() as { kind: string });
    const configurations = manifests.filter(({ kind }) => kind.endsWith('WebhookConfiguration'));
    expect(configurations).toHaveLength(2);
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: configurations });
    // What was applied first had the path; from then on it is left alone, client-side and server-side alike.
    await controlPlane.kubectl(['apply', '-f', '-'], { input });
    const secret = await eventually(
      'the path, given anew',
      async () => (await secretOf('gate')) || undefined,
    );
    for (const mode of [[], ['--server-side', '--force-conflicts']]) {
      await controlPlane.kubectl(['apply', ...mode, '-f', '-'], { input });
      expect(await secretOf('gate')).toBe(secret);
    }
  });
});
