import { createHash, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Application, ApplicationStatus } from '../../src/applications/index.ts';
import { readClientIdentity } from '../../src/pki/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  certificatesOf,
  createChangingIssuer,
  fileOf,
  sha256Of,
  startIssuer,
  type TestIssuer,
} from './applications-issuer.ts';
import {
  NAMESPACE,
  createBundle,
  startApplicationsSetting,
  type ApplicationsSetting,
  type SecretObject,
} from './applications-setting.ts';
import { createRecordingClient } from './recording-client.ts';

const LONG_MS = 300_000;
const SOON = { timeoutMs: 30_000, intervalMs: 20 };
const ours = generateBundle();
let setting: ApplicationsSetting;
let issuer: TestIssuer;
/** Certificates of some seconds, a third of which is left for a renewal on a busy machine. */
let hasty: TestIssuer;

beforeAll(async () => {
  setting = await startApplicationsSetting();
  issuer = await startIssuer(setting.controlPlane, 'signing');
  hasty = await startIssuer(setting.controlPlane, 'hasty', 30_000);
}, 600_000);
afterEach(() => setting.stopReplicas());
afterAll(async () => {
  await issuer.stop();
  await hasty.stop();
  await setting.stop();
}, LONG_MS);

const isRunning = (app: Application) => app.status?.phase === 'Running';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const secretOf = (name: string) => setting.secret(`deployment-${name}`);

/** The certificate of no authority that matters here: a CA bundle has to hold something. */
function generateBundle(): string {
  return '-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n';
}

async function start(name: string): Promise<Application> {
  await setting.createWorkload('Deployment', name, { replicas: 0 });
  return setting.applicationThat(`deployment-${name}`, 'runs', isRunning);
}

/** Whether Secret and status say the same: the newest certificate that is listed is there, complete, with its key and its token. */
function fits(secret: SecretObject | undefined, status: ApplicationStatus | undefined): boolean {
  const [leaf, intermediate] = certificatesOf(fileOf(secret, 'cert.pem'));
  const newest = status?.certificates?.at(-1);
  return (
    leaf !== undefined &&
    sha256Of(leaf) === newest?.sha256 &&
    sha256Of(intermediate) === newest.issuerSha256 &&
    leaf.checkPrivateKey(createPrivateKey(fileOf(secret, 'key.pem'))) &&
    sha256(fileOf(secret, 'token')) === status?.tokenSha256
  );
}

async function untilFits(
  name: string,
  more: (app: Application) => boolean = () => true,
): Promise<Application> {
  return waitFor(
    `Secret and status of ${name} to fit`,
    async () => {
      const app = await setting.application(`deployment-${name}`);
      const isGood = app !== undefined && fits(await secretOf(name), app.status) && more(app);
      return isGood ? app : undefined;
    },
    SOON,
  );
}

/** An Event is written after what it tells of. */
async function untilTold(name: string, reason: string): Promise<void> {
  const ofIt = `--field-selector=reason=${reason},involvedObject.name=deployment-${name}`;
  await waitFor(`the Event ${reason} of ${name}`, async () => {
    const { stdout } = await setting.controlPlane.kubectl([
      ...['get', 'events', '-n', NAMESPACE, ofIt, '-o', 'name'],
    ]);
    return stdout === '' ? undefined : true;
  });
}

async function changeSecret(name: string, data: Readonly<Record<string, string | null>>): Promise<void> {
  const body = { data };
  const ref = { resource: { apiVersion: 'v1', plural: 'secrets' }, namespace: NAMESPACE, name };
  await setting.admin.patch(ref, { type: 'merge', body });
}

