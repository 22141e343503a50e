import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createAudit, type AuditedAnswer } from '../../../src/callbacks/index.ts';
import type { RecordedEvent } from '../../../src/kube/index.ts';
import { createManualClock } from '../kube/manual-clock.ts';

function setUp() {
  const clock = createManualClock();
  const events: RecordedEvent[] = [];
  const audit = createAudit({ events: { record: (event) => void events.push(event) }, clock });
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
  const notes = () => events.map(({ note }) => note);
  /** How many refusals the Events tell of. */
  const told = () =>
    notes().reduce((sum, note) => sum + Number(/refused (?:once|(\d+) times)/.exec(note)?.[1] ?? 1), 0);
  return { audit, clock, events, notes, told, pass: (ms: number) => clock.advance(ms), tell };
}

/** For ten seconds, each time of another application. */
async function flood(refuse: (uid: string, i: number) => void, pass: (ms: number) => Promise<void>) {
  for (let second = 0; second < 10; second++) {
    for (let i = 0; i < 100; i++) refuse(randomUUID(), i);
    await pass(1_000);
  }
}

const FORBIDDEN = { status: 403, reason: 'certificate-of-another' } as const;

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

  it('gathers refusals: one Event of a flood, the next after five minutes with how often since', async () => {
    const { notes, pass, tell } = setUp();
    for (let i = 0; i < 1_000; i++) tell();
    expect(notes()).toEqual([]);
    await pass(2_000);
    for (let i = 0; i < 500; i++) tell();
    await pass(299_000);
    expect(notes()).toEqual([expect.stringContaining('1000 times')]);
    tell();
    await pass(3_000);
    expect(notes()).toHaveLength(2);
    expect(notes()[1]).toContain('501 times');
  });

  it('tells of the rest of a flood that has ended, when its five minutes are over', async () => {
    const { notes, pass, tell, clock } = setUp();
    tell();
    await pass(2_000);
    for (let i = 0; i < 70; i++) tell();
    await pass(310_000);
    expect(notes()).toEqual([expect.stringContaining('once'), expect.stringContaining('70 times')]);
    // Nothing is left to wait for.
    expect(clock.pendingTimers()).toBe(0);
  });

  it('loses none of those that a budget keeps back', async () => {
    const { events, told, pass, tell } = setUp();
    for (let i = 0; i < 300; i++) tell({ uid: `u${i}`, namespace: `n${i % 10}` });
    await pass(4_000);
    expect(events.length).toBeLessThanOrEqual(54);
    await pass(600_000);
    expect(events).toHaveLength(300);
    expect(told()).toBe(300);
  });

  it('tells little of one application and of all together', async () => {
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
    await pass(4_000);
    expect(events).toHaveLength(5);
    for (let i = 0; i < 1_000; i++) tell({ uid: `u${i}`, namespace: `n${i}` });
    await pass(4_000);
    expect(events.length).toBeLessThanOrEqual(60);
  });

  it('tells of a 403 at once, however many wrong tokens there are at however many names', async () => {
    const { notes, pass, tell } = setUp();
    for (const reason of [
      'token-missing',
      'token-wrong',
      'token-void',
      'identity-forged',
      'token-expired',
    ] as const)
      tell({ reason });
    await flood((uid, i) => tell({ uid, namespace: `n${i}` }), pass);
    tell(FORBIDDEN);
    await pass(4_000);
    expect(notes().filter((note) => note.includes('403 certificate-of-another'))).toHaveLength(1);
  });

  it('of other namespaces tells, too, while there is a flood of 403 in one', async () => {
    const { events, pass, tell } = setUp();
    await flood((uid) => tell({ ...FORBIDDEN, uid }), pass);
    tell({ ...FORBIDDEN, uid: 'other', namespace: 'other' });
    await flood((uid) => tell({ ...FORBIDDEN, uid }), pass);
    expect(events.filter(({ regarding }) => regarding.namespace === 'other')).toHaveLength(1);
  });

  it('tells at its end of what it has gathered, and no more after it', async () => {
    const { audit, notes, pass, tell, clock } = setUp();
    tell();
    await pass(2_000);
    tell();
    tell(FORBIDDEN);
    await audit.stop();
    expect(notes().slice(1)).toEqual([
      expect.stringContaining('403'),
      expect.stringContaining('once, the last time with 401'),
    ]);
    expect(clock.pendingTimers()).toBe(0);
  });

  it.each([429, 503, 404])('%d is no Event', async (status) => {
    const { events, pass, tell } = setUp();
    tell({ status });
    await pass(10_000);
    expect(events).toEqual([]);
  });
});
