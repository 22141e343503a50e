import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { isHolding, type Application } from '../../src/applications/index.ts';
import { ANNOTATION_REQUEST, WORKLOAD_KINDS } from '../../src/contract/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { NAMESPACE, startApplicationsSetting, type ApplicationsSetting } from './applications-setting.ts';

// The commands as processes of their own, against the real controller on a real API server. Pods run as far as their status says so; what
// the gate stores is stored here by hand.

jest.setTimeout(300_000);
const SOON = { timeoutMs: 60_000, intervalMs: 50 };
const main = join(import.meta.dirname, '../../src/cli/main.ts');
let setting: ApplicationsSetting;
beforeAll(async () => {
  setting = await startApplicationsSetting();
  // Every call is accepted, so only a person makes another attempt.
  await setting.admin.create({ apiVersion: 'v1', plural: 'services' }, NAMESPACE, {
    metadata: { name: 'shutdown' },
    spec: { selector: { app: 'again' }, ports: [{ port: 80 }] },
  });
  await setting.replica();
}, 600_000);
afterAll(() => setting.stop(), 60_000);

interface Ended {
  readonly code: number | string | null | undefined;
  readonly out: string;
  readonly err: string;
}

const krakeHooks = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const flags = ['-n', NAMESPACE, '--kubeconfig', setting.controlPlane.kubeconfig];
    execFile(process.execPath, [main, ...args, ...flags], (error, out, err) => {
      resolve({ code: error === null ? 0 : error.code, out, err });
    });
  });

const held = (app: Application) => (app.status?.shutdown?.conversations ?? []).filter(isHolding);

/** A Deployment with a running pod, and its Application. */
async function start(name: string, annotations: Readonly<Record<string, string>> = {}): Promise<KubeObject> {
  await setting.createWorkload('Deployment', name, { hooks: 'shutdown', annotations });
  const pod = await setting.runningPod(`deployment-${name}`);
  await setting.applicationThat(`deployment-${name}`, 'runs', ({ status }) => status?.phase === 'Running');
  return pod;
}

/** Somebody evicts the pod: stored as the gate stores it. */
async function evict(name: string, pod: KubeObject): Promise<void> {
  const { uid = '', name: podName } = pod.metadata;
  const going = { name: podName, cause: 'eviction', requestedAt: new Date().toISOString() };
  await setting.controlPlane.kubectl([
    ...['-n', NAMESPACE, 'patch', `application/deployment-${name}`, '--subresource=status', '--type=merge'],
    ...['-p', JSON.stringify({ status: { shutdown: { going: { [uid]: going } } } })],
  ]);
  await setting.applicationThat(`deployment-${name}`, 'is held', (app) => held(app).length > 0);
}

