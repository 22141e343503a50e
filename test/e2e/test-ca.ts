import forge from 'node-forge';
import { makeCertificate, type DevelopmentCertificate } from '../../certs/development-certificate.ts';
import type { Cluster } from '../cluster/cluster.ts';

const NAME = 'krake-hooks-test-ca';
const DAYS = 30;

/** A CA of the tests' own that the controller trusts (manifests/kustomization.yaml beside this file). Made once in the life of a cluster. */
export async function ensureTestCa(cluster: Cluster): Promise<DevelopmentCertificate> {
  const { stdout } = await cluster.kubectl([
    '-n',
    'krake-system',
    'get',
    'secret',
    NAME,
    '--ignore-not-found',
    '-o',
    'json',
  ]);
  if (stdout !== '') {
    const { data } = JSON.parse(stdout) as { data: Readonly<Record<string, string>> };
    const read = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString();
    const privateKey = forge.pki.privateKeyFromPem(read('ca.key'));
    return { certificate: forge.pki.certificateFromPem(read('ca.crt')), privateKey };
  }
  const ca = await makeCertificate({
    commonName: 'krake-hooks tests',
    days: DAYS,
    issuer: undefined,
    use: { pathLength: 0 },
  });
  const secret = buildSecret(NAME, { 'ca.crt': certificateOf(ca), 'ca.key': keyOf(ca) });
  await cluster.kubectl(['-n', 'krake-system', 'create', '-f', '-'], { input: JSON.stringify(secret) });
  return ca;
}

/** A Secret with a serving certificate for these names, signed by the tests' CA. */
export async function servingSecret(
  cluster: Cluster,
  name: string,
  names: readonly string[],
): Promise<object> {
  const issuer = await ensureTestCa(cluster);
  const serving = await makeCertificate({ commonName: name, days: DAYS, issuer, use: { names } });
  return buildSecret(name, { 'tls.crt': certificateOf(serving), 'tls.key': keyOf(serving) });
}

function buildSecret(name: string, stringData: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData };
}

function certificateOf({ certificate }: DevelopmentCertificate): string {
  return forge.pki.certificateToPem(certificate);
}

function keyOf({ privateKey }: DevelopmentCertificate): string {
  return forge.pki.privateKeyToPem(privateKey);
}
