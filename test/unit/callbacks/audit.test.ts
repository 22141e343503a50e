import { describe, expect, it } from '@jest/globals';
import { createAudit, createTrustedProxies, type AuditedAnswer } from '../../../src/callbacks/index.ts';
import type { RecordedEvent } from '../../../src/kube/index.ts';

function setUp() {
  let nowMs = 0;
  const timers: { at: number; run: () => void }[] = [];
  const events: RecordedEvent[] = [];
  const audit = createAudit({
    events: { record: (event) => void events.push(event) },
    clock: {
      monotonic: () => nowMs,
      after: (delayMs, run) => {
        timers.push({ at: nowMs + delayMs, run });
        return () => undefined;
      },
    },
  });
  const pass = (ms: number) => {
    nowMs += ms;
    for (const timer of timers.splice(0)) {
      if (timer.at <= nowMs) timer.run();
      else timers.push(timer);
    }
  };
  const tell = (change: Partial<AuditedAnswer> = {}) =>
    audit.answered({
      status: 401,
      reason: 'token-wrong',
      hook: 'complete',
      namespace: 'shop',
      name: 'web',
      uid: 'u',
      evidence: {},
      ...change,
    });
  return { events, pass, tell };
}

describe('createAudit', () => {
  it('tells at once of what was stored, with who proved it how', () => {
    const { events, tell } = setUp();
    const pod = { name: 'web-0', uid: 'p' };
    tell({ status: 200, reason: 'stored', evidence: { proof: 'pod-identity', pod } });
    tell({ status: 200, reason: 'already-stored' });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      type: 'Normal',
      reason: 'SignalAccepted',
      regarding: { kind: 'Application', namespace: 'shop', name: 'web', uid: 'u' },
    });
    expect(events[0]?.note).toContain('pod-identity, pod web-0 (p)');
  });

  it('gathers refusals: one Event of a flood, the next after five minutes with how often since', () => {
    const { events, pass, tell } = setUp();
    for (let i = 0; i < 1_000; i++) tell();
    expect(events).toEqual([]);
    pass(2_000);
    for (let i = 0; i < 500; i++) tell();
    pass(299_000);
    expect(events.map(({ note }) => note)).toEqual([expect.stringContaining('1000 times')]);
    pass(1_000);
    tell();
    pass(2_000);
    expect(events.map(({ note }) => note).at(-1)).toContain('501 times');
  });

  it('tells little of one application and of all together', () => {
    const { events, pass, tell } = setUp();
    const reasons = [
      'token-wrong',
      'token-missing',
      'token-void',
      'token-expired',
      'certificate-missing',
      'certificate-revoked',
      'certificate-expired',
    ] as const;
    for (const reason of reasons) tell({ reason });
    pass(2_000);
    expect(events).toHaveLength(5);
    for (let i = 0; i < 1_000; i++) tell({ uid: `u${i}` });
    pass(2_000);
    expect(events.length).toBeLessThanOrEqual(55);
  });

  it.each([429, 503, 404])('%d is no Event', (status) => {
    const { events, pass, tell } = setUp();
    tell({ status });
    pass(10_000);
    expect(events).toEqual([]);
  });
});

describe('createTrustedProxies', () => {
  const isTrusted = createTrustedProxies(['10.1.0.0/16', '192.0.2.7', 'fd00:1::/32']);
  it.each([
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['10.2.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['fd00:1:5::9', true],
    ['fd00:2::1', false],
    [undefined, false],
  ])('%s: %s', (address, expected) => {
    expect(isTrusted(address)).toBe(expected);
  });
  it('nobody is by default', () => expect(createTrustedProxies([])('127.0.0.1')).toBe(false));
  it.each(['10.0.0.0/33', 'proxy', '10.0.0.0/8/8', '10.0.0.0/', '/8'])('%s is no network', (network) => {
    expect(() => createTrustedProxies([network])).toThrow('callbacks.trustedProxies');
  });
});