// First of all: its first write must be about the only application there is.
describe('a controller that dies between status and Secret', () => {
  it(
    'leaves a certificate that nobody has, and the next one makes another; first and at a renewal',
    async () => {
      const first = createRecordingClient(setting.controllerClient(), 2);
      const mortal = await setting.replica({ client: first.client, certificates: issuer });
      await setting.createWorkload('Deployment', 'died', { replicas: 0 });
      await waitFor('it to die', () => (first.dead() ? true : undefined), SOON);
      await mortal.stop();
      expect(await secretOf('died')).toBeUndefined();
      const listed = (await setting.application('deployment-died'))?.status?.certificates;
      expect(listed).toHaveLength(1);

      const heir = await setting.replica({ certificates: issuer });
      const app = await untilFits('died', isRunning);
      expect(app.status?.certificates?.map((certificate) => certificate.sha256)).not.toContain(
        listed?.[0]?.sha256,
      );
      await heir.stop();

      // Another issuer: a renewal is due. Its first write is the status.
      const second = createRecordingClient(setting.controllerClient(), 1);
      const again = await setting.replica({ client: second.client, certificates: hasty });
      await waitFor('it to die again', () => (second.dead() ? true : undefined), SOON);
      await again.stop();
      const between = await setting.application('deployment-died');
      const inUse = sha256Of(certificatesOf(fileOf(await secretOf('died'), 'cert.pem'))[0]);
      expect(between?.status?.certificates?.map((certificate) => certificate.sha256)).toContain(inUse);
      expect(between?.status?.certificates).toHaveLength(2);

      await setting.replica({ certificates: issuer });
      const healed = await untilFits('died');
      expect(healed.status?.tokenSha256).toBe(app.status?.tokenSha256);
      expect(healed.status?.certificates?.map((certificate) => certificate.sha256)).toContain(inUse);
    },
    LONG_MS,
  );
});

