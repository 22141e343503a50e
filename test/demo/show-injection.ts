import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { say } from './narrator.ts';

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly containers: readonly {
      readonly name: string;
      readonly env?: readonly {
        readonly name: string;
        readonly value?: string;
        readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
      }[];
      readonly volumeMounts?: readonly {
        readonly mountPath: string;
        readonly name: string;
        readonly readOnly?: boolean;
      }[];
    }[];
  };
}

/** Shows the injection of the application's first pod, as the API server has it. @throws Error when there is none */
export async function showInjection(cluster: Cluster, namespace: string, application: string): Promise<void> {
  const pod = await firstPod(cluster, namespace, application);
  say(`Pod ${pod.metadata.name}`);
  for (const container of pod.spec.containers) {
    const injected = (container.env ?? []).filter((entry) => entry.name.startsWith('KRAKE_'));
    if (injected.length === 0)
      throw new Error(`container ${container.name} of ${pod.metadata.name} was not injected`);
    for (const { name, value, valueFrom } of injected) {
      const ref = valueFrom?.secretKeyRef;
      say(
        `  ${name.padEnd(22)} ${ref === undefined ? (value ?? '') : `(hidden: key "${ref.key}" of Secret ${ref.name})`}`,
      );
    }
    for (const mount of container.volumeMounts ?? []) {
      if (mount.name === 'krake-hooks')
        say(`  ${'files'.padEnd(22)} ${mount.mountPath}${mount.readOnly === true ? ' (read-only)' : ''}`);
    }
  }
}

async function firstPod(cluster: Cluster, namespace: string, application: string): Promise<Pod> {
  for (let tries = 0; tries < 80; tries++) {
    const { stdout } = await cluster.kubectl([
      '-n',
      namespace,
      'get',
      'pods',
      '-l',
      `hooks.krake.dev/application=${application}`,
      '-o',
      'json',
    ]);
    const [pod] = (JSON.parse(stdout) as { items: Pod[] }).items;
    if (pod !== undefined) return pod;
    await sleep(250);
  }
  throw new Error(`no pod of ${application} after 20 s`);
}
