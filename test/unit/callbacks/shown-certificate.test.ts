import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { CertificateVerdict } from '../../../src/callbacks/index.ts';
import { createShownCertificate } from '../../../src/callbacks/shown-certificate.ts';
import { HOUR, IDENTITY, makeClientChain } from '../pki/client-chains.ts';

const NOW = Date.UTC(2030, 5, 15, 12);
const verified: CertificateVerdict = { ok: true, identity: IDENTITY };
const refused = (reason: Extract<CertificateVerdict, { ok: false }>['reason']): CertificateVerdict => ({
  ok: false,
  reason,
});

let certificate: X509Certificate;
beforeAll(async () => {
  const issued = await (await makeClientChain(NOW)).issue();
  certificate = new X509Certificate(issued.certPem);
});

/** Requests of one connection that stays open, and a trust that judges by the clock; what it says is for the test to choose. */
function setUp() {
  const clock = { now: NOW };
  const state: { verdict: CertificateVerdict; judged: number; changed: () => void } = {
    verdict: verified,
    judged: 0,
    changed: () => undefined,
  };
  const read = createShownCertificate(
    {
      ready: () => true,
      verify: () => {
        state.judged++;
        return state.verdict;
      },
      onChange: (listener) => {
        state.changed = listener;
        return () => undefined;
      },
    },
    { isTrustedProxy: () => false, forwardedHeader: 'ssl-client-cert', now: () => clock.now },
  );
  const socket = Object.create(TLSSocket.prototype, {
    getPeerX509Certificate: { value: () => certificate },
    remoteAddress: { value: '10.0.0.1' },
  }) as TLSSocket;
  const request = { socket, headers: {} } as unknown as IncomingMessage;
  const ask = (): string => {
    const shown = read(request);
    return shown.kind === 'refused' ? shown.reason : shown.kind;
  };
  return { ask, clock, state };
}

describe('the certificate of a connection that is kept', () => {
  it('is judged once, and again when others may sign', () => {
    const { ask, state } = setUp();
    expect([ask(), ask(), ask()]).toEqual(['verified', 'verified', 'verified']);
    expect(state.judged).toBe(1);
    state.verdict = refused('unknown-issuer');
    state.changed();
    expect([ask(), ask()]).toEqual(['unknown-issuer', 'unknown-issuer']);
    expect(state.judged).toBe(2);
  });

  it('that was not yet valid is taken once it is', () => {
    const { ask, clock, state } = setUp();
    clock.now = certificate.validFromDate.getTime() - 1;
    state.verdict = refused('not-yet-valid');
    expect(ask()).toBe('not-yet-valid');
    clock.now += 1;
    state.verdict = verified;
    expect([ask(), ask()]).toEqual(['verified', 'verified']);
    expect(state.judged).toBe(2);
  });

  it('is no longer taken when its time is over, and is again when a clock that was wrong is put right', () => {
    const { ask, clock, state } = setUp();
    expect(ask()).toBe('verified');
    clock.now = certificate.validToDate.getTime();
    state.verdict = refused('expired');
    expect(ask()).toBe('expired');
    clock.now = NOW + HOUR;
    state.verdict = verified;
    expect(ask()).toBe('verified');
  });
});
