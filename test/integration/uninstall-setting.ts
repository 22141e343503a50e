import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { APPLICATIONS } from '../../src/applications/index.ts';
import {
  FINALIZER_SHUTDOWN,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
  applicationName,
  secretName,
  type WorkloadKind,
} from '../../src/contract/index.ts';
import { createKubeClient, isNotFound, type FullKubeClient } from '../../src/kube/index.ts';
import { NAMESPACES } from '../../src/uninstall/index.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { findHeld, findInstalled, HELD_KINDS, SECRETS } from './left-behind.ts';
import { applyManifests } from './service.ts';

const main = join(import.meta.dirname, '..', '..', 'src/cli/main.ts');
export const MANIFESTS = join(import.meta.dirname, '..', '..', 'manifests');
const AT_ONCE = 32;

export interface CommandRun {
  readonly process: ChildProcess;
  output(): string;
  /** The exit code; null: ended by a signal. */
  readonly ended: Promise<number | null>;
}

export interface UninstallSetting {
  readonly controlPlane: ControlPlane;
  readonly admin: FullKubeClient;
  apply(): Promise<void>;
  /** `krake-hooks …` as a person runs it. */
  command(...args: readonly string[]): CommandRun;
  /** The same, to its end. */
  run(...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }>;
  /** The same; resolves with its output. @throws Error with its output unless it ended with 0 */
  succeed(...args: readonly string[]): Promise<string>;
  namespace(name: string): Promise<void>;
  /** A workload that has no pods, its Application and its Secret, each with the finalizer, as the controller makes them. */
  holdWorkload(namespace: string, kind: WorkloadKind, name: string): Promise<void>;
  /** So many of them: Deployments. */
  holdMany(namespace: string, count: number): Promise<void>;
  /** Everything in the cluster that has a finalizer of ours, as `plural namespace/name`. */
  held(): Promise<string[]>;
  /** Everything of the installation that is there, as `plural name`. */
  installed(): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startUninstallSetting(): Promise<UninstallSetting> {
  const controlPlane = await startControlPlane();
  const admin = createKubeClient({
    kubeconfigPath: controlPlane.kubeconfig,
    userAgent: 'krake-hooks-test/1',
    requestTimeoutMs: 30_000,
  });
  const children = new Set<ChildProcess>();

  const setting: UninstallSetting = {
    controlPlane,
    admin,
    // Right after an uninstallation the API server may still refuse, as its caches have the old namespace.
    apply: () =>
      waitFor('the manifests to be applied', async () => {
        await applyManifests(controlPlane);
        await admin.list(APPLICATIONS, undefined);
        return true;
      }).then(() => undefined),
    command(...args) {
      const child = spawn(process.execPath, [main, ...args, '--kubeconfig', controlPlane.kubeconfig], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      children.add(child);
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
      const ended = new Promise<number | null>((resolve) =>
        child.on('close', (code) => {
          children.delete(child);
          resolve(code);
        }),
      );
      return { process: child, output: () => output, ended };
    },
    async run(...args) {
      const command = setting.command(...args);
      const code = await command.ended;
      return { code, output: command.output() };
    },
    async succeed(...args) {
      const { code, output } = await setting.run(...args);
      if (code !== 0) throw new Error(`krake-hooks ${args.join(' ')}: code ${code}\n${output}`);
      return output;
    },
    async namespace(name) {
      await admin.create(NAMESPACES, undefined, {
        metadata: { name, labels: { 'hooks.krake.dev/enabled': 'true' } },
      });
    },
    async holdWorkload(namespace, kind, name) {
      await admin.create(WORKLOAD_KINDS[kind], namespace, buildHeldWorkload(kind, name));
      const application = applicationName(kind, name);
      const managed = { 'app.kubernetes.io/managed-by': 'krake-hooks' };
      const held = { namespace, labels: managed, finalizers: [FINALIZER_SHUTDOWN] };
      const { metadata } = await admin.create(APPLICATIONS, namespace, {
        apiVersion: APPLICATIONS.apiVersion,
        kind: 'Application',
        metadata: { ...held, name: application },
        spec: {},
      });
      const owner = { apiVersion: APPLICATIONS.apiVersion, kind: 'Application', controller: true };
      await admin.create(SECRETS, namespace, {
        metadata: {
          ...held,
          name: secretName(application),
          ownerReferences: [{ ...owner, name: application, uid: metadata.uid }],
        },
        data: { token: 'dG9rZW4=' },
      });
    },
    async holdMany(namespace, count) {
      const names = Array.from({ length: count }, (_, at) => `app-${at}`);
      const next = names.values();
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (const name of next) await setting.holdWorkload(namespace, 'Deployment', name);
        }),
      );
    },
    held: () => findHeld(admin),
    installed: () => findInstalled(admin),
    async stop() {
      for (const child of children) child.kill('SIGKILL');
      admin.close();
      await controlPlane.stop();
    },
  };
  return setting;
}

export function buildHeldWorkload(kind: WorkloadKind, name: string): object {
  const labels = { app: name };
  const template = {
    metadata: { labels: { ...labels, [LABEL_APPLICATION]: applicationName(kind, name) } },
    spec: {
      // No pod of a DaemonSet has a place, and a Job is suspended: nothing runs.
      nodeSelector: { 'test.krake.dev/none': 'true' },
      containers: [{ name: 'main', image: 'example.invalid/main' }],
      ...(kind === 'Job' ? { restartPolicy: 'Never' } : {}),
    },
  };
  const selector = kind === 'ReplicationController' ? labels : { matchLabels: labels };
  const byKind: Partial<Record<WorkloadKind, object>> = {
    Job: { suspend: true, template },
    DaemonSet: { selector, template },
  };
  return {
    apiVersion: WORKLOAD_KINDS[kind].apiVersion,
    kind,
    metadata: { name, finalizers: [FINALIZER_SHUTDOWN, 'test.krake.dev/other'] },
    spec: byKind[kind] ?? { replicas: 0, selector, template, serviceName: undefined },
  };
}

/** Takes the test's own finalizers off, so that what is deleted can go; what has gone since it was listed is no failure. */
export async function letGo({ admin }: UninstallSetting, namespace: string): Promise<void> {
  for (const kind of HELD_KINDS) {
    const { items } = await admin.list(WORKLOAD_KINDS[kind], namespace, { metadataOnly: true });
    for (const { metadata } of items) {
      const ref = { resource: WORKLOAD_KINDS[kind], namespace, name: metadata.name ?? '' };
      const body = { metadata: { finalizers: null } };
      await admin.patch(ref, { type: 'merge', body }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    }
  }
}

export function untilGone({ admin }: UninstallSetting, namespace: string): Promise<true> {
  return waitFor(
    `the namespace ${namespace} to be gone`,
    async () =>
      (await admin.get({ resource: NAMESPACES, name: namespace })) === undefined ? true : undefined,
    // Its controller comes again later and later.
    { timeoutMs: 120_000 },
  );
}
