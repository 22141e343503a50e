import { X509Certificate } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ANNOTATION_ROTATE } from '../../src/pki/index.ts';
import { parseSecretOf } from '../../src/pki/ca-secret.ts';
import { parseCertificates } from '../../src/pki/certificate.ts';
import { parseTrust } from '../../src/pki/clients/trust-config-map.ts';
import { SIGNING_LAYOUT } from '../../src/pki/clients/signing-secret.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { NAMESPACE, serviceAccount } from './manifests-setting.ts';
import {
  CONFIG_MAP,
  SECRET,
  startPkiClientSetting,
  type IssuerReplica,
  type PkiClientSetting,
} from './pki-client-setting.ts';

jest.setTimeout(300_000);
const never = new AbortController().signal;
const identity = { namespace: 'shop', name: 'deployment-web', uid: '7f0c8d5e-6a1b-4c3d-9e2f-000000000001' };

let setting: PkiClientSetting;
beforeAll(async () => {
  setting = await startPkiClientSetting();
}, 600_000);
afterEach(() => setting.clear());
afterAll(() => setting.stop());

async function start(...replicas: IssuerReplica[]): Promise<void> {
  await Promise.all(replicas.map(({ issuer }) => issuer.start(never)));
}

async function state() {
  return parseSecretOf(SIGNING_LAYOUT, (await setting.readSecret()) ?? { metadata: {} });
}

const kubectl = (...args: string[]) => setting.controlPlane.kubectl(['-n', NAMESPACE, ...args]);
const reasons = (...replicas: IssuerReplica[]) =>
  replicas.flatMap(({ events }) => events.map(({ reason }) => reason)).sort();
const leafOf = (certPem: string) => new X509Certificate(parseCertificates(certPem)[0]?.raw ?? '');

