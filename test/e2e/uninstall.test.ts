// Takes the installation of the whole cluster away, several times, and installs it again at its end. The other files share that installation and
// look for it when they begin (ensureInstalled), so this one may run before or after any of them, but not at the same time.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { createKubeClient, type FullKubeClient } from '../../src/kube/index.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { findHeld, findInstalled } from '../integration/left-behind.ts';
import { eventually } from './eventually.ts';
import { expectGoodbyes, expectNobodyAsked } from './goodbye.ts';
import { ensureInstalled, TEST_OVERLAY } from './installation.ts';
import { onNode } from './on-node.ts';
import { createStage, type Scene } from './shutdown-scene.ts';
import { deployment } from './workloads.ts';

const root = join(import.meta.dirname, '..', '..');
/** Two installations, of which each builds an image. */
const STORY_MS = 600_000;

/** `krake-hooks …` with the cluster's kubeconfig; what it wrote. @throws Error with that when it fails */
function runCommand(cluster: Cluster, ...args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [join(root, 'src/cli/main.ts'), ...args, '--kubeconfig', cluster.kubeconfig],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`krake-hooks ${args.join(' ')}: code ${code}\n${output}`));
    });
  });
}

onNode('uninstalling, with applications that run', () => {
  const stage = createStage();
  const clients: FullKubeClient[] = [];
  let cluster: Cluster | undefined;
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(async () => {
    if (cluster !== undefined) await ensureInstalled(cluster);
  }, STORY_MS);

  /** A scene with one application that is held, on an installation that works. */
  async function begin(
    name: string,
  ): Promise<{ scene: Scene; pods: readonly string[]; admin: FullKubeClient }> {
    const scene = await stage.scene(name);
    cluster = scene.cluster;
    await ensureInstalled(cluster);
    const admin = createKubeClient({ kubeconfigPath: cluster.kubeconfig, userAgent: 'krake-hooks-test/1' });
    clients.push(admin);
    await untilInjecting(scene);
    const pods = await scene.start({ service: 'shutdown' });
    await eventually('its Deployment, Application and Secret to be held', async () => {
      const held = await findHeld(admin);
      return held.filter((object) => object.includes(` ${scene.name}/`)).length === 3 ? true : undefined;
    });
    return { scene, pods, admin };
  }

  /** Right after an installation the API server may not know the webhook yet; what it lets in then goes when it is repaired. */
  async function untilInjecting(scene: Scene): Promise<void> {
    await eventually('admission to be asked', async () => {
      const input = JSON.stringify(deployment('dry', 'true'));
      const args = ['create', '--dry-run=server', '-o', 'json', '-f', '-'];
      const { stdout } = await scene.kubectl(args, { input, allowFailure: true });
      return stdout.includes('hooks.krake.dev/application') || undefined;
    });
  }

  async function expectNothingLeft({ scene, pods, admin }: Awaited<ReturnType<typeof begin>>): Promise<void> {
    expect(await findHeld(admin)).toEqual([]);
    expect(await findInstalled(admin)).toEqual([]);
    // It runs on, was not restarted, and was asked nothing.
    expect(await scene.untilReady('counter', 1)).toEqual(pods);
    await expectNobodyAsked(scene, pods);
    // Nothing holds it up any more.
    await scene.kubectl(['delete', 'deployment', 'counter', '--timeout=60s']);
    await scene.cluster.kubectl(['delete', 'namespace', scene.name, '--timeout=120s'], {
      timeoutMs: 130_000,
    });
  }

  it(
    'kubectl delete -k leaves nothing, and applications run on',
    async () => {
      const begun = await begin('off-kubectl');
      const startedAt = Date.now();
      await begun.scene.cluster.kubectl(
        ['delete', '-k', join(root, TEST_OVERLAY), '--ignore-not-found', '--timeout=300s'],
        {
          timeoutMs: 310_000,
        },
      );
      process.stderr.write(`kubectl delete -k: ${Date.now() - startedAt} ms\n`);
      await expectNothingLeft(begun);
    },
    STORY_MS,
  );

  it(
    'krake-hooks uninstall leaves nothing, and applications run on',
    async () => {
      const begun = await begin('off-command');
      const output = await runCommand(begun.scene.cluster, 'uninstall', '--yes');
      expect(output).toContain('nothing of the installation is left');
      expect(output).toContain(`${begun.scene.name}: 1`);
      await expectNothingLeft(begun);
    },
    STORY_MS,
  );

  describe('krake-hooks emergency-off', () => {
    it(
      'frees a deletion that a dead service holds up, and is undone by applying the manifests',
      async () => {
        const { scene, pods, admin } = await begin('off-emergency');
        const system = ['-n', 'krake-system'] as const;
        await scene.cluster.kubectl([...system, 'scale', 'deployment', '--all', '--replicas=0']);
        await scene.cluster.kubectl([...system, 'wait', 'pod', '--all', '--for=delete', '--timeout=90s'], {
          timeoutMs: 100_000,
        });
        await scene.kubectl(['delete', 'deployment', 'counter', '--wait=false']);
        const refused = await scene.kubectl(['delete', 'pod', pods[0] ?? ''], { allowFailure: true });
        expect(refused.stderr).toContain('krake-hooks-gate');

        const output = await runCommand(scene.cluster, 'emergency-off', '--yes');

        expect(output).toContain('krake-hooks is off');
        await scene.untilGone(pods);
        await expectNobodyAsked(scene, pods);
        expect(await findHeld(admin)).toEqual([]);

        await scene.cluster.kubectl(['apply', '-k', join(root, TEST_OVERLAY)]);
        await ensureInstalled(scene.cluster);
        await untilInjecting(scene);
        const later = await scene.start({ service: 'shutdown' });
        await scene.kubectl(['delete', 'deployment', 'counter', '--timeout=120s'], { timeoutMs: 130_000 });
        await scene.untilGone(later);
        await expectGoodbyes(scene, later);
      },
      STORY_MS,
    );
  });
});
