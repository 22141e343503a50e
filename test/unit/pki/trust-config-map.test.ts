import { beforeAll, describe, expect, it } from '@jest/globals';
import { parseCertificates } from '../../../src/pki/certificate.ts';
import {
  buildTrustConfigMap,
  mergeTrust,
  parseTrust,
  trustPem,
  type TrustedCertificate,
  type WantedTrust,
} from '../../../src/pki/clients/trust-config-map.ts';
import { HOUR, makeClientChain, type ClientChain } from './client-chains.ts';

const now = Date.UTC(2030, 0, 1);
const HOLD = 24 * HOUR;
let old: ClientChain;
let young: ClientChain;
beforeAll(async () => {
  old = await makeClientChain(now - 10 * HOUR, 2_000 * HOUR);
  young = await makeClientChain(now, 2_000 * HOUR);
});

const wanted = (chain: ClientChain, trustUntil?: number): WantedTrust => ({
  chain: parseCertificates(chain.intermediate + chain.ca),
  trustUntil,
});
const merge = (known: readonly TrustedCertificate[], wants: readonly WantedTrust[], at = now) =>
  mergeTrust(known, wants, at, HOLD);
const write = (trusted: readonly TrustedCertificate[]) =>
  buildTrustConfigMap(undefined, 'krake-hooks-client-ca', 'krake-system', trusted) ?? { metadata: {} };

describe('what applications’ certificates are known by', () => {
  it('is read as it was written, the youngest first', () => {
    const trusted = merge([], [wanted(old), wanted(young)]);
    expect(trusted.map(({ signs }) => signs).sort()).toEqual([false, false, true, true]);
    expect(trustPem(trusted.slice(0, 2))).toContain(young.intermediate);
    const configMap = write(trusted);
    expect(trustPem(parseTrust(configMap))).toBe(trustPem(trusted));
    expect(parseTrust(configMap).map(({ trustUntil }) => trustUntil)).toEqual(
      trusted.map((t) => t.trustUntil),
    );
    expect(buildTrustConfigMap(configMap, 'n', 'ns', trusted)).toBeUndefined();
    expect(JSON.stringify(configMap)).not.toContain('PRIVATE');
  });

  it('does not depend on the order in which it was wanted', () => {
    const one = merge([], [wanted(old), wanted(young)]);
    const two = merge(merge([], [wanted(young)]), [wanted(old)]);
    expect(trustPem(two)).toBe(trustPem(one));
  });

  it('keeps what somebody else wanted, until its time is over, and not a moment longer', () => {
    const before = merge([], [wanted(old)]);
    const until = before[0]?.trustUntil ?? 0;
    expect(until).toBe(now + 1.5 * HOLD);
    expect(merge(before, [wanted(young)], until - 1)).toHaveLength(4);
    expect(merge(before, [wanted(young)], until)).toHaveLength(2);
  });

  it('is written seldom: what is in use is prolonged only when it has to be', () => {
    let trusted = merge([], [wanted(old)]);
    let writes = 0;
    for (let hour = 1; hour <= 240; hour++) {
      const at = now + hour * HOUR;
      const next = merge(trusted, [wanted(old)], at);
      if (next[0]?.trustUntil !== trusted[0]?.trustUntil) writes++;
      trusted = next;
      for (const { trustUntil } of trusted) expect(trustUntil).toBeGreaterThanOrEqual(at + HOLD);
    }
    expect(writes).toBeLessThanOrEqual(20);
  });

  it('ends when it is said to, also earlier than it was thought; what the two share stays', () => {
    const trusted = merge([], [wanted(old), wanted(young)]);
    const ended = merge(trusted, [wanted(old, now + HOUR), wanted(young)], now);
    expect(ended.filter(({ trustUntil }) => trustUntil === now + HOUR)).toHaveLength(2);
    const [ca] = parseCertificates(old.ca);
    const [intermediate] = parseCertificates(young.intermediate);
    if (ca === undefined || intermediate === undefined) throw new Error('no chain');
    const sharing = { chain: [intermediate, ca], trustUntil: undefined };
    const shared = merge(trusted, [wanted(old, now + HOUR), sharing], now);
    const again = merge(shared, [wanted(old, now + HOUR), sharing], now + 1);
    expect(again.map((t) => t.trustUntil)).toEqual(shared.map((t) => t.trustUntil)); // nothing to write
    expect(
      shared.find(({ certificate }) => certificate.fingerprint256 === ca.fingerprint256)?.trustUntil,
    ).toBe(now + 1.5 * HOLD);
  });

  it.each([
    [
      'a certificate that nobody wanted',
      (pem: string, state: string) => ({ 'ca.crt': pem + young.ca, 'state.json': state }),
    ],
    ['damaged text', (_pem: string, state: string) => ({ 'ca.crt': 'nonsense', 'state.json': state })],
    ['a damaged state', (pem: string) => ({ 'ca.crt': pem, 'state.json': '{' })],
    ['nothing', () => ({})],
  ])('is put right when it holds %s', (_what, damage) => {
    const good = write(merge([], [wanted(old)]));
    const data = damage(good.data?.['ca.crt'] ?? '', good.data?.['state.json'] ?? '');
    const configMap = { metadata: { resourceVersion: '7', labels: { team: 'a' } }, data };
    const repaired = buildTrustConfigMap(configMap, 'n', 'ns', merge(parseTrust(configMap), [wanted(old)]));
    expect(repaired?.data?.['ca.crt']).toBe(good.data?.['ca.crt']);
    expect(repaired?.metadata).toEqual({ resourceVersion: '7', labels: { team: 'a' } });
  });
});