describe('the signing certificate of applications, with the rights of the service accounts alone', () => {
  it('is one for two replicas that start at the same moment, ten times; callbacks know what both issue', async () => {
    let lost = 0;
    for (let round = 0; round < 10; round++) {
      const [one, two] = [setting.replica({ lifetime: 15_000 }), setting.replica({ lifetime: 15_000 })];
      const trust = setting.trust();
      await trust.start(never);
      await start(one, two);
      expect(one.issuer.issuerSha256()).toBe(two.issuer.issuerSha256());
      expect(one.issuer.chainPem()).toBe(two.issuer.chainPem());
      expect(reasons(one, two)).toEqual(['SigningCreated']);
      await waitFor('callbacks to know the CA', () => (trust.ready() ? true : undefined));
      expect(trust.caPem()).toBe(one.issuer.chainPem());
      for (const { issuer } of [one, two]) {
        const { certPem } = await issuer.issue(identity);
        expect(trust.verify(leafOf(certPem))).toEqual({ ok: true, identity });
      }
      lost += [one, two].flatMap(({ logger }) =>
        logger.lines.filter(({ message }) => message === 'another replica was first'),
      ).length;
      await setting.clear();
    }
    expect(lost).toBeGreaterThan(0); // else they never met, and this shows nothing
  });

  it('has its keys in the Secret and nowhere else', async () => {
    const replica = setting.replica();
    await start(replica);
    const { keyPem } = await replica.issuer.issue(identity);
    const configMap = JSON.stringify(await setting.readConfigMap());
    const told = JSON.stringify([replica.logger.lines, replica.events]);
    const { current } = (await state()).state;
    for (const key of [current?.key, current?.caKey, keyPem]) {
      const middle = (key ?? '').split('\n')[1] ?? '';
      expect(middle.length).toBeGreaterThan(30);
      expect(configMap).not.toContain(middle);
      expect(told).not.toContain(middle);
    }
    expect(`${configMap}${told}`).not.toContain('PRIVATE');
  });

  it('is rotated on request, CA and all: trusted before it signs; the old one until what it signed has ended', async () => {
    // What lies between two steps is looked at, and what was signed first is still good after both.
    const timing = { lifetime: 20_000, signingLifetime: 150_000, trustDelay: 7_000 };
    const replicas = [setting.replica(timing), setting.replica(timing)];
    const [replica] = replicas as [IssuerReplica];
    const trust = setting.trust();
    await trust.start(never);
    await start(...replicas);
    const former = await replica.issuer.issue(identity);
    const formerCaller = await replica.issuer.caller();
    expect(formerCaller.issuerSha256).toBe(former.issuerSha256);
    const told: string[] = [];
    const known = () => `${replica.issuer.issuerSha256()} ${replica.issuer.chainPem()}`;
    replica.issuer.onChange(() => told.push(known()));
    // Either replica may have taken the step; this one knows of it, and tells, at its next look.
    const isTold = (isIt: (state: string) => boolean) =>
      waitFor('the replica to tell what it knows', () =>
        isIt(told.at(-1) ?? '') && told.at(-1) === known() ? true : undefined,
      );
    await kubectl('annotate', 'secret', SECRET, `${ANNOTATION_ROTATE}=now`);

    const staged = await waitFor('the next one', async () => (await state()).state.next, { intervalMs: 20 });
    await waitFor('callbacks to trust both', () =>
      parseCertificates(trust.caPem()).length === 4 ? true : undefined,
    );
    await isTold((state) => parseCertificates(state).length === 4);
    expect(replica.issuer.issuerSha256()).toBe(former.issuerSha256);
    await waitFor('the next one to sign', () =>
      replica.issuer.issuerSha256() === former.issuerSha256 ? undefined : true,
    );
    expect(Date.now() - staged.trustedSince).toBeGreaterThanOrEqual(timing.trustDelay);
    const latter = await replica.issuer.issue(identity);
    await isTold((state) => state.startsWith(latter.issuerSha256));
    expect((await replica.issuer.caller()).issuerSha256).toBe(latter.issuerSha256);
    for (const { certPem } of [former, latter]) {
      expect(trust.verify(leafOf(certPem))).toEqual({ ok: true, identity });
    }
    const [, formerCa] = parseCertificates(trust.caPem());
    expect(formerCa).toBeDefined();

    await waitFor(
      'the end of the old one',
      () => (parseCertificates(trust.caPem()).length === 2 ? true : undefined),
      { timeoutMs: 60_000 },
    );
    expect(Date.now()).toBeGreaterThanOrEqual(former.notAfter);
    expect(trust.verify(leafOf(former.certPem))).toEqual({ ok: false, reason: 'unknown-issuer' });
    await waitFor('its Event', () => reasons(...replicas).find((reason) => reason === 'SigningTrustEnded'));
    expect(reasons(...replicas)).toEqual([
      'SigningCreated',
      'SigningPromoted',
      'SigningRequested',
      'SigningTrustEnded',
    ]);
    await isTold((state) => parseCertificates(state).length === 2);
  });

  it('signs a certificate of the controller, which is kept for two thirds of its life', async () => {
    const replica = setting.replica({ lifetime: 9_000 });
    await expect(replica.issuer.caller()).rejects.toThrow('before the issuer has started');
    await start(replica);
    const [first, second] = await Promise.all([replica.issuer.caller(), replica.issuer.caller()]);
    expect(second).toBe(first);
    const bundle = parseCertificates(replica.issuer.chainPem());
    expect(
      bundle.some((ca) => first.certificate.checkIssued(ca) && first.certificate.verify(ca.publicKey)),
    ).toBe(true);
    const later = await waitFor('another one', async () => {
      const caller = await replica.issuer.caller();
      return caller === first ? undefined : caller;
    });
    expect(Date.now()).toBeGreaterThanOrEqual(first.renewAt);
    expect(later.key.equals(first.key)).toBe(false);
  });

  it('is replaced at two thirds of its life, under the same CA', async () => {
    const replica = setting.replica({ lifetime: 1_000, signingLifetime: 18_000, trustDelay: 300 });
    await start(replica);
    const first = (await state()).state.current;
    await waitFor('the second', async () => {
      const { current } = (await state()).state;
      return current?.cert === first?.cert ? undefined : current;
    });
    expect((await state()).state.current?.caKey).toBe(first?.caKey);
    expect(reasons(replica)).toContain('SigningDue');
  });

  it.each([
    ['intermediate.key', 'intermediate.crt: the private key is damaged or encrypted'],
    ['intermediate.crt', 'intermediate.crt: there is no certificate in it'],
    ['ca.key', 'ca.crt: the private key is damaged or encrypted'],
    ['state.json', 'state.json: is no JSON'],
  ])(
    'damaged in %s: an error that names it, and the replica that knows better puts it back',
    async (key, error) => {
      // Its rotation begins, and is not to end before it was looked at.
      const replica = setting.replica({ trustDelay: 10_000 });
      await start(replica);
      const before = (await state()).state.current;
      const patch = JSON.stringify({ data: { [key]: Buffer.from('marked nonsense').toString('base64') } });
      await kubectl('patch', 'secret', SECRET, '--type=merge', '-p', patch);
      await waitFor('the repair', async () => {
        const read = await state();
        return read.problems.length === 0 && read.state.current?.key === before?.key ? true : undefined;
      });
      const errors = replica.logger.lines.filter(({ level }) => level === 'error');
      expect(errors.map(({ fields }) => String(fields?.problems))).toEqual([expect.stringContaining(error)]);
      expect(JSON.stringify(replica.logger.lines)).not.toContain('marked');
      expect(replica.issuer.ready()).toBe(true);
    },
  );

  it('damaged, and nobody knows better: another one signs, and the error says why', async () => {
    // What the former one signs is taken for longer than the second needs to start.
    const first = setting.replica({ lifetime: 15_000 });
    await start(first);
    const former = first.issuer.issuerSha256();
    await first.issuer.stop();
    const patch = JSON.stringify({ data: { 'intermediate.key': 'eA==' } });
    await kubectl('patch', 'secret', SECRET, '--type=merge', '-p', patch);
    const second = setting.replica({ lifetime: 15_000 });
    await start(second);
    expect(second.issuer.issuerSha256()).not.toBe(former);
    expect(second.logger.lines.find(({ level }) => level === 'error')?.fields?.problems).toContain(
      'intermediate.crt: the private key is damaged',
    );
    expect(second.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Warning SigningCurrentUnusable',
    ]);
    // What the former one signed is taken until it has ended.
    expect(parseTrust(await setting.readConfigMap()).map(({ sha256 }) => sha256)).toContain(former);
  });

  it('the ConfigMap comes back when it is deleted or changed; callbacks keep what they know meanwhile', async () => {
    const replica = setting.replica();
    const trust = setting.trust();
    await trust.start(never);
    await start(replica);
    await waitFor('callbacks to know the CA', () => (trust.ready() ? true : undefined));
    const pem = trust.caPem();
    await kubectl('delete', 'configmap', CONFIG_MAP);
    await waitFor('the ConfigMap', async () => (await setting.readConfigMap())?.data?.['ca.crt']);
    const patch = JSON.stringify({ data: { 'ca.crt': '' } });
    await kubectl('patch', 'configmap', CONFIG_MAP, '--type=merge', '-p', patch);
    await waitFor('its content', async () =>
      (await setting.readConfigMap())?.data?.['ca.crt'] === pem ? true : undefined,
    );
    expect(trust.caPem()).toBe(pem);
  });

  it('waits for the API server at the start; issues nothing before', async () => {
    await setting.controlPlane.killApiserver();
    const replica = setting.replica();
    const started = replica.issuer.start(never);
    await waitFor('an error in the log', () => replica.logger.lines.find(({ level }) => level === 'error'));
    expect(replica.issuer.ready()).toBe(false);
    await expect(replica.issuer.issue(identity)).rejects.toThrow('before the issuer has started');
    expect(() => replica.issuer.chainPem()).toThrow('before the issuer has started');
    await setting.controlPlane.startApiserver();
    await started;
    expect(replica.issuer.ready()).toBe(true);
  });

  it('only the controller may read or make the Secret; callbacks may not write the ConfigMap', async () => {
    const denied = async (part: string, ...args: string[]) => {
      const { code, stderr } = await setting.controlPlane.kubectl(
        ['-n', NAMESPACE, ...args, `--as=${serviceAccount(part)}`],
        { allowFailure: true },
      );
      expect(stderr).toMatch(/forbidden|denied|may write only/i);
      expect(code).not.toBe(0);
    };
    for (const part of ['admission', 'callbacks', 'gate', 'jobs']) {
      await denied(part, 'get', 'secret', SECRET);
      await denied(part, 'create', 'secret', 'generic', SECRET, '--dry-run=server');
      await denied(part, 'create', 'configmap', CONFIG_MAP, '--dry-run=server');
    }
    await denied('controller', 'create', 'configmap', 'another', '--dry-run=server');
  });
});
