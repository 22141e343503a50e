import { X509Certificate, createPrivateKey, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { encryptKey, makeOperatorCa, writeFiles } from '../unit/pki/operator-files.ts';
import type { Canary } from './canary-search.ts';

/** An operator's intermediate whose key is encrypted. */
export interface EncryptedIntermediate {
  /** `pki.clientCertificates` for a controller that has the right passphrase, or another. */
  settings(passphrase: 'right' | 'wrong'): Readonly<Record<string, string>>;
  /** The key, and both passphrases. They are in files alone. */
  readonly canaries: readonly Canary[];
  /** By which an Application's status knows what it has signed. */
  readonly sha256: string;
}

export async function createEncryptedIntermediate(parent: string): Promise<EncryptedIntermediate> {
  const root = await makeOperatorCa({ name: 'operator-root' });
  const { cert, key } = await makeOperatorCa({ name: 'operator', by: root, pathLength: 0 });
  const passphrases = { right: randomBytes(24).toString('hex'), wrong: randomBytes(24).toString('hex') };
  const settings = { right: {}, wrong: {} };
  for (const which of ['right', 'wrong'] as const) {
    const dir = join(parent, `intermediate-${which}`);
    mkdirSync(dir);
    const files = writeFiles(dir, {
      intermediateCert: cert,
      intermediateKey: encryptKey(key, passphrases.right),
      intermediatePassphraseFile: passphrases[which],
      rootsFile: root.cert,
    });
    settings[which] = Object.fromEntries(
      Object.entries(files).map(([file, path]) => [`pki.clientCertificates.${file}`, String(path)]),
    );
  }
  const scalar = createPrivateKey(key).export({ format: 'jwk' }).d ?? '';
  return {
    settings: (passphrase) => settings[passphrase],
    sha256: new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase(),
    canaries: [
      { name: 'key of the operator’s intermediate', bytes: Buffer.from(scalar, 'base64url'), holders: [] },
      ...Object.entries(passphrases).map(([which, text]) => ({
        name: `${which} passphrase`,
        bytes: Buffer.from(text),
        holders: [],
      })),
    ],
  };
}
