import { describe, expect, it } from '@jest/globals';
import { createShutdownCaller } from '../../../src/cli/shutdown-caller.ts';
import type { OutboundCall } from '../../../src/outbound/index.ts';

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

async function callWith(answerTimeout: number): Promise<OutboundCall | undefined> {
  let made: OutboundCall | undefined;
  const outbound = {
    call: (call: OutboundCall) => {
      made = call;
      const answer = { kind: 'answered', status: 200, headers: {}, body: '', truncated: false } as const;
      return Promise.resolve({ ...answer, durationMs: 1 });
    },
    close: () => Promise.resolve(),
  };
  const ask = createShutdownCaller(outbound, { connectTimeout: 3_000, answerTimeout }, () => 0);
  expect(await ask(CALL)).toEqual({ accepted: true });
  return made;
}

describe('a call that asks an application to shut down', () => {
  it('takes a place of its application, in its namespace', async () => {
    expect(await callWith(0)).toMatchObject({ group: 'shop', member: 'deployment-web' });
  });

  it('waits for the answer until the end of the round, unless a limit is set', async () => {
    const open = { connectTimeoutMs: 3_000, answerTimeoutMs: Infinity, bodyTimeoutMs: Infinity };
    expect(await callWith(0)).toMatchObject(open);
    expect(await callWith(60_000)).toMatchObject({ answerTimeoutMs: 60_000, bodyTimeoutMs: 60_000 });
  });
});
