import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createShutdownCaller, type ReadCaller } from '../../../src/cli/shutdown-caller.ts';
import { verifyWebhook, type OutboundCall } from '../../../src/outbound/index.ts';
import type { CallerCertificate } from '../../../src/pki/index.ts';
import { makeClientChain } from '../pki/client-chains.ts';

const CALL = {
  namespace: 'shop',
  application: 'deployment-web',
  url: 'http://deployment-web.shop.pod:8080/shutdown',
  connectTo: { address: '10.0.0.7', port: 8080 },
  id: 'conversation',
  body: '{}',
  key: Buffer.alloc(32),
  signal: new AbortController().signal,
};

const NOW = Date.UTC(2030, 5, 15, 12);
let controller: CallerCertificate;
beforeAll(async () => {
  const chain = await makeClientChain(NOW);
  controller = await chain.caller();
});

interface Variant {
  readonly key?: Buffer | undefined;
  readonly readCaller?: ReadCaller;
  readonly answerTimeout?: number;
}

async function callWith(variant: Variant): Promise<OutboundCall | undefined> {
  const { answerTimeout = 0, readCaller = () => Promise.resolve(controller) } = variant;
  let made: OutboundCall | undefined;
  const outbound = {
    call: (call: OutboundCall) => {
      made = call;
      const answer = { kind: 'answered', status: 200, headers: {}, body: '', truncated: false } as const;
      return Promise.resolve({ ...answer, durationMs: 1 });
    },
    close: () => Promise.resolve(),
  };
  const ask = createShutdownCaller(outbound, readCaller, { connectTimeout: 3_000, answerTimeout }, () => NOW);
  expect(await ask({ ...CALL, ...('key' in variant && { key: variant.key }) })).toEqual({ accepted: true });
  return made;
}

describe('a call that asks an application to shut down', () => {
  it('takes a place of its application, in its namespace', async () => {
    expect(await callWith({})).toMatchObject({ group: 'shop', member: 'deployment-web' });
  });

  it('waits for the answer until the end of the round, unless a limit is set', async () => {
    const open = { connectTimeoutMs: 3_000, answerTimeoutMs: Infinity, bodyTimeoutMs: Infinity };
    expect(await callWith({})).toMatchObject(open);
    expect(await callWith({ answerTimeout: 60_000 })).toMatchObject({
      answerTimeoutMs: 60_000,
      bodyTimeoutMs: 60_000,
    });
  });

  const nowSeconds = NOW / 1_000;

  it('is signed with the token of the application, and with nothing else', async () => {
    const readCaller = () => Promise.reject(new Error('not needed'));
    const { headers = {}, body = '' } = (await callWith({ readCaller })) ?? {};
    const keys = [{ type: 'hmac', key: CALL.key }] as const;
    expect(verifyWebhook({ headers, body, keys, nowSeconds })).toEqual({ valid: true });
    expect(headers['krake-certificate']).toBeUndefined();
  });

  it('is signed by the controller where the application has no token, with the certificate that says so', async () => {
    const { headers = {}, body = '' } = (await callWith({ key: undefined })) ?? {};
    const shown = new X509Certificate(Buffer.from(headers['krake-certificate'] ?? '', 'base64'));
    expect(shown.fingerprint256).toBe(controller.certificate.fingerprint256);
    const keys = [{ type: 'ed25519', key: shown.publicKey }] as const;
    expect(verifyWebhook({ headers, body, keys, nowSeconds })).toEqual({ valid: true });
    expect(verifyWebhook({ headers, body: '{"a":1}', keys, nowSeconds })).toMatchObject({ valid: false });
  });

  it('is made unsigned, rather than not at all, while there is no certificate', async () => {
    const readCaller = () => Promise.reject(new Error('the signing certificate has expired'));
    const { headers } = (await callWith({ key: undefined, readCaller })) ?? {};
    expect(headers).toEqual({
      'content-type': 'application/json',
      'webhook-id': CALL.id,
      'webhook-timestamp': String(nowSeconds),
    });
  });
});
