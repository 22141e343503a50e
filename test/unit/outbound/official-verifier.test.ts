import { randomBytes } from 'node:crypto';
import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { parseWebhookSecret, signWebhook, type SigningKey } from '../../../src/outbound/index.ts';
import { verifyOfficially, type Signed } from '../../tools/official-verifier.ts';
import { ensurePythonTools } from '../../tools/python-tools.ts';

// What we sign is not only what we ourselves accept.

// Python starts and reads its packages.
jest.setTimeout(120_000);

const tools = await ensurePythonTools();
const timestamp = Math.floor(Date.now() / 1_000);
const id = 'jd-305a1e8b1e91a7db9e5457cbb224a7c23cbf2014';

function keyOf(secret: string): SigningKey {
  const parsed = parseWebhookSecret(secret);
  if (parsed.kind !== 'key') throw new Error(parsed.problem);
  return parsed.key;
}
const newSecret = (bytes: number) => `whsec_${randomBytes(bytes).toString('base64')}`;

(tools === undefined ? describe.skip : describe)(
  'the official verifier (skipped where it cannot be installed)',
  () => {
    it('accepts each of our signatures, whatever the body and the length of the key', async () => {
      const bodies = fc.sample(fc.oneof(fc.json(), fc.string({ unit: 'grapheme' }), fc.constant('')), 200);
      const requests = bodies.map((body, n): Signed => {
        const secret = newSecret(24 + (n % 41));
        return { secret, body, headers: { ...signWebhook({ id, timestamp, body, keys: [keyOf(secret)] }) } };
      });
      expect(new Set(await verifyOfficially(tools, requests))).toEqual(new Set(['ok']));
    });

    it('accepts the old key and the new one while they are exchanged, beside one of another kind', async () => {
      const [before, after] = [newSecret(32), newSecret(32)];
      const ed25519 = keyOf(`whsk_${randomBytes(32).toString('base64')}`);
      const body = '{"a":1}';
      const headers = {
        ...signWebhook({ id, timestamp, body, keys: [ed25519, keyOf(after), keyOf(before)] }),
      };
      const verdicts = await verifyOfficially(
        tools,
        [before, after].map((secret) => ({ secret, headers, body })),
      );
      expect(verdicts).toEqual(['ok', 'ok']);
    });

    it('refuses what was changed on the way, is signed by somebody else, or is old', async () => {
      const secret = newSecret(32);
      const body = '{"a":1}';
      const sign = (at: number) => ({ ...signWebhook({ id, timestamp: at, body, keys: [keyOf(secret)] }) });
      const headers = sign(timestamp);
      const verdicts = await verifyOfficially(tools, [
        { secret, headers, body: '{"a":2}' },
        { secret, headers: { ...headers, 'webhook-id': 'jd-0' }, body },
        { secret, headers: { ...headers, 'webhook-timestamp': String(timestamp - 1) }, body },
        { secret: newSecret(32), headers, body },
        { secret, headers: sign(timestamp - 3_600), body },
      ]);
      expect(verdicts).not.toContain('ok');
      expect(verdicts).toHaveLength(5);
    });
  },
);
