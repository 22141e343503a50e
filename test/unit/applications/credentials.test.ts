import { describe, expect, it } from '@jest/globals';
import type { Step } from '../../../src/applications/application-view.ts';
import { MAX_CERTIFICATES, MAX_FORMER_TOKENS } from '../../../src/applications/application.ts';
import { ANNOTATION_REQUEST } from '../../../src/contract/index.ts';
import {
  CERTIFICATE_MS,
  addPod,
  addWorkload,
  createWorld,
  reconcile,
  removeWorkload,
  signal,
  type Workload,
  type World,
} from './world.ts';

const HOUR_MS = 3_600_000;

function running(change: Partial<Workload> = {}): { readonly world: World; readonly workload: Workload } {
  const world = createWorld();
  world.issuer = 'issuer-1';
  const workload = addWorkload(world, change);
  reconcile(world);
  addPod(world, workload);
  reconcile(world);
  return { world, workload };
}

const names = (steps: readonly Step[]) => steps.map((step) => step.do).filter((name) => name !== 'observe');
const reasons = (steps: readonly Step[]) =>
  steps.flatMap((step) => ('events' in step ? (step.events ?? []).map(({ reason }) => reason) : []));
const statusOf = ({ app }: World) => app?.status ?? {};
const listed = (world: World) => statusOf(world).certificates?.map(({ sha256 }) => sha256) ?? [];
const lastOf = (steps: readonly Step[]) => {
  const last = steps.at(-1);
  if (last?.do !== 'rest') throw new Error('it does not rest');
  return last;
};

function request(world: World, text: string): void {
  if (world.app === undefined) throw new Error('no application');
  const metadata = { ...world.app.metadata, annotations: { [ANNOTATION_REQUEST]: text } };
  world.app = { ...world.app, metadata };
}

describe('the certificate', () => {
  it('comes with the first token, in the same two writes, and the pass rests until it is to be renewed', () => {
    const world = createWorld();
    world.issuer = 'issuer-1';
    addWorkload(world);
    const steps = reconcile(world);
    expect(names(steps)).toEqual(['create', 'issue-token', 'write-status', 'rest']);
    expect(listed(world)).toEqual([world.secret?.certificate?.sha256]);
    expect(lastOf(steps).until).toBe(world.now + (CERTIFICATE_MS * 2) / 3);
  });

  it('is renewed when that time has come; the former one stays until it ends', () => {
    const { world } = running();
    const [first] = listed(world);
    const token = world.secret?.tokenSha256;
    world.now += (CERTIFICATE_MS * 2) / 3;
    const steps = reconcile(world);
    expect(names(steps)).toEqual(['issue-certificate', 'rest']);
    expect(reasons(steps)).toEqual(['CertificateRenewed']);
    expect(listed(world)).toEqual([first, world.secret?.certificate?.sha256]);
    expect(world.secret?.tokenSha256).toBe(token);
    expect(lastOf(reconcile(world)).until).toBe(world.now + CERTIFICATE_MS / 3);
    world.now += CERTIFICATE_MS / 3;
    expect(names(reconcile(world))).toEqual(['write-status', 'rest']);
    expect(listed(world)).toEqual([world.secret?.certificate?.sha256]);
  });

  it.each<[string, (world: World) => void, string]>([
    ['another issuer signs', (world) => void (world.issuer = 'issuer-2'), 'CertificateRenewed'],
    [
      'it was taken out of the Secret',
      ({ secret }) => secret && void (secret.certificate = undefined),
      'CertificateRepaired',
    ],
    [
      'another one is in the Secret',
      ({ secret }) => secret && void (secret.certificate = { sha256: 'x', issuerSha256: 'issuer-1' }),
      'CertificateRepaired',
    ],
  ])('is another one when %s', (_what, change, reason) => {
    const { world } = running();
    const [first] = listed(world);
    change(world);
    const steps = reconcile(world);
    expect(names(steps)).toEqual(['issue-certificate', 'rest']);
    expect(reasons(steps)).toEqual([reason]);
    expect(listed(world)).toEqual([first, world.secret?.certificate?.sha256]);
  });

  it('is added to an application of an earlier version', () => {
    const world = createWorld();
    addWorkload(world);
    reconcile(world);
    expect(world.secret?.certificate).toBeUndefined();
    world.issuer = 'issuer-1';
    expect(reasons(reconcile(world))).toEqual(['CertificateIssued']);
    expect(listed(world)).toEqual([world.secret?.certificate?.sha256]);
  });

  it('that pods have now is kept, however often the controller dies after it has listed another', () => {
    const { world } = running();
    const inUse = world.secret?.certificate?.sha256;
    world.issuer = 'issuer-2';
    for (let times = 0; times < 6; times++) {
      reconcile(world, { inToken: true });
      expect(listed(world)).toContain(inUse);
      expect(listed(world).length).toBeLessThanOrEqual(MAX_CERTIFICATES);
    }
    const steps = reconcile(world);
    expect(reasons(steps)).toEqual(['CertificateRenewed']);
    expect(listed(world).at(-1)).toBe(world.secret?.certificate?.sha256);
  });

  it('is revoked with a new life, and when the hooks go', () => {
    const { world, workload } = running();
    const [first] = listed(world);
    removeWorkload(world, workload.uid);
    const next = addWorkload(world);
    reconcile(world);
    expect(listed(world)).not.toContain(first);
    expect(listed(world)).toHaveLength(1);
    next.hooks = [];
    reconcile(world, { crashAfter: 3 });
    expect(statusOf(world)).not.toHaveProperty('certificates');
    expect(statusOf(world)).not.toHaveProperty('tokenSha256');
  });
});

