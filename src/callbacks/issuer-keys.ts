import { createPublicKey, verify, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { Clock } from '../kube/index.ts';
import { field, textField } from './field.ts';

/** `unknown`: its key is not known here; the API server may know it. */
export type SignatureVerdict = 'good' | 'forged' | 'unknown';

export interface IssuerKeys {
  /** Whether one of the cluster's service account keys has signed the token. Says nothing else of it. Never rejects. */
  judge(token: string): Promise<SignatureVerdict>;
}

interface PublicKey {
  readonly key: KeyObject;
  readonly isRsa: boolean;
}

const PATH = '/openid/v1/jwks';
/** The API server refuses to give it as anything else. */
const ACCEPT = 'application/jwk-set+json';
const TIMEOUT_MS = 5_000;
/** Keys are asked for again when a token names one that is not known, at most this often. */
const REFRESH_MS = 30_000;
const MAX_KEYS = 32;

/**
 * The keys that the cluster signs service account tokens with, as it publishes them: every service account may read them, unless the cluster's administrator
 * has taken that away, and then all is `unknown`. With them a token that somebody made up costs the API server nothing.
 */
export function createIssuerKeys(
  client: {
    getRaw(
      path: string,
      options?: { readonly timeoutMs?: number; readonly accept?: string },
    ): Promise<unknown>;
  },
  clock: Pick<Clock, 'monotonic'>,
): IssuerKeys {
  let keys = new Map<string, PublicKey>();
  let readAt: number | undefined;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    try {
      keys = parseKeys(await client.getRaw(PATH, { timeoutMs: TIMEOUT_MS, accept: ACCEPT }));
    } catch {
      // Those before stay; the API server is asked about the others.
    }
    reading = undefined;
  }

  async function keyOf(id: string): Promise<PublicKey | undefined> {
    const known = keys.get(id);
    if (known !== undefined) return known;
    if (readAt === undefined || clock.monotonic() - readAt >= REFRESH_MS) {
      readAt = clock.monotonic();
      reading = read();
    }
    await reading;
    return keys.get(id);
  }

  return {
    async judge(token) {
      const [head = '', payload = '', signature = ''] = token.split('.');
      const header = parseHeader(head);
      const id = textField(header, 'kid');
      const algorithm = textField(header, 'alg');
      const key = id === undefined ? undefined : await keyOf(id);
      if (key === undefined || algorithm !== (key.isRsa ? 'RS256' : 'ES256')) return 'unknown';
      const signed = Buffer.from(`${head}.${payload}`);
      const isGood = verify(
        'sha256',
        signed,
        key.isRsa ? key.key : { key: key.key, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      );
      return isGood ? 'good' : 'forged';
    },
  };
}

function parseHeader(head: string): unknown {
  try {
    return JSON.parse(Buffer.from(head, 'base64url').toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function parseKeys(document: unknown): Map<string, PublicKey> {
  const listed = field(document, 'keys');
  const keys = new Map<string, PublicKey>();
  for (const jwk of Array.isArray(listed) ? listed.slice(0, MAX_KEYS) : []) {
    const id = textField(jwk, 'kid');
    const type = textField(jwk, 'kty');
    const isRsa = type === 'RSA';
    if (id === undefined || (!isRsa && !(type === 'EC' && textField(jwk, 'crv') === 'P-256'))) continue;
    try {
      keys.set(id, { key: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }), isRsa });
    } catch {
      // A key that cannot be read verifies nothing.
    }
  }
  return keys;
}
