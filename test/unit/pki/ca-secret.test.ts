import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  ANNOTATION_ROTATE,
  buildCaSecret,
  buildCaSecretData,
  parseCaSecret,
  SERVING_CA_LAYOUT,
  type Secret,
} from '../../../src/pki/ca-secret.ts';
import { trustedCertificates, type CaState } from '../../../src/pki/ca-state.ts';
import type { CertificateWithKey } from '../../../src/pki/certificate.ts';
import { issueCa, issueServingCertificate } from '../../../src/pki/issue-certificate.ts';

const now = Date.UTC(2030, 0, 1);
const DAY = 86_400_000;
let a: CertificateWithKey;
let b: CertificateWithKey;
let old: CertificateWithKey;
let leaf: CertificateWithKey;
let full: CaState;

beforeAll(async () => {
  [a, b, old] = (await Promise.all([1, 2, 3].map(() => issueCa({ now, lifetimeMs: DAY })))) as [
    CertificateWithKey,
    CertificateWithKey,
    CertificateWithKey,
  ];
  const names = { dnsNames: ['x.test'], ipAddresses: [] };
  leaf = await issueServingCertificate(a, names, { now, lifetimeMs: DAY });
  const retired = { cert: old.cert, notBefore: old.notBefore, notAfter: old.notAfter };
  full = {
    current: a,
    next: { ...b, trustedSince: now + 5 },
    previous: [{ ...retired, trustUntil: now + DAY }],
    handledRequest: 'r1',
  };
});

const change = (secret: Secret, data: Record<string, string | undefined>): Secret => ({
  ...secret,
  data: Object.fromEntries(
    Object.entries({ ...secret.data, ...data })
      .filter((entry): entry is [string, string] => entry[1] !== undefined)
      .map(([key, value]) => [key, key in data ? Buffer.from(value).toString('base64') : value]),
  ),
});

const build = (name: string, namespace: string, state: CaState): Secret =>
  buildCaSecret(name, namespace, buildCaSecretData(SERVING_CA_LAYOUT, state));

describe('the CA Secret', () => {
  it('is read as it was written', () => {
    const secret = build('krake-hooks-ca', 'krake-system', full);
    expect(parseCaSecret(secret)).toEqual({ state: full, requested: undefined, problems: [] });
    expect(secret).toMatchObject({ metadata: { name: 'krake-hooks-ca', namespace: 'krake-system' } });
  });

  it('is read as it was written when there is only a current CA', () => {
    const state = { current: a, next: undefined, previous: [], handledRequest: undefined };
    expect(parseCaSecret(build('n', 'ns', state))).toEqual({
      state,
      requested: undefined,
      problems: [],
    });
  });

  it('brings the request for a rotation', () => {
    const secret = build('n', 'ns', full);
    const annotated = {
      ...secret,
      metadata: { ...secret.metadata, annotations: { [ANNOTATION_ROTATE]: '7' } },
    };
    expect(parseCaSecret(annotated).requested).toBe('7');
  });

  const damages: [string, () => Record<string, string | undefined>, (read: CaState) => unknown, string][] = [
    [
      'no current',
      () => ({ 'ca.crt': undefined, 'ca.key': undefined }),
      (s) => s.current,
      'ca.crt: is missing',
    ],
    ['certificate without key', () => ({ 'ca.key': undefined }), (s) => s.current, 'ca.key is missing'],
    ['no PEM', () => ({ 'ca.crt': 'nonsense' }), (s) => s.current, 'there is no certificate'],
    [
      'a damaged certificate',
      () => ({ 'ca.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }),
      (s) => s.current,
      'is damaged',
    ],
    ['a damaged key', () => ({ 'ca.key': a.key.slice(0, 60) }), (s) => s.current, 'private key is damaged'],
    ["another CA's key", () => ({ 'ca.key': b.key }), (s) => s.current, 'does not belong'],
    [
      'a leaf in place of the CA',
      () => ({ 'ca.crt': leaf.cert, 'ca.key': leaf.key }),
      (s) => s.current,
      'no CA',
    ],
    ["another CA's next key", () => ({ 'next.key': a.key }), (s) => s.next, 'next.crt'],
    ['no JSON', () => ({ 'state.json': '{' }), (s) => s.next, 'is no JSON'],
    [
      'a time that is none',
      () => ({ 'state.json': '{"nextTrustedSince":"soon"}' }),
      (s) => s.next,
      'state.json',
    ],
  ];
  it.each(damages)('%s: left out and named, and no key is quoted', (_, data, part, problem) => {
    const { state, problems } = parseCaSecret(change(build('n', 'ns', full), data()));
    expect(part(state)).toBeUndefined();
    expect(problems.join('\n')).toContain(problem);
    for (const { key } of [a, b]) expect(problems.join('\n')).not.toContain(key.split('\n')[1]);
  });

  it('an empty Secret has nothing, and says so', () => {
    const { state, problems } = parseCaSecret({ metadata: { name: 'n' } });
    expect(state).toEqual({ current: undefined, next: undefined, previous: [], handledRequest: undefined });
    expect(problems).toEqual(['ca.crt: is missing']);
  });
});

describe('trustedCertificates', () => {
  it('has current, next and previous in that order, and no key', () => {
    expect(trustedCertificates(full)).toBe(a.cert + b.cert + old.cert);
    expect(trustedCertificates(full)).not.toContain('PRIVATE KEY');
  });

  it('has each certificate once', () => {
    expect(trustedCertificates({ ...full, next: { ...a, trustedSince: 0 } })).toBe(a.cert + old.cert);
  });
});
