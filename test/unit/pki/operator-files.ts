import { createPrivateKey, webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import forge from 'node-forge';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509CertificateGenerator,
  type Extension,
} from '../../../src/pki/x509.ts';
import type { IntermediateFile, IntermediateFiles } from '../../../src/pki/clients/intermediate-files.ts';
import { HOUR } from './client-chains.ts';

const ALGORITHMS = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  RSA: {
    ...{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2_048 },
    publicExponent: new Uint8Array([1, 0, 1]),
  },
} as const;

export interface CaOptions {
  readonly name: string;
  readonly kind?: keyof typeof ALGORITHMS;
  readonly by?: OperatorCa;
  readonly from?: number;
  readonly until?: number;
  /** Default: a CA without a limit. `null`: no basic constraints. */
  readonly pathLength?: number | null;
  readonly usages?: KeyUsageFlags;
  readonly purposes?: string[];
}

/** A CA as an operator has one; whatever is wrong with it is so on purpose. */
export interface OperatorCa {
  readonly cert: string;
  readonly key: string;
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly kind: keyof typeof ALGORITHMS;
}

let serial = 1;

export async function makeOperatorCa(options: CaOptions): Promise<OperatorCa> {
  const { name, kind = 'P-256', by, from = Date.now() - HOUR, until = Date.now() + 100 * HOUR } = options;
  const { pathLength, usages = KeyUsageFlags.keyCertSign, purposes } = options;
  const keys = await webcrypto.subtle.generateKey(ALGORITHMS[kind], true, ['sign', 'verify']);
  const extensions: Extension[] = [
    ...(pathLength === null ? [] : [new BasicConstraintsExtension(true, pathLength, true)]),
    new KeyUsagesExtension(usages, true),
    ...(purposes === undefined ? [] : [new ExtendedKeyUsageExtension(purposes)]),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: (0x1000 + serial++).toString(16),
    subject: `CN=${name},O=Example`,
    issuer: `CN=${by?.name ?? name},O=Example`,
    notBefore: new Date(from),
    notAfter: new Date(until),
    publicKey: keys.publicKey,
    signingKey: (by?.keys ?? keys).privateKey,
    signingAlgorithm: ALGORITHMS[by?.kind ?? kind],
    extensions,
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString();
  return { cert: `${certificate.toString('pem')}\n`, key, name, keys, kind };
}

export function encryptKey(key: string, passphrase: string): string {
  return createPrivateKey(key)
    .export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase })
    .toString();
}

/** PKCS#12 as node-forge writes it (RSA only); what OpenSSL writes is asked of OpenSSL. */
export function forgePkcs12(ca: OperatorCa, passphrase: string): Buffer {
  const asn1 = forge.pkcs12.toPkcs12Asn1(
    forge.pki.privateKeyFromPem(ca.key),
    [forge.pki.certificateFromPem(ca.cert)],
    passphrase,
  );
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary');
}

/** Writes the files into the folder; their paths. */
export function writeFiles(
  dir: string,
  contents: Partial<Record<IntermediateFile, string | Buffer>>,
): IntermediateFiles {
  const paths: Partial<Record<IntermediateFile, string>> = {};
  for (const [file, content] of Object.entries(contents) as [IntermediateFile, string | Buffer][]) {
    const path = join(dir, file);
    writeFileSync(path, content);
    paths[file] = path;
  }
  return { intermediateCert: join(dir, 'intermediateCert'), ...paths };
}
