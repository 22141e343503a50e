// Development certificates (README.md beside this file):  node certs/make-certs.ts [--out DIR] [--names A,B,…] [--days N] [--new-ca]
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import forge from 'node-forge';
import { makeCertificate, type DevelopmentCertificate } from './development-certificate.ts';

const DEFAULT_NAMES = [
  'localhost',
  '127.0.0.1',
  '::1',
  ...['krake-hooks-admission', 'krake-hooks-callbacks'].flatMap((service) => [
    `${service}.krake-system.svc`,
    `${service}.krake-system.svc.cluster.local`,
  ]),
];
/** A CA that expires sooner than this is made anew. */
const CA_LEFT_DAYS = 30;
const DAY_MS = 86_400_000;

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(import.meta.dirname, 'out') },
    names: { type: 'string', default: DEFAULT_NAMES.join(',') },
    days: { type: 'string', default: '365' },
    'new-ca': { type: 'boolean', default: false },
  },
});
const names = values.names
  .split(',')
  .map((name) => name.trim())
  .filter((name) => name !== '');
const days = Number(values.days);
if (names.length === 0)
  throw new Error('--names: give at least one DNS name or IP address, separated by commas');
if (!Number.isInteger(days) || days < 1) throw new Error(`--days: "${values.days}" is no number of days`);

await mkdir(values.out, { recursive: true });
const kept = values['new-ca'] ? undefined : await readCa(values.out);
const ca = kept ?? (await makeCa());
const intermediate = await makeCertificate({
  commonName: 'krake-hooks development intermediate CA',
  days,
  issuer: ca,
  use: { pathLength: 0 },
});
const direct = await makeCertificate({ commonName: 'krake-hooks', days, issuer: ca, use: { names } });
const chained = await makeCertificate({
  commonName: 'krake-hooks',
  days,
  issuer: intermediate,
  use: { names },
});

await writePair('ca', ca, []);
await writePair('tls', direct, []);
await writePair('intermediate', intermediate, []);
await writePair('tls-chain', chained, [intermediate]);
console.log(
  `${values.out}: ca.crt (${kept === undefined ? 'new' : 'kept'}), tls.crt and tls.key for ${names.join(', ')}`,
);
console.log(
  'tls-chain.crt and tls-chain.key: the same names, signed by an intermediate CA that is in the file',
);

function makeCa(): Promise<DevelopmentCertificate> {
  const commonName = `krake-hooks development CA ${new Date().toISOString().slice(0, 10)}`;
  return makeCertificate({ commonName, days: 3 * days, issuer: undefined, use: { pathLength: 1 } });
}

/** The CA of an earlier run, if it can still be used: whoever trusts it already need not be told again. */
async function readCa(dir: string): Promise<DevelopmentCertificate | undefined> {
  let certPem: string;
  let keyPem: string;
  try {
    certPem = await readFile(join(dir, 'ca.crt'), 'utf8');
    keyPem = await readFile(join(dir, 'ca.key'), 'utf8');
  } catch {
    return undefined; // the first run
  }
  if (new X509Certificate(certPem).validToDate.getTime() < Date.now() + CA_LEFT_DAYS * DAY_MS)
    return undefined;
  return {
    certificate: forge.pki.certificateFromPem(certPem),
    privateKey: forge.pki.privateKeyFromPem(keyPem),
  };
}

async function writePair(
  name: string,
  { certificate, privateKey }: DevelopmentCertificate,
  chain: readonly DevelopmentCertificate[],
): Promise<void> {
  const certificates = [certificate, ...chain.map((link) => link.certificate)];
  const pem = certificates.map((each) => forge.pki.certificateToPem(each).replaceAll('\r', '')).join('');
  const key = forge.pki.privateKeyInfoToPem(
    forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(privateKey)),
  );
  await writeFile(join(values.out, `${name}.crt`), pem);
  await writeFile(join(values.out, `${name}.key`), key.replaceAll('\r', ''), { mode: 0o600 });
}
