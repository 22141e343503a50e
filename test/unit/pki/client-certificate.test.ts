import { createPrivateKey, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseCertificates } from '../../../src/pki/certificate.ts';
import {
  CALLER_URI,
  clientIdentityUri,
  readClientIdentity,
  type ClientIdentity,
} from '../../../src/pki/clients/client-identity.ts';
import { judgeClient } from '../../../src/pki/clients/judge-client.ts';
import { sha256 } from '../../../src/pki/clients/sign-client-certificate.ts';
import type { TrustedCertificate } from '../../../src/pki/clients/trust-config-map.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate as ReadableCertificate,
} from '../../../src/pki/x509.ts';
import { HOUR, IDENTITY, IDENTITY_URI, makeClientChain, type ClientChain } from './client-chains.ts';

const now = Date.UTC(2030, 5, 15, 12, 0, 0, 789);
const wholeSecond = now - 789;
let chain: ClientChain;
beforeAll(async () => {
  chain = await makeClientChain(now);
});

const first = (pem: string) => new X509Certificate(parseCertificates(pem)[0]?.raw ?? '');

describe('the certificate of the controller', () => {
  it('names it, has a key to sign with, and is by the intermediate that signs applications', async () => {
    const { certificate, key, issuerSha256, notAfter, renewAt } = await chain.caller();
    const issuer = first(chain.intermediate);
    expect(certificate.subjectAltName).toBe(`URI:${CALLER_URI}`);
    expect(certificate.subject).toBe('CN=krake-hooks-controller');
    expect(certificate.ca).toBe(false);
    expect(certificate.checkIssued(issuer)).toBe(true);
    expect(certificate.verify(issuer.publicKey)).toBe(true);
    expect(certificate.publicKey.asymmetricKeyType).toBe('ed25519');
    expect(certificate.checkPrivateKey(key)).toBe(true);
    expect(issuerSha256).toBe(sha256(issuer.raw));
    expect(notAfter).toBe(certificate.validToDate.getTime());
    expect(renewAt).toBe(Math.floor(now + (2 / 3) * (notAfter - now)));
  });

  it('speaks for no application', async () => {
    const { certificate } = await chain.caller();
    expect(readClientIdentity(certificate)).toBeUndefined();
  });

  it('is not signed by what has ended', async () => {
    await expect(chain.caller({ at: now + 101 * HOUR })).rejects.toThrow('has expired');
  });
});

describe('the certificate of an application', () => {
  it('has the profile that was decided on', async () => {
    const issued = await chain.issue();
    const [leaf, issuer] = parseCertificates(issued.certPem);
    if (leaf === undefined || issuer === undefined) throw new Error('no chain');
    expect(parseCertificates(issued.certPem)).toHaveLength(2);
    expect(leaf.subject).toBe('CN=krake-hooks-application');
    expect(leaf.issuer).toBe(issuer.subject);
    expect(leaf.subjectAltName).toBe(`URI:${IDENTITY_URI}`);
    expect(leaf.ca).toBe(false);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']); // clientAuth, and nothing else
    expect(leaf.publicKey.asymmetricKeyDetails).toMatchObject({ namedCurve: 'prime256v1' });
    expect(leaf.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    expect(leaf.checkIssued(issuer)).toBe(true);
    expect(leaf.verify(issuer.publicKey)).toBe(true);
    expect(leaf.checkPrivateKey(createPrivateKey(issued.keyPem))).toBe(true);
    expect(issued.keyPem).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);

    const readable = new ReadableCertificate(leaf.raw);
    expect(readable.getExtension(BasicConstraintsExtension)).toMatchObject({ ca: false, critical: true });
    expect(readable.getExtension(KeyUsagesExtension)).toMatchObject({
      usages: KeyUsageFlags.digitalSignature,
      critical: true,
    });
    expect(readable.getExtension(ExtendedKeyUsageExtension)?.usages).toHaveLength(1);
    const own = await SubjectKeyIdentifierExtension.create(readable.publicKey);
    expect(readable.getExtension(SubjectKeyIdentifierExtension)?.keyId).toBe(own.keyId);
    expect(readable.getExtension(AuthorityKeyIdentifierExtension)?.keyId).toBe(
      new ReadableCertificate(issuer.raw).getExtension(SubjectKeyIdentifierExtension)?.keyId,
    );
  });

  it('says of itself what is in it', async () => {
    const issued = await chain.issue();
    const [leaf, issuer] = parseCertificates(issued.certPem);
    expect(issued.sha256).toBe(leaf?.fingerprint256.replaceAll(':', '').toLowerCase());
    expect(issued.issuerSha256).toBe(issuer?.fingerprint256.replaceAll(':', '').toLowerCase());
    expect(issued.notBefore).toBe(leaf?.validFromDate.getTime());
    expect(issued.notAfter).toBe(leaf?.validToDate.getTime());
    expect(issued.notAfter).toBe(wholeSecond + 24 * HOUR);
    expect(issued.renewAt).toBe(Math.floor(now + (2 / 3) * (issued.notAfter - now)));
    expect(issued.notBefore).toBeLessThan(now);
  });

  it('is another one, with another key, each time', async () => {
    const many = await Promise.all(Array.from({ length: 50 }, () => chain.issue()));
    expect(new Set(many.map(({ sha256: id }) => id)).size).toBe(50);
    expect(new Set(many.map(({ keyPem }) => keyPem)).size).toBe(50);
    expect(new Set(many.map(({ certPem }) => first(certPem).serialNumber)).size).toBe(50);
  });

  it('never outlives what signed it, which signs no more once it has ended', async () => {
    const short = await makeClientChain(now, HOUR);
    expect((await short.issue()).notAfter).toBe(wholeSecond + HOUR);
    await expect(short.issue({ at: now + HOUR })).rejects.toThrow('has expired');
  });

  it('has an intermediate that signs no CA, for clients alone', () => {
    const intermediate = new ReadableCertificate(first(chain.intermediate).raw);
    expect(intermediate.getExtension(BasicConstraintsExtension)).toMatchObject({ ca: true, pathLength: 0 });
    expect(intermediate.getExtension(ExtendedKeyUsageExtension)?.usages).toEqual(['1.3.6.1.5.5.7.3.2']);
    const ca = new ReadableCertificate(first(chain.ca).raw);
    expect(ca.getExtension(BasicConstraintsExtension)).toMatchObject({ ca: true, pathLength: 1 });
  });
});

