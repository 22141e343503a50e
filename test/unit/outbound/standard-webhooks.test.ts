import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  parseWebhookSecret,
  signWebhook,
  verifyWebhook,
  type SigningKey,
} from '../../../src/outbound/index.ts';

const KNOWN = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

function keyOf(secret: string): SigningKey {
  const parsed = parseWebhookSecret(secret);
  if (parsed.kind === 'invalid') throw new Error(parsed.problem);
  return parsed.key;
}

function ed25519Secrets() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return {
    seedOnly: `whsk_${seed.toString('base64')}`,
    pair: `whsk_${Buffer.concat([seed, point]).toString('base64')}`,
    public: `whpk_${point.toString('base64')}`,
    broken: `whsk_${Buffer.concat([seed, seed]).toString('base64')}`,
  };
}

describe('Standard Webhooks', () => {
  it('makes the signature of the known answer', () => {
    const { id, timestamp, body } = KNOWN;
    expect(signWebhook({ id, timestamp, body, keys: [keyOf(KNOWN.secret)] })).toEqual({
      'webhook-id': id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': KNOWN.signature,
    });
  });

  it('accepts the known answer, and among several signatures', () => {
    const received = {
      headers: {
        'webhook-id': KNOWN.id,
        'webhook-timestamp': String(KNOWN.timestamp),
        'webhook-signature': `v1,AAAA v2,what v1a,AAAA ${KNOWN.signature}`,
      },
      body: KNOWN.body,
      keys: [keyOf(KNOWN.secret)],
      nowSeconds: KNOWN.timestamp + 299,
    };
    expect(verifyWebhook(received)).toEqual({ valid: true });
    expect(verifyWebhook({ ...received, body: `${KNOWN.body} ` })).toEqual({
      valid: false,
      reason: 'no-match',
    });
    expect(verifyWebhook({ ...received, nowSeconds: KNOWN.timestamp + 301 })).toEqual({
      valid: false,
      reason: 'too-old',
    });
    expect(verifyWebhook({ ...received, nowSeconds: KNOWN.timestamp - 301 })).toEqual({
      valid: false,
      reason: 'too-new',
    });
    const headers = { ...received.headers, 'webhook-timestamp': '1e9' };
    expect(verifyWebhook({ ...received, headers })).toEqual({ valid: false, reason: 'bad-timestamp' });
    expect(verifyWebhook({ ...received, headers: {} })).toEqual({ valid: false, reason: 'missing-header' });
  });

  it('signs with several keys, so that a receiver may know the old or the new one', () => {
    const ed = ed25519Secrets();
    const old = keyOf(KNOWN.secret);
    const next = keyOf(`whsec_${Buffer.alloc(32, 7).toString('base64')}`);
    const stranger = keyOf(`whsec_${Buffer.alloc(32, 8).toString('base64')}`);
    const message = { id: 'm-1', timestamp: 1_000, body: '{"ä":"€"}' };
    const headers = { ...signWebhook({ ...message, keys: [next, old, keyOf(ed.pair)] }) };
    expect(headers['webhook-signature'].split(' ')).toHaveLength(3);
    const verdict = (key: SigningKey) =>
      verifyWebhook({ headers, body: message.body, keys: [key], nowSeconds: 1_000 }).valid;
    expect([old, next, keyOf(ed.public), keyOf(ed.seedOnly)].map(verdict)).toEqual([true, true, true, true]);
    expect([stranger, keyOf(ed25519Secrets().public)].map(verdict)).toEqual([false, false]);
  });

  it.each(['', 'a.b', 'a b', 'a\n', 'ä'])('refuses the id %j', (id) => {
    expect(() => signWebhook({ id, timestamp: 1, body: '', keys: [keyOf(KNOWN.secret)] })).toThrow(
      'webhook id',
    );
  });

  it('refuses to sign with nothing, or at no time', () => {
    expect(() => signWebhook({ id: 'a', timestamp: 1, body: '', keys: [] })).toThrow('one key');
    expect(() => signWebhook({ id: 'a', timestamp: 1.5, body: '', keys: [keyOf(KNOWN.secret)] })).toThrow(
      'whole number',
    );
  });

  it('notices any change of one character', () => {
    const key = keyOf(KNOWN.secret);
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 1 }),
        (body, at, other) => {
          const index = at % body.length;
          const changed = body.slice(0, index) + other + body.slice(index + 1);
          const headers = { ...signWebhook({ id: 'm', timestamp: 5, body, keys: [key] }) };
          const { valid } = verifyWebhook({ headers, body: changed, keys: [key], nowSeconds: 5 });
          expect(valid).toBe(Buffer.from(changed).equals(Buffer.from(body)));
        },
      ),
    );
  });
});

describe('webhook secrets', () => {
  const base64 = (bytes: number) => Buffer.alloc(bytes, 1).toString('base64');

  it.each([
    ['24 bytes', `whsec_${base64(24)}`],
    ['64 bytes', `whsec_${base64(64)}`],
    ['a line end behind it', `whsec_${base64(32)}\n`],
    ['no padding', `whsec_${base64(32).replace(/=/g, '')}`],
  ])('takes %s', (_what, text) => {
    expect(parseWebhookSecret(text)).toMatchObject({ kind: 'key', key: { type: 'hmac' } });
  });

  it.each([
    ['', 'begins with whsec_'],
    [base64(32), 'begins with whsec_'],
    [`whsec_${base64(23)}`, 'this one holds 23'],
    [`whsec_${base64(65)}`, 'this one holds 65'],
    ['whsec_', 'this one holds 0'],
    [`whsec_${base64(32)}!`, 'must be base64'],
    [`whsec_${base64(32).slice(0, -2)}F=`, 'must be base64'], // bits behind the last byte: something was cut
    [`whsec_${base64(33)}A`, 'must be base64'],
    [`whsec_${base64(30)} ${base64(30)}`, 'must be base64'],
    [`whsk_${base64(31)}`, '32 or 64 bytes'],
    [ed25519Secrets().broken, 'does not belong'],
    [`whpk_${base64(33)}`, '32 bytes'],
  ])('says what is wrong, and not what it was: %s', (text, problem) => {
    const parsed = parseWebhookSecret(text);
    expect(parsed).toMatchObject({ kind: 'invalid', problem: expect.stringContaining(problem) });
    if (text.length > 20) expect(JSON.stringify(parsed)).not.toContain(text.slice(6, 20));
  });
});
