import { createPrivateKey, type KeyObject } from 'node:crypto';

/**
 * A private key from PEM, encrypted or not.
 *
 * @throws Error that says what is wrong and what to do, without any part of key or passphrase; OpenSSL's own messages are left out
 */
export function readPrivateKey(pem: string, passphrase: string | undefined): KeyObject {
  if (!pem.includes('PRIVATE KEY-----')) throw new Error('there is no private key in PEM in it');
  const isEncrypted = pem.includes('ENCRYPTED'); // PKCS#8: in its first line; the older form: in a header below it
  if (isEncrypted && passphrase === undefined) {
    throw new Error(
      'the private key is encrypted; name the file with its passphrase in pki.clientCertificates.intermediatePassphraseFile',
    );
  }
  try {
    return createPrivateKey({ key: pem, ...(isEncrypted && { passphrase }) });
  } catch {
    throw new Error(
      isEncrypted
        ? 'the private key cannot be opened: the passphrase is wrong, or the file is damaged'
        : 'the private key is damaged',
    );
  }
}