describe('rotate', () => {
  it('replaces both, and what was before is void; it happens once, and the request is forgotten', () => {
    const { world } = running();
    const before = { token: statusOf(world).tokenSha256, certificates: listed(world) };
    request(world, 'rotate');
    const steps = reconcile(world);
    expect(names(steps)).toEqual(['issue-token', 'drop-request', 'write-status', 'write-status', 'rest']);
    expect(reasons(steps)).toEqual(['TokenRotated']);
    expect(statusOf(world).tokenSha256).not.toBe(before.token);
    expect(statusOf(world).tokenSha256).toBe(world.secret?.tokenSha256);
    expect(statusOf(world)).not.toHaveProperty('formerTokens');
    expect(listed(world)).toEqual([world.secret?.certificate?.sha256]);
    expect(listed(world)).not.toEqual(before.certificates);
    expect(statusOf(world)).not.toHaveProperty('handledRotation');
    expect(names(reconcile(world))).toEqual(['rest']);
  });

  it('with a time of grace keeps both for that long, and tells pods by when to restart', () => {
    const { world } = running();
    const token = statusOf(world).tokenSha256;
    const [first] = listed(world);
    world.now += 10_000;
    const validUntil = new Date(world.now + HOUR_MS).toISOString();
    request(world, 'rotate:1h');
    const steps = reconcile(world);
    expect(statusOf(world).formerTokens).toEqual([{ sha256: token, validUntil }]);
    expect(statusOf(world).certificates?.[0]).toMatchObject({ sha256: first, notAfter: validUntil });
    expect(listed(world)).toHaveLength(2);
    const pods = statusOf(world).conditions?.find(({ type }) => type === 'PodsInjected');
    expect(pods).toMatchObject({ status: 'False', reason: 'TokenRenewed' });
    expect(pods?.message).toContain(`taken until ${validUntil}`);
    expect(lastOf(steps).until).toBeLessThanOrEqual(world.now + HOUR_MS);
    world.now += HOUR_MS;
    reconcile(world);
    expect(statusOf(world)).not.toHaveProperty('formerTokens');
    expect(listed(world)).toHaveLength(1);
  });

  it('again and again keeps no more former tokens than there is room for', () => {
    const { world } = running();
    const held: (string | undefined)[] = [];
    for (let times = 0; times < 7; times++) {
      held.push(statusOf(world).tokenSha256);
      request(world, 'rotate:1h');
      reconcile(world);
      world.now += 1_000;
    }
    expect(statusOf(world).formerTokens?.map(({ sha256 }) => sha256)).toEqual(held.slice(-MAX_FORMER_TOKENS));
  });

  it.each([
    ['rotate', 0],
    ['rotate:1h', 1],
  ])('%s, interrupted at any point, is carried out once and called no repair', (text, formerTokens) => {
    for (let crashAfter = 0; crashAfter < 9; crashAfter++) {
      for (const inToken of [true, false]) {
        const { world } = running();
        const token = statusOf(world).tokenSha256;
        request(world, text);
        reconcile(world, { crashAfter, inToken });
        const steps = reconcile(world);
        expect(reasons(steps)).not.toContain('SecretRepaired');
        expect(statusOf(world).tokenSha256).toBe(world.secret?.tokenSha256);
        expect(statusOf(world).tokenSha256).not.toBe(token);
        expect(statusOf(world).formerTokens?.map(({ sha256 }) => sha256) ?? []).toEqual(
          formerTokens === 0 ? [] : [token],
        );
        expect(listed(world).at(-1)).toBe(world.secret?.certificate?.sha256);
        expect(world.app?.metadata.annotations).toEqual({});
        expect(names(reconcile(world))).toEqual(['rest']);
      }
    }
  });

  it.each([
    ['rotate:soon', 'token', 'RequestRefused'],
    ['rotate', 'pod-identity', 'RequestRefused'],
    ['release', 'token', 'RequestRefused'],
  ] as const)('answers %s of an application with a %s', (text, auth, reason) => {
    const { world } = running({ auth });
    const token = statusOf(world).tokenSha256;
    request(world, text);
    expect(reasons(reconcile(world))).toEqual([reason]);
    expect(statusOf(world).tokenSha256).toBe(token);
    expect(world.app?.metadata.annotations).toEqual({});
    expect(names(reconcile(world))).toEqual(['rest']);
  });

  it('after the end voids the token that was kept, and makes no other', () => {
    const { world, workload } = running();
    signal(world, world.secret?.tokenSha256);
    reconcile(world);
    removeWorkload(world, workload.uid);
    reconcile(world);
    expect(world.secret).toBeUndefined();
    expect(statusOf(world).tokenSha256).toBeDefined();
    request(world, 'rotate');
    expect(reasons(reconcile(world))).toEqual(['TokenRevoked']);
    expect(statusOf(world)).not.toHaveProperty('tokenSha256');
    expect(statusOf(world)).not.toHaveProperty('certificates');
    expect(world.secret).toBeUndefined();
  });

  it('happens by age when that is configured, not before, and for all of one age not at once', () => {
    const due = new Set<number | undefined>();
    for (let index = 0; index < 5; index++) {
      const { world } = running();
      world.counter += index;
      world.tokens = { lifetimeMs: HOUR_MS, graceMs: 60_000 };
      request(world, 'rotate');
      const steps = reconcile(world);
      due.add(lastOf(steps).until);
      const token = statusOf(world).tokenSha256;
      world.now += HOUR_MS * 0.9 - 1;
      reconcile(world);
      expect(statusOf(world).tokenSha256).toBe(token);
      world.now += HOUR_MS * 0.1 + 1;
      expect(reasons(reconcile(world))).toEqual(['TokenRotated']);
      expect(statusOf(world).formerTokens?.map(({ sha256 }) => sha256)).toEqual([token]);
    }
    expect(due.size).toBeGreaterThan(1);
  });

  it('without an age never happens by itself', () => {
    const { world } = running();
    world.issuer = undefined;
    world.now += 10_000 * HOUR_MS;
    expect(reasons(reconcile(world))).toEqual([]);
  });
});

