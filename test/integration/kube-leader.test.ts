import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createKubeClient,
  createLeaderElector,
  type FullKubeClient,
  type KubeObject,
  type LeaderElector,
} from '../../src/kube/index.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { createRecordingLogger } from '../unit/kube/recording-logger.ts';
import { startCuttableProxy, type CuttableProxy } from './cuttable-proxy.ts';
import { LEASE, SHORT_LEASE } from './kube-leader-lease.ts';

const LEASES = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' } as const;
const USER_AGENT = 'krake-hooks-test/1';

interface Lease extends KubeObject {
  readonly spec: {
    readonly holderIdentity: string;
    readonly leaseTransitions: number;
    readonly renewTime: string;
  };
}

interface Candidate {
  readonly identity: string;
  readonly elector: LeaderElector;
  readonly proxy: CuttableProxy;
}

let controlPlane: ControlPlane;
let direct: FullKubeClient;
let directory: string;
let candidates: Candidate[] = [];
let children: ChildProcess[] = [];
/** From when to when each led, on one clock. */
let reigns: { readonly identity: string; readonly from: number; until: number }[] = [];

beforeAll(async () => {
  controlPlane = await startControlPlane();
  direct = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: USER_AGENT });
  directory = await mkdtemp(join(tmpdir(), 'krake-hooks-sa-'));
  await writeFile(join(directory, 'token'), controlPlane.adminToken);
  await writeFile(join(directory, 'ca.crt'), controlPlane.caPem);
}, 600_000);

afterAll(async () => {
  await controlPlane.stop();
  await rm(directory, { recursive: true, force: true });
}, 60_000);

const readLease = () =>
  direct.get<Lease>({ resource: LEASES, namespace: LEASE.namespace, name: LEASE.leaseName });

beforeEach(async () => {
  reigns = [];
  const old = await readLease();
  if (old === undefined) return;
  const ref = { resource: LEASES, namespace: LEASE.namespace, name: LEASE.leaseName };
  await direct.delete(ref, { uid: old.metadata.uid ?? '' });
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  for (const { elector, proxy } of candidates) {
    proxy.open();
    await elector.stop();
    await proxy.stop();
  }
  candidates = [];
}, 60_000);

/** A candidate with a connection of its own. Its work lasts until it is told to end, and then `workEndsAfterMs` more. */
async function startCandidate(
  identity: string,
  {
    workEndsAfterMs = 0,
    lease = LEASE,
  }: { workEndsAfterMs?: number; lease?: typeof LEASE | typeof SHORT_LEASE } = {},
): Promise<Candidate> {
  const proxy = await startCuttableProxy(controlPlane.url);
  const elector = createLeaderElector({
    ...lease,
    client: createKubeClient({
      serviceAccountDirectory: directory,
      inClusterUrl: proxy.url,
      userAgent: USER_AGENT,
    }),
    identity,
    logger: createRecordingLogger(),
    onStartedLeading: async (signal) => {
      const reign = { identity, from: performance.now(), until: Number.POSITIVE_INFINITY };
      reigns.push(reign);
      await once(signal, 'abort');
      if (workEndsAfterMs > 0) await new Promise((resolve) => setTimeout(resolve, workEndsAfterMs));
      reign.until = performance.now();
    },
  });
  await elector.start(new AbortController().signal);
  const candidate = { identity, elector, proxy };
  candidates.push(candidate);
  return candidate;
}

const leader = (): Promise<Candidate> =>
  waitFor('a leader', () => candidates.find(({ elector }) => elector.isLeader()), { intervalMs: 20 });
const led = (identity: string): Promise<true> =>
  waitFor(`${identity} to lead`, () => (reigns.some((r) => r.identity === identity) ? true : undefined), {
    intervalMs: 20,
  });

/** No reign begins before the one before it has ended. */
function expectNeverTwo(): void {
  const inOrder = [...reigns].sort((a, b) => a.from - b.from);
  for (const [index, reign] of inOrder.entries()) {
    const next = inOrder[index + 1];
    if (next !== undefined) expect(reign.until).toBeLessThan(next.from);
  }
}

