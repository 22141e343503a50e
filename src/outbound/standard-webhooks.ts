import {
  createHmac,
  sign as signWith,
  timingSafeEqual,
  verify as verifyWith,
  type KeyObject,
} from 'node:crypto';

// Standard Webhooks 1.0.0.

export type SigningKey =
  | { readonly type: 'hmac'; readonly key: Uint8Array | string }
  /** To sign, the private key; to verify, either. */
  | { readonly type: 'ed25519'; readonly key: KeyObject };

export interface WebhookMessage {
  /** The same for all attempts: by it the receiver knows what it has had already. Visible ASCII without a dot. */
  readonly id: string;
  /** Of the attempt, in whole seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
  /** More than one while a key is being replaced. */
  readonly keys: readonly SigningKey[];
}

export interface WebhookHeaders {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

/** @throws Error when the id contains a dot or what no header may, the timestamp is no whole number, or there is no key */
export function signWebhook({ id, timestamp, body, keys }: WebhookMessage): WebhookHeaders {
  if (!/^[!-\-/-~]+$/.test(id)) throw new Error('a webhook id is visible ASCII without a dot');
  if (!Number.isSafeInteger(timestamp)) throw new Error('a webhook timestamp is a whole number of seconds');
  if (keys.length === 0) throw new Error('a webhook is signed with one key at least');
  const content = Buffer.from(`${id}.${timestamp}.${body}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': keys.map((key) => signature(key, content)).join(' '),
  };
}

export type Verification =
  | { readonly valid: true }
  | {
      readonly valid: false;
      readonly reason: 'missing-header' | 'bad-timestamp' | 'too-old' | 'too-new' | 'no-match';
    };

export interface ReceivedWebhook {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** As it came: a body that was parsed and written again has another signature. */
  readonly body: string;
  readonly keys: readonly SigningKey[];
  readonly nowSeconds: number;
  /** How far the timestamp may be off; default 5 minutes. */
  readonly toleranceSeconds?: number;
}

const DEFAULT_TOLERANCE_SECONDS = 300;
/** Enough for every rotation; each costs a signature. */
const MAX_SIGNATURES = 20;

/** What a receiver does. One signature that one key made is enough. */
export function verifyWebhook({
  headers,
  body,
  keys,
  nowSeconds,
  toleranceSeconds,
}: ReceivedWebhook): Verification {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (id === undefined || timestamp === undefined || signatures === undefined) {
    return { valid: false, reason: 'missing-header' };
  }
  if (!/^\d{1,15}$/.test(timestamp)) return { valid: false, reason: 'bad-timestamp' };
  const ageSeconds = nowSeconds - Number(timestamp);
  const tolerance = toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS;
  if (ageSeconds > tolerance) return { valid: false, reason: 'too-old' };
  if (ageSeconds < -tolerance) return { valid: false, reason: 'too-new' };
  const content = Buffer.from(`${id}.${timestamp}.${body}`);
  const matches = signatures
    .split(' ', MAX_SIGNATURES)
    .some((text) => keys.some((key) => isSignature(key, content, text)));
  return matches ? { valid: true } : { valid: false, reason: 'no-match' };
}

function signature(key: SigningKey, content: Buffer): string {
  if (key.type === 'hmac') return `v1,${createHmac('sha256', key.key).update(content).digest('base64')}`;
  return `v1a,${signWith(null, content, key.key).toString('base64')}`;
}

function isSignature(key: SigningKey, content: Buffer, text: string): boolean {
  if (key.type === 'hmac') {
    const expected = Buffer.from(signature(key, content));
    const given = Buffer.from(text);
    return expected.length === given.length && timingSafeEqual(expected, given);
  }
  const [version, value] = text.split(',', 2);
  return version === 'v1a' && verifyWith(null, content, key.key, Buffer.from(value ?? '', 'base64'));
}
