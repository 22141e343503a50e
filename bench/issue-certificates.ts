// Issues client certificates and prints how many: `node issue-certificates.ts JSON` (IssuingOptions).
import { createPrivateKey, webcrypto } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseCertificates } from '../src/pki/certificate.ts';
import { createClientCertificateSigner } from '../src/pki/clients/sign-client-certificate.ts';
import { issueOwnSigner, type OwnSigner } from '../src/pki/clients/signing-secret.ts';
import * as x509 from '../src/pki/x509.ts';
import type { Issued, IssuingOptions } from './issuing-process.ts';

const HOUR = 3_600_000;
/** As many at once as the controller has workers. */
const AT_ONCE = 4;
const WARM_UP_MS = 500;
const URI = 'spiffe://hooks.krake.dev/namespace/shop/application/deployment-web/uid/';

const options = JSON.parse(process.argv[2] ?? '{}') as IssuingOptions;
const signer = await issueOwnSigner(undefined, Date.now(), 1_000 * HOUR);
const issue = options.way === 'library' ? await createLibraryWay(signer) : createOurWay(signer);

await issueFor(WARM_UP_MS);
const cpu = process.cpuUsage();
const startedAt = performance.now();
const count = await issueFor(options.seconds * 1_000);
const { user, system } = process.cpuUsage(cpu);
const result: Issued = {
  perSecond: count / ((performance.now() - startedAt) / 1_000),
  cpuUs: (user + system) / count,
};
console.log(JSON.stringify(result));

async function issueFor(ms: number): Promise<number> {
  const from = performance.now();
  let issued = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < from + ms) {
      issued++;
      await issue(issued);
      // Spread evenly, as a controller's renewals are.
      const dueMs = options.perSecond === undefined ? 0 : (issued / options.perSecond) * 1_000;
      const aheadMs = from + dueMs - performance.now();
      if (aheadMs > 0) await sleep(aheadMs);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return issued;
}

function createOurWay(own: OwnSigner): (index: number) => Promise<unknown> {
  const [certificate] = parseCertificates(own.cert);
  if (certificate === undefined) throw new Error('no intermediate');
  const issuer = { certificate, key: createPrivateKey(own.key), notAfter: own.notAfter };
  const ours = createClientCertificateSigner(issuer, 'krake-hooks-application');
  return (index) =>
    ours.sign(
      { namespace: 'shop', name: 'deployment-web', uid: `${index}` },
      { now: Date.now(), lifetimeMs: 24 * HOUR },
    );
}

/** The same certificate and key as PEM, by the library's documented calls; what can be read once is read once. */
async function createLibraryWay(own: OwnSigner): Promise<(index: number) => Promise<unknown>> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const issuer = new x509.X509Certificate(parseCertificates(own.cert)[0]?.raw ?? new Uint8Array());
  const pkcs8 = createPrivateKey(own.key).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
  return async (index) => {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: webcrypto.getRandomValues(Buffer.alloc(16)).toString('hex'),
      subject: 'CN=krake-hooks-application',
      issuer: issuer.subject,
      notBefore: new Date(Date.now() - 300_000),
      notAfter: new Date(Date.now() + 24 * HOUR),
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `${URI}${index}` }]),
      ],
    });
    const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
    return certificate.toString('pem') + x509.PemConverter.encode(key, 'PRIVATE KEY');
  };
}