describe('the certificate of an application', () => {
  it(
    'is in the Secret with its key, its intermediate and what the application trusts, and names it',
    async () => {
      await setting.replica({ certificates: issuer, bundle: createBundle(ours) });
      const { metadata, status } = await start('whole');
      const secret = await secretOf('whole');
      expect(fits(secret, status)).toBe(true);
      expect(Object.keys(secret?.data ?? {}).sort()).toEqual([
        'ca-bundle.pem',
        'cert.pem',
        'key.pem',
        'token',
      ]);
      expect(fileOf(secret, 'ca-bundle.pem')).toBe(ours + issuer.chainPem());
      const [leaf, intermediate] = certificatesOf(fileOf(secret, 'cert.pem'));
      expect(intermediate && leaf?.verify(intermediate.publicKey)).toBe(true);
      expect(leaf && readClientIdentity(leaf)).toEqual({
        namespace: NAMESPACE,
        name: 'deployment-whole',
        uid: metadata.uid,
      });
      expect(status?.certificates).toHaveLength(1);
      expect(JSON.stringify(status)).not.toContain('PRIVATE KEY');
    },
    LONG_MS,
  );

  it(
    'is renewed in time, again and again: the former one is taken until it ends, and the token stays',
    async () => {
      const replica = await setting.replica({ certificates: hasty });
      const { status } = await start('hasty');
      const seen = new Set<string>();
      const endAt = Date.now() + 120_000;
      while (seen.size < 3 && Date.now() < endAt) {
        // The Secret first: what is in it was listed before.
        const readAt = Date.now();
        const secret = await secretOf('hasty');
        const app = await setting.application('deployment-hasty');
        const [leaf] = certificatesOf(fileOf(secret, 'cert.pem'));
        const listed = (app?.status?.certificates ?? []).map((certificate) => certificate.sha256);
        expect(listed).toContain(sha256Of(leaf));
        expect(leaf?.validToDate.getTime()).toBeGreaterThan(readAt);
        expect(listed.length).toBeLessThanOrEqual(4);
        expect(app?.status?.tokenSha256).toBe(status?.tokenSha256);
        seen.add(sha256Of(leaf));
        await sleep(50);
      }
      expect(seen.size).toBe(3);
      await untilTold('hasty', 'CertificateRenewed');
      const logged = JSON.stringify(replica.lines);
      expect(logged).not.toContain('PRIVATE KEY');
    },
    LONG_MS,
  );

  it(
    'is another one when another intermediate signs',
    async () => {
      const other = await startIssuer(setting.controlPlane, 'other');
      try {
        const changing = createChangingIssuer(issuer);
        await setting.replica({ certificates: changing });
        const names = ['turn-1', 'turn-2', 'turn-3'];
        const before = await Promise.all(names.map(start));
        changing.change(other);
        for (const [index, name] of names.entries()) {
          const app = await untilFits(
            name,
            ({ status }) => status?.certificates?.at(-1)?.issuerSha256 === other.issuerSha256(),
          );
          expect(app.status?.certificates).toHaveLength(2);
          expect(app.status?.certificates?.[0]).toEqual(before[index]?.status?.certificates?.[0]);
          expect(app.status?.tokenSha256).toBe(before[index]?.status?.tokenSha256);
          expect(fileOf(await secretOf(name), 'ca-bundle.pem')).toContain(other.chainPem());
        }
      } finally {
        await other.stop();
      }
    },
    LONG_MS,
  );

  it(
    'is missing while nothing can sign, and all else of the application goes on; it comes with the successor',
    async () => {
      const changing = createChangingIssuer({
        ...issuer,
        issuerNotAfter: () => Date.now() - 1_000,
        issue: () => Promise.reject(new Error('the signing certificate has expired')),
      });
      await setting.replica({ certificates: changing });
      const ended = await start('unsigned');
      const conditions = (app: Application) =>
        Object.fromEntries((app.status?.conditions ?? []).map(({ type, status }) => [type, status]));
      expect(conditions(ended)).toMatchObject({ SecretReady: 'True', Stamped: 'True', Certified: 'False' });
      expect(ended.status?.certificates).toBeUndefined();
      expect(Object.keys((await secretOf('unsigned'))?.data ?? {}).sort()).toEqual([
        'ca-bundle.pem',
        'token',
      ]);
      await untilTold('unsigned', 'SigningCertificateEnded');

      changing.change(issuer);
      const mended = await untilFits('unsigned');
      expect(mended.status?.tokenSha256).toBe(ended.status?.tokenSha256);
      await setting.applicationThat(
        'deployment-unsigned',
        'says nothing of it any more',
        (app) => conditions(app)['Certified'] === undefined,
      );
    },
    LONG_MS,
  );

  const strangerKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  });
  it.each<[string, Readonly<Record<string, string | null>>]>([
    ['key', { 'key.pem': Buffer.from(strangerKey).toString('base64') }],
    ['cert', { 'cert.pem': Buffer.from('damaged').toString('base64') }],
    ['gone', { 'cert.pem': null }],
    ['bundle', { 'ca-bundle.pem': null }],
  ])(
    'is made good when somebody has damaged it: %s',
    async (what, data) => {
      await setting.replica({ certificates: issuer, resyncIntervalMs: 500 });
      const { status } = await start(`bad-${what}`);
      await changeSecret(`krake-hooks-deployment-bad-${what}`, data);
      await waitFor('the Secret to be made good', async () => {
        const bundle = fileOf(await secretOf(`bad-${what}`), 'ca-bundle.pem');
        return bundle.includes(issuer.chainPem()) ? true : undefined;
      });
      const app = await untilFits(`bad-${what}`);
      expect(app.status?.tokenSha256).toBe(status?.tokenSha256);
    },
    LONG_MS,
  );

  it(
    'is added to the Secrets of an earlier version, whose tokens stay',
    async () => {
      const former = await setting.replica();
      const { status } = await start('earlier');
      expect(status?.certificates).toBeUndefined();
      await former.stop();
      await setting.replica({ certificates: issuer });
      const says = (app: Application) =>
        app.status?.conditions?.find(({ type }) => type === 'SecretReady')?.message.includes('certificate');
      const app = await untilFits('earlier', (found) => says(found) === true);
      expect(app.status?.tokenSha256).toBe(status?.tokenSha256);
    },
    LONG_MS,
  );
});
