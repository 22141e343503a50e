import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { eventually } from './eventually.ts';
import { ensureInstalled, startCluster, waitForRollout } from './installation.ts';
import { createNamespace, removeNamespace, type TestNamespace } from './namespace.ts';
import { onNode } from './on-node.ts';
import { cronJob, deployment, job, pod, SIGNAL, TLS_FILES } from './workloads.ts';

interface Pods {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
    readonly spec: {
      readonly containers: readonly { readonly env?: readonly { readonly name: string }[] }[];
    };
  }[];
}
interface ApplicationStatus {
  readonly status?: { readonly phase?: string; readonly tokenSha256?: string };
}

onNode('the complete hook on a real node', () => {
  let cluster: Cluster;
  let ns: TestNamespace;

  beforeAll(async () => {
    cluster = await startCluster();
    await ensureInstalled(cluster);
    ns = await createNamespace(cluster, 'hooks-e2e');
  }, 600_000);

  afterAll(() => removeNamespace(cluster, 'hooks-e2e'), 60_000);

  const phaseOf = async (application: string): Promise<string | undefined> =>
    (await ns.json<ApplicationStatus>(['get', 'application', application])).status?.phase;

  const untilCompleted = (application: string): Promise<true> =>
    eventually(`${application} Completed`, async () =>
      (await phaseOf(application)) === 'Completed' ? true : undefined,
    );

  const untilGone = (object: string): Promise<unknown> =>
    ns.kubectl(['wait', '--for=delete', object, '--timeout=120s'], { timeoutMs: 130_000 });

  it.each([
    [
      'deployment/web',
      'deployment-web',
      deployment('web', `sleep 1; ${SIGNAL}; sleep 3600`, { replicas: 2 }),
    ],
    ['job/train', 'job-train', job('train', `${SIGNAL}; sleep 3600`)],
    ['pod/once', 'pod-once', pod('once', `${SIGNAL}; sleep 3600`)],
  ])(
    'deletes %s because its own container said that it is done',
    async (object, application, manifest) => {
      await ns.apply(manifest);
      await untilCompleted(application);
      await untilGone(object);
      const events = await ns.kubectl(['describe', 'application', application]);
      expect(events.stdout).toContain('Completed');
    },
    600_000,
  );

  it('hooks each run of a CronJob', async () => {
    await ns.apply(cronJob('nightly', `${SIGNAL}; sleep 3600`));
    await ns.kubectl(['create', 'job', '--from=cronjob/nightly', 'nightly-run']);
    await untilCompleted('job-nightly-run');
    await untilGone('job/nightly-run');
    await ns.kubectl(['delete', 'cronjob', 'nightly']);
  }, 600_000);

  it('repairs and rolls out what was created while admission was down', async () => {
    const scale = (replicas: number) =>
      cluster.kubectl([
        '-n',
        'krake-system',
        'scale',
        'deployment/krake-hooks-admission',
        `--replicas=${replicas}`,
      ]);
    await scale(0);
    await cluster.kubectl(
      [
        '-n',
        'krake-system',
        'wait',
        '--for=delete',
        'pod',
        '-l',
        'app.kubernetes.io/component=admission',
        '--timeout=120s',
      ],
      { timeoutMs: 130_000 },
    );
    await ns.apply(
      deployment('late', 'sleep 3600', {
        annotations: { 'hooks.krake.dev/hooks': 'complete', 'hooks.krake.dev/complete-action': 'none' },
      }),
    );
    // Unstamped pods may start; once the controller has stamped the template, uninjected ones are refused.
    await eventually('the stamp repaired by the controller', async () => {
      const { stdout } = await ns.kubectl([
        'get',
        'deployment',
        'late',
        '-o',
        'jsonpath={.spec.template.metadata.labels}',
      ]);
      return stdout.includes('deployment-late') ? true : undefined;
    });
    await scale(2);
    await waitForRollout(cluster, 'admission');
    await eventually(
      'only injected pods',
      async () => {
        const { items } = await ns.json<Pods>([
          'get',
          'pods',
          '-l',
          'app=late',
          '--field-selector=status.phase=Running',
        ]);
        const injected = items.filter(
          (p) => p.spec.containers[0]?.env?.some((e) => e.name === 'KRAKE_TOKEN') === true,
        );
        return items.length > 0 && injected.length === items.length ? true : undefined;
      },
      150_000,
    );
    await ns.kubectl(['delete', 'deployment', 'late']);
  }, 600_000);

  it('loses no signal and injects every pod while all its pods are replaced', async () => {
    // One container signals without a pause and counts; meanwhile callbacks and admission roll over.
    const loop = `n=0; bad=0; while true; do c=$(curl -s -o /dev/null -w '%{http_code}' -m 10 -X PUT -d "{\\"token\\":\\"$KRAKE_TOKEN\\"}" "$KRAKE_COMPLETE_URL" ${TLS_FILES}); n=$((n+1)); [ "$c" = 200 ] || { bad=$((bad+1)); echo "answer $c"; }; echo "n=$n bad=$bad"; sleep 0.1; done`;
    await ns.apply(
      deployment('busy', loop, {
        annotations: { 'hooks.krake.dev/hooks': 'complete', 'hooks.krake.dev/complete-action': 'none' },
      }),
    );
    const count = async (): Promise<{ n: number; bad: number }> => {
      const { stdout } = await ns.kubectl(['logs', 'deployment/busy', '--tail=1']);
      const match = /n=(\d+) bad=(\d+)/.exec(stdout);
      return { n: Number(match?.[1] ?? 0), bad: Number(match?.[2] ?? 0) };
    };
    // Right after its start callbacks may not know it yet: from when on it is heard each time.
    let looked = { n: 0, bad: -1 };
    const before = await eventually('signals that are heard', async () => {
      const now = await count();
      if (now.bad === looked.bad) return now.n > looked.n + 5 ? now : undefined;
      looked = now;
      return undefined;
    });
    await cluster.kubectl([
      '-n',
      'krake-system',
      'rollout',
      'restart',
      'deployment/krake-hooks-callbacks',
      'deployment/krake-hooks-admission',
    ]);
    let created = 0;
    const rollouts = Promise.all([
      waitForRollout(cluster, 'callbacks'),
      waitForRollout(cluster, 'admission'),
    ]);
    const progress = { over: false };
    const over = (): void => {
      progress.over = true;
    };
    rollouts.then(over, over);
    while (!progress.over) {
      const { stdout } = await ns.kubectl(['create', '--dry-run=server', '-o', 'json', '-f', '-'], {
        input: JSON.stringify(pod(`dry-${created}`, 'true')),
      });
      expect(stdout).toContain('KRAKE_TOKEN');
      created++;
    }
    await rollouts;
    const after = await eventually('further signals', async () => {
      const now = await count();
      return now.n > before.n + 10 ? now : undefined;
    });
    expect(created).toBeGreaterThan(0);
    expect(after.bad).toBe(before.bad);
    await ns.kubectl(['delete', 'deployment', 'busy']);
  }, 600_000);

  it('explains what would happen, by dry runs that leave nothing', () => {
    const manifest = JSON.stringify(deployment('explained', 'true'));
    const run = spawnSync(
      process.execPath,
      [
        join(import.meta.dirname, '../../src/cli/main.ts'),
        'explain',
        '-f',
        '-',
        '-n',
        ns.name,
        '--kubeconfig',
        cluster.kubeconfig,
      ],
      { input: manifest, encoding: 'utf8' },
    );
    expect(run.stderr).toBe('');
    expect(run.stdout).toContain('application: deployment-explained');
    expect(run.stdout).toContain('KRAKE_TOKEN (from the Secret)');
    expect(run.stdout).toContain('result: injected');
    expect(run.status).toBe(0);
  }, 60_000);
});
