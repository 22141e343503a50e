import { describe, expect, it } from '@jest/globals';
import type { Step } from '../../../src/applications/application-view.ts';
import { CERTIFICATE_MS, addPod, addWorkload, createWorld, reconcile, type World } from './world.ts';

const names = (steps: readonly Step[]) => steps.map((step) => step.do).filter((name) => name !== 'observe');
const reasons = (steps: readonly Step[]) =>
  steps.flatMap((step) => ('events' in step ? (step.events ?? []).map(({ reason }) => reason) : []));
const statusOf = ({ app }: World) => app?.status ?? {};
const listed = (world: World) => statusOf(world).certificates?.map(({ sha256 }) => sha256) ?? [];
const certified = (world: World) => statusOf(world).conditions?.find(({ type }) => type === 'Certified');

describe('when what signs comes to its end', () => {
  it.each<[string, number, number]>([
    ['in three lives', 3 * CERTIFICATE_MS, 4],
    ['within the first life', CERTIFICATE_MS / 2, 1],
    ['a minute short of the end of the first', CERTIFICATE_MS + 59_000, 1],
    ['a minute after it', CERTIFICATE_MS + 60_000, 2],
  ])('certificates are not renewed faster and faster: it ends %s', (_what, endsInMs, expected) => {
    const world = createWorld();
    Object.assign(world, { issuer: 'issuer-1', issuerNotAfter: world.now + endsInMs });
    const end = world.now + endsInMs;
    addWorkload(world);
    const seen = new Set<string | undefined>();
    for (let passes = 0; passes < 100 && world.now < end; passes++) {
      const last = reconcile(world).at(-1);
      const { until = end } = last?.do === 'rest' ? last : {};
      seen.add(world.secret?.certificate?.sha256);
      expect(until).toBeGreaterThan(world.now);
      // What is there is good for as long as it can be.
      expect(statusOf(world).certificates?.some(({ notAfter }) => Date.parse(notAfter) > world.now)).toBe(
        true,
      );
      world.now = Math.min(until, end);
      if (end - world.now < 60_000) break;
    }
    expect(end - world.now).toBeLessThan(60_000);
    expect(seen.size).toBe(expected);
  });

  it('certificates of seconds are renewed by an issuer of a minute', () => {
    const world = createWorld();
    Object.assign(world, { issuer: 'issuer-1', issuerNotAfter: world.now + 60_000, lifeMs: 4_000 });
    addWorkload(world);
    reconcile(world);
    const [first] = listed(world);
    world.now += 3_000;
    expect(reasons(reconcile(world))).toEqual(['CertificateRenewed']);
    expect(listed(world)).toEqual([first, world.secret?.certificate?.sha256]);
  });

  it('everything else goes on without a certificate, with a condition and one Event; its successor mends it', () => {
    const world = createWorld();
    world.issuer = 'issuer-1';
    const workload = addWorkload(world);
    reconcile(world);
    addPod(world, workload);
    reconcile(world);
    workload.stamped = false;
    world.issuerNotAfter = world.now + CERTIFICATE_MS;
    world.now = world.issuerNotAfter + 1_000;
    const steps = reconcile(world);
    expect(names(steps)).toEqual(['repair-stamp', 'write-status', 'write-status', 'rest']);
    expect(reasons(steps)).toEqual(['StampRepaired', 'SigningCertificateEnded']);
    expect(certified(world)).toMatchObject({ status: 'False', reason: 'SigningCertificateEnded' });
    expect(certified(world)?.message).toContain(new Date(world.issuerNotAfter).toISOString());
    expect(statusOf(world).phase).toBe('Running');
    expect(listed(world)).toEqual([]);
    expect(names(reconcile(world))).toEqual(['rest']);

    Object.assign(world, { issuer: 'issuer-2', issuerNotAfter: world.now + 9 * CERTIFICATE_MS });
    expect(names(reconcile(world))).toEqual(['issue-certificate', 'write-status', 'rest']);
    expect(certified(world)).toBeUndefined();
    expect(listed(world)).toEqual([world.secret?.certificate?.sha256]);
  });

  it('an application that begins then has its token, and gets the certificate later', () => {
    const world = createWorld();
    Object.assign(world, { issuer: 'issuer-1', issuerNotAfter: world.now });
    addWorkload(world);
    const steps = reconcile(world);
    expect(names(steps)).toEqual(['create', 'issue-token', 'write-status', 'rest']);
    expect(statusOf(world).tokenSha256).toBe(world.secret?.tokenSha256);
    expect(certified(world)?.status).toBe('False');
    world.issuerNotAfter = world.now + 9 * CERTIFICATE_MS;
    expect(reasons(reconcile(world))).toEqual(['CertificateIssued']);
    expect(certified(world)).toBeUndefined();
  });
});