describe('krake-hooks', () => {
  it('release lets a held pod go', async () => {
    const pod = await start('rel');
    await evict('rel', pod);
    const { code, out } = await krakeHooks('release', 'deployment/rel');
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(out).toContain('asked: release Application deployment-rel in namespace shop');
    expect(out).toContain(`pod ${pod.metadata.name ?? ''} may go`);
    await setting.applicationThat('deployment-rel', 'is let go', (app) => held(app).length === 0);
    const gone = { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name: pod.metadata.name ?? '' };
    await waitFor(
      'the eviction to be carried out',
      async () => {
        const found = await setting.admin.get(gone);
        return found?.metadata.uid !== pod.metadata.uid || found?.metadata.deletionTimestamp !== undefined
          ? true
          : undefined;
      },
      SOON,
    );
  });

  it('retry asks again at once, and again: the same request twice is carried out twice', async () => {
    const pod = await start('again', { 'hooks.krake.dev/shutdown-timeout': '10m' });
    await evict('again', pod);
    await setting.applicationThat('deployment-again', 'was asked', (app) =>
      held(app).some(({ ask }) => ask?.acceptedAt !== undefined),
    );
    for (let attempts = 2; attempts <= 4; attempts++) {
      const { code, out } = await krakeHooks('retry', 'deployment-again');
      expect({ code, out }).toMatchObject({ code: 0 });
      expect(out).toContain('the deadline stays');
      expect(out).toContain('phase: WaitingForCleaning');
      expect(out).toContain('held: yes, krake-hooks holds');
      const app = await setting.application('deployment-again');
      expect(app && held(app)[0]?.ask?.attempts).toBe(attempts);
    }
  });

  it('cancel keeps the pod, and not when the whole is being deleted', async () => {
    const pod = await start('keep');
    await evict('keep', pod);
    expect(await krakeHooks('cancel', 'deploy/keep')).toMatchObject({ code: 0 });
    const app = await setting.application('deployment-keep');
    expect(app && held(app)).toEqual([]);

    await setting.controlPlane.kubectl(['-n', NAMESPACE, 'delete', 'deployment/keep', '--wait=false']);
    await setting.applicationThat('deployment-keep', 'is held', (now) => held(now).length > 0);
    const { code, err } = await krakeHooks('cancel', 'deployment-keep');
    expect(code).toBe(1);
    expect(err).toContain('all of it is being deleted, which Kubernetes cannot take back');
    // The controller says the same to kubectl annotate, which asks nobody first.
    const args = ['-n', NAMESPACE, 'annotate', 'application/deployment-keep', `${ANNOTATION_REQUEST}=cancel`];
    await setting.controlPlane.kubectl(args);
    const still = await setting.applicationThat(
      'deployment-keep',
      'is done with the request',
      ({ metadata }) => metadata.annotations?.[ANNOTATION_REQUEST] === undefined,
    );
    expect(held(still)).toHaveLength(1);
    expect(await krakeHooks('release', 'deployment-keep')).toMatchObject({ code: 0 });
    await setting.gone('Deployment', 'keep');
  });

  it('migrate begins a conversation, and the template gets the node selector after the goodbye', async () => {
    await start('move');
    const { code, out } = await krakeHooks('migrate', 'deployment/move', '--to', 'disk=ssd');
    expect({ code, out }).toMatchObject({ code: 0 });
    expect(out).toContain('come back on nodes with disk=ssd');
    expect(out).toContain('warning: no node has these labels now');
    const app = await setting.application('deployment-move');
    expect(app && held(app)[0]).toMatchObject({ reason: 'requested', nodeSelector: { disk: 'ssd' } });
    expect(await krakeHooks('release', 'deployment-move')).toMatchObject({ code: 0 });
    await waitFor(
      'the node selector',
      async () => {
        const found = (await setting.workload('Deployment', 'move')) as unknown as {
          readonly spec: { readonly template: { readonly spec: { readonly nodeSelector?: object } } };
        };
        return found.spec.template.spec.nodeSelector;
      },
      SOON,
    ).then((selector) => {
      expect(selector).toEqual({ disk: 'ssd' });
    });
  });

  it('says what is wrong, and writes nothing', async () => {
    await start('quiet');
    const absent = await krakeHooks('retry', 'quiet');
    expect(absent.code).toBe(1);
    expect(absent.err).toContain('did you mean "deployment-quiet"?');
    const nothing = await krakeHooks('retry', 'deployment-quiet');
    expect(nothing.code).toBe(1);
    expect(nothing.err).toContain(
      'krake-hooks: Application deployment-quiet: nothing of it is held (phase Running)',
    );
    const { metadata } = (await setting.application('deployment-quiet')) ?? {};
    expect(metadata?.annotations?.[ANNOTATION_REQUEST]).toBeUndefined();
  });

  it('leaves the request behind when no controller takes it up, and it is carried out later', async () => {
    const pod = await start('later');
    await evict('later', pod);
    await setting.stopReplicas();
    const waited = await krakeHooks('release', 'deployment-later', '--wait', '1s');
    expect(waited.code).toBe(2);
    expect(waited.out).toContain('not taken up within 1 s: is the controller running?');
    expect(await krakeHooks('release', 'deployment-later', '--no-wait')).toMatchObject({ code: 0 });
    const other = await krakeHooks('retry', 'deployment-later');
    expect(other.err).toContain('the request "release" is still to be taken up');
    await setting.replica();
    await setting.applicationThat('deployment-later', 'is let go', (app) => held(app).length === 0);
  });
});

describe('krake-hooks rotate', () => {
  it('gives a new token, also without the shutdown hook, and says what that means for pods that run', async () => {
    await setting.createWorkload('Deployment', 'turn', { hooks: 'complete' });
    const { metadata } = await setting.runningPod('deployment-turn');
    const before = await setting.applicationThat(
      'deployment-turn',
      'runs',
      ({ status }) => status?.phase === 'Running',
    );
    const graceful = await krakeHooks('rotate', 'deployment/turn', '--grace', '1h');
    expect(graceful).toMatchObject({ code: 0 });
    expect(graceful.out).toContain('asked: rotate:1h Application deployment-turn in namespace shop');
    expect(graceful.out).toContain('the former ones are taken for 1h more');
    const kept = await setting.application('deployment-turn');
    expect(kept?.status?.formerTokens?.map(({ sha256 }) => sha256)).toEqual([before.status?.tokenSha256]);
    // A pod of the same second counts as later than the token: a creationTimestamp has whole seconds.
    await sleep(Math.max(0, Date.parse(metadata.creationTimestamp ?? '') + 1_000 - Date.now()));
    for (let times = 0; times < 2; times++) {
      const held = (await setting.application('deployment-turn'))?.status?.tokenSha256;
      const { code, out } = await krakeHooks('rotate', 'deployment-turn');
      expect({ code, out }).toMatchObject({ code: 0 });
      expect(out).toContain('void at once');
      const app = await setting.application('deployment-turn');
      expect(app?.status?.tokenSha256).not.toBe(held);
      expect(app?.status?.formerTokens).toBeUndefined();
    }
    await setting.applicationThat(
      'deployment-turn',
      'tells of the pods',
      ({ status }) => status?.conditions?.some(({ reason }) => reason === 'TokenRenewed') === true,
    );
  });

  it('refuses what makes no sense', async () => {
    const nonsense = await krakeHooks('rotate', 'deployment-turn', '--grace', 'soon');
    expect(nonsense).toMatchObject({ code: 1 });
    expect(nonsense.err).toContain('--grace soon: write a duration');
  });
});