describe('the URI that names an application', () => {
  const label = fc.stringMatching(/^[a-z0-9](?:[-a-z0-9]{0,20}[a-z0-9])?$/);
  const identities = fc.record({ namespace: label, name: label, uid: fc.uuid() });
  const withNames = (subjectAltName: string | undefined) =>
    readClientIdentity({ subjectAltName } as unknown as X509Certificate);

  it('is read as it was written', () => {
    fc.assert(
      fc.property(identities, (identity) => {
        expect(withNames(`URI:${clientIdentityUri(identity)}`)).toEqual(identity);
      }),
    );
  });

  it('is read from a real certificate', async () => {
    expect(readClientIdentity(first((await chain.issue()).certPem))).toEqual(IDENTITY);
    expect(readClientIdentity(first((await chain.issueServing()).certPem))).toBeUndefined();
  });

  it.each<[string, string | undefined]>([
    ['none', undefined],
    ['another host', `URI:${IDENTITY_URI.replace('hooks.krake.dev', 'hooks.krake.dev.example.org')}`],
    ['a host that only looks like it', `URI:${IDENTITY_URI.replace('hooks.krake', 'hooksxkrake')}`],
    ['another scheme', `URI:${IDENTITY_URI.replace('spiffe', 'https')}`],
    ['two names', `URI:${IDENTITY_URI}, URI:${IDENTITY_URI}`],
    ['a DNS name beside it', `DNS:example.org, URI:${IDENTITY_URI}`],
    ['a DNS name', `DNS:${IDENTITY_URI}`],
    ['more at its end', `URI:${IDENTITY_URI}/more`],
    ['a line after it', `URI:${IDENTITY_URI}\n`],
    ['a query', `URI:${IDENTITY_URI}?x`],
    ['escapes', `URI:${IDENTITY_URI.replace('shop', 'sh%6fp')}`],
    ['capitals', `URI:${IDENTITY_URI.replace('shop', 'Shop')}`],
    ['an empty part', `URI:${IDENTITY_URI.replace('shop', '')}`],
    ['a path in a part', `URI:${IDENTITY_URI.replace('shop', 'shop/x')}`],
    ['quotes', `URI:"${IDENTITY_URI}"`],
    ['too much', `URI:${IDENTITY_URI.replace('shop', 'a'.repeat(600))}`],
  ])('is not read from %s', (_what, names) => {
    expect(withNames(names)).toBeUndefined();
  });

  it.each<[string, Partial<ClientIdentity>]>([
    ['a path', { name: 'a/uid/b' }],
    ['nothing', { namespace: '' }],
    ['a blank', { uid: 'a b' }],
  ])('is not made from %s', async (_what, part) => {
    const identity = { ...IDENTITY, ...part };
    await expect(chain.issue({ identity })).rejects.toThrow('cannot stand in a certificate');
  });
});

describe('judgeClient', () => {
  const trust = (pem: string, signs: boolean): TrustedCertificate => {
    const certificate = first(pem);
    return { certificate, signs, sha256: sha256(certificate.raw), trustUntil: Infinity };
  };
  const judge = (pem: string, at = now) =>
    judgeClient(first(pem), [trust(chain.intermediate, true), trust(chain.ca, false)], at);

  it('knows the application', async () => {
    expect(judge((await chain.issue()).certPem)).toEqual({ ok: true, identity: IDENTITY });
  });

  it.each<[string, () => Promise<[pem: string, at?: number]>]>([
    ['unknown-issuer', async () => [(await (await makeClientChain(now)).issue()).certPem]],
    ['unknown-issuer', () => Promise.resolve([chain.intermediate])], // by the CA, which is trusted, but signs no applications
    ['expired', async () => [(await chain.issue()).certPem, now + 25 * HOUR]],
    ['not-yet-valid', async () => [(await chain.issue()).certPem, now - HOUR]],
    ['not-for-clients', async () => [(await chain.issueServing()).certPem]],
    ['unknown-issuer', async () => [(await chain.issue()).certPem, now + 1_000 * HOUR]],
  ])('%s', async (reason, shown) => {
    expect(judge(...(await shown()))).toEqual({ ok: false, reason });
  });
});
