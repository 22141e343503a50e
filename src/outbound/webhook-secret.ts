import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { SigningKey } from './standard-webhooks.ts';

/** Either the key, or what is wrong, for the person who wrote the secret; its text is never in it. */
export type ParsedSecret =
  { readonly kind: 'key'; readonly key: SigningKey } | { readonly kind: 'invalid'; readonly problem: string };

const MIN_HMAC_BYTES = 24;
const MAX_HMAC_BYTES = 64;
const ED25519_BYTES = 32;

/** DER in front of the 32 bytes of an Ed25519 key (RFC 8410): PKCS #8 and SubjectPublicKeyInfo. */
const PRIVATE_KEY_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_KEY_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * Reads a secret of Standard Webhooks: `whsec_` (HMAC, 24 to 64 bytes), `whsk_` (Ed25519 private: 32 bytes of seed, or 64 with the public key behind
 * it) or `whpk_` (Ed25519 public, to verify only), each with base64 behind it. White space around it is dropped: Secrets are often made from files.
 */
export function parseWebhookSecret(text: string): ParsedSecret {
  const [, prefix, encoded] = /^(whsec|whsk|whpk)_(.*)$/s.exec(text.trim()) ?? [];
  if (prefix === undefined || encoded === undefined) {
    return invalid('a webhook secret begins with whsec_ (HMAC) or whsk_ (Ed25519), followed by base64');
  }
  const bytes = decodeBase64(encoded);
  if (bytes === undefined) return invalid(`what follows ${prefix}_ must be base64`);
  if (prefix === 'whsec') return hmacKey(bytes);
  return prefix === 'whsk' ? privateKey(bytes) : publicKey(bytes);
}

function hmacKey(key: Buffer): ParsedSecret {
  if (key.length >= MIN_HMAC_BYTES && key.length <= MAX_HMAC_BYTES) return valid({ type: 'hmac', key });
  return invalid(
    `a whsec_ secret must hold ${MIN_HMAC_BYTES} to ${MAX_HMAC_BYTES} bytes; this one holds ${key.length}`,
  );
}

function privateKey(bytes: Buffer): ParsedSecret {
  if (bytes.length !== ED25519_BYTES && bytes.length !== 2 * ED25519_BYTES) {
    return invalid(`a whsk_ secret must hold 32 or 64 bytes; this one holds ${bytes.length}`);
  }
  const der = Buffer.concat([PRIVATE_KEY_PREFIX, bytes.subarray(0, ED25519_BYTES)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const isPair = bytes.length === ED25519_BYTES || publicBytes(key).equals(bytes.subarray(ED25519_BYTES));
  if (!isPair) return invalid('the public half of the whsk_ secret does not belong to its private half');
  return valid({ type: 'ed25519', key });
}

function publicKey(bytes: Buffer): ParsedSecret {
  if (bytes.length !== ED25519_BYTES) {
    return invalid(`a whpk_ key must hold 32 bytes; this one holds ${bytes.length}`);
  }
  const der = Buffer.concat([PUBLIC_KEY_PREFIX, bytes]);
  return valid({ type: 'ed25519', key: createPublicKey({ key: der, format: 'der', type: 'spki' }) });
}

function publicBytes(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(PUBLIC_KEY_PREFIX.length);
}

/** Node's decoder skips what it does not know; a secret that was mangled on its way must not become another one in silence. */
function decodeBase64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  const bare = (each: string): string => each.replace(/=+$/, '');
  return bare(bytes.toString('base64')) === bare(text) ? bytes : undefined;
}

function valid(key: SigningKey): ParsedSecret {
  return { kind: 'key', key };
}

function invalid(problem: string): ParsedSecret {
  return { kind: 'invalid', problem };
}