describe('a Secret that is lost', () => {
  it('voids the token and the certificates of before', () => {
    const { world } = running();
    const before = listed(world);
    world.secret = undefined;
    expect(reasons(reconcile(world))).toEqual(['SecretRepaired']);
    expect(listed(world)).toHaveLength(1);
    expect(listed(world)).not.toEqual(before);
  });
});

describe('auth', () => {
  it('pod-identity: what there was is void first, then taken out; pods that run are told of', () => {
    const { world, workload } = running();
    world.now += 10_000;
    workload.auth = 'pod-identity';
    const steps = reconcile(world);
    expect(names(steps)).toEqual(['update-spec', 'write-status', 'write-secret', 'write-status', 'rest']);
    expect(reasons(steps)).toContain('TokenRevoked');
    expect(world.secret).toMatchObject({ tokenSha256: undefined, certificate: undefined });
    expect(statusOf(world)).not.toHaveProperty('tokenSha256');
    expect(statusOf(world)).not.toHaveProperty('certificates');
    expect(statusOf(world).tokenRenewedAt).toBeDefined();
    expect(statusOf(world).phase).toBe('Running');
    expect(names(reconcile(world))).toEqual(['rest']);
  });

  it('back to token: both come back, and signals stay', () => {
    const { world, workload } = running({ auth: 'pod-identity' });
    expect(world.secret?.tokenSha256).toBeUndefined();
    expect(names(reconcile(world))).toEqual(['rest']);
    const word = { receivedAt: '2026-01-01T00:00:00.000Z', provenBy: 'pod-identity' as const };
    const signals = { completeFrom: { p1: word } };
    world.app = world.app && { ...world.app, status: { ...world.app.status, signals } };
    workload.auth = 'token';
    expect(reasons(reconcile(world))).toContain('HooksEnabled');
    expect(statusOf(world).tokenSha256).toBe(world.secret?.tokenSha256);
    expect(statusOf(world).tokenSha256).toBeDefined();
    expect(statusOf(world).signals).toEqual(signals);
  });

  it('of a group that does not agree is the token, and that is told', () => {
    const world = createWorld();
    addWorkload(world, { name: 'a', auth: 'token' });
    addWorkload(world, { name: 'b', auth: 'pod-identity', completeWhen: 'all' });
    expect(reasons(reconcile(world))).toContain('AuthsDiffer');
    expect(world.app?.spec).toMatchObject({ auth: 'token', completeWhen: 'any' });
  });
});