describe('leader election', () => {
  it('gives one leader, whose Lease outlives its duration by renewal', async () => {
    await startCandidate('one');
    await startCandidate('two');
    await startCandidate('three');
    const first = await leader();
    await new Promise((resolve) => setTimeout(resolve, LEASE.leaseDurationMs + 500));
    expect(reigns.map(({ identity }) => identity)).toEqual([first.identity]);
    expect(first.elector.isLeader()).toBe(true);
    expect((await readLease())?.spec).toMatchObject({ holderIdentity: first.identity, leaseTransitions: 0 });
  }, 300_000);

  it('hands over as soon as the leader has stopped, and not before its work has ended', async () => {
    // Longer than the lease: it is renewed until the work has ended. But stop() does not wait for longer than renewDeadline.
    const workEndsAfterMs = LEASE.leaseDurationMs + 5_000;
    const first = await startCandidate('one', { workEndsAfterMs });
    await led('one');
    await startCandidate('two');
    await first.elector.stop();
    expect(reigns).toMatchObject([{ identity: 'one', until: Number.POSITIVE_INFINITY }]);
    await led('two');
    // It was given free: nobody has waited for its end.
    expect((reigns[1]?.from ?? Infinity) - (reigns[0]?.until ?? 0)).toBeLessThan(
      LEASE.leaseDurationMs - 1_000,
    );
    expectNeverTwo();
    expect((await readLease())?.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
  }, 300_000);

  it('ends a leader that is cut off before another leads, and lets it campaign again', async () => {
    const first = await startCandidate('one');
    await led('one');
    const second = await startCandidate('two');
    first.proxy.freeze();
    await led('two');
    expectNeverTwo();
    first.proxy.cut();
    first.proxy.open();
    await second.elector.stop();
    await waitFor('the first to lead again', () => (first.elector.isLeader() ? true : undefined));
    expectNeverTwo();
    expect(reigns.map(({ identity }) => identity)).toEqual(['one', 'two', 'one']);
  }, 300_000);

  it('never gives two leaders while connections break all the time', async () => {
    for (const identity of ['one', 'two', 'three']) await startCandidate(identity, { lease: SHORT_LEASE });
    let step = 0;
    const meddling = setInterval(() => {
      const victim = candidates.find(({ elector }) => elector.isLeader()) ?? candidates[step % 3];
      if (step % 5 === 0) victim?.proxy.refuse();
      if (step % 5 === 1) candidates[step % 3]?.proxy.cut();
      if (step % 5 === 4) for (const { proxy } of candidates) proxy.open();
      step += 1;
    }, 1_000);
    const endAt = performance.now() + 20_000;
    await waitFor('leaders to have changed', () =>
      performance.now() > endAt && reigns.length > 2 ? true : undefined,
    );
    clearInterval(meddling);
    for (const { proxy } of candidates) proxy.open();
    await leader();
    expect(reigns.length).toBeGreaterThan(2);
    expectNeverTwo();
  }, 300_000);

  it('replaces a leader whose process was killed', async () => {
    const program = join(import.meta.dirname, 'kube-leader-process.ts');
    const child = spawn(process.execPath, [program, controlPlane.kubeconfig, 'killed'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await once(child.stdout, 'data');
    expect((await readLease())?.spec.holderIdentity).toBe('killed');
    await startCandidate('standby');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(reigns).toEqual([]);
    const { renewTime = '' } = (await readLease())?.spec ?? {};
    child.kill('SIGKILL');
    await led('standby');
    // Not at once: only when the lease has run out.
    const ledAt = performance.timeOrigin + (reigns[0]?.from ?? 0);
    expect(ledAt - Date.parse(renewTime)).toBeGreaterThanOrEqual(LEASE.leaseDurationMs - 100);
  }, 300_000);

  it('steps down while the API server is away and leads again afterwards', async () => {
    if (!controlPlane.capabilities.restart)
      throw new Error('this test needs a control plane that it may restart');
    const only = await startCandidate('one', { lease: SHORT_LEASE });
    await led('one');
    await controlPlane.killApiserver();
    await waitFor('the loss of leadership', () => (only.elector.isLeader() ? undefined : true));
    await controlPlane.startApiserver();
    await waitFor('the leadership again', () => (only.elector.isLeader() ? true : undefined));
    expectNeverTwo();
    expect(reigns.length).toBeGreaterThanOrEqual(2);
  }, 300_000);
});
