import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { Config } from '../config/index.ts';
import { systemClock } from '../kube/index.ts';
import {
  countInjectedPods,
  removeInstallation,
  switchOff,
  type Released,
  type ToolDeps,
} from '../uninstall/index.ts';
import { clientOf, configOf, withClusterFlags, type ClusterFlags } from './cluster-flags.ts';

interface RemovalFlags extends ClusterFlags {
  readonly yes?: true;
}

/** Of many failures these are enough to see why. */
const FAILURES_SHOWN = 10;

/** `krake-hooks emergency-off` and `krake-hooks uninstall`: all they need is a kubeconfig. */
export function addRemovalCommands(program: Command): void {
  withClusterFlags(program.command('emergency-off'))
    .description(
      'Take all of krake-hooks out of the way at once, with the service dead or alive: its webhooks, then every finalizer.',
    )
    .option('--yes', 'do not ask')
    .action(async (flags: RemovalFlags) => {
      await withTool(flags, 'This switches krake-hooks off in the whole cluster', emergencyOff);
    });

  withClusterFlags(program.command('uninstall'))
    .description('Remove all of krake-hooks from the cluster: may be repeated, and interrupted.')
    .option('--yes', 'do not ask')
    .option(
      '--keep-crds',
      'leave Applications, their Secrets and the CRDs, for the pods that run and for another installation',
    )
    .action(async (flags: RemovalFlags & { readonly keepCrds?: true }) => {
      const keepCrds = flags.keepCrds === true;
      await withTool(flags, 'This removes krake-hooks from the whole cluster', (deps, config) =>
        uninstall(deps, config, keepCrds),
      );
    });
}

async function emergencyOff(deps: ToolDeps, config: Config): Promise<void> {
  const released = await switchOff(deps, removalOptions(config));
  if (hasFailed(released)) return;
  deps.say(
    [
      'krake-hooks is off: it refuses and holds nothing. New pods start without injection, and a service that still runs can do nothing.',
      'Switch it on again by applying the manifests of your installation: kubectl apply -k manifests',
    ].join('\n'),
  );
}

async function uninstall(deps: ToolDeps, config: Config, keepCrds: boolean): Promise<void> {
  const injected = await countInjectedPods(deps);
  const released = await removeInstallation(deps, {
    ...removalOptions(config),
    keepCrds,
    caSecretName: config.pki.caSecretName,
    leaseName: config.controller.leaseName,
  });
  if (hasFailed(released)) return;
  deps.say('nothing of the installation is left');
  if (keepCrds)
    deps.say(
      'Applications, their Secrets and the CRDs are kept: run this again without --keep-crds to remove them',
    );
  for (const line of describeRemains(injected, keepCrds)) deps.say(line);
}

function removalOptions(config: Config) {
  return {
    namespace: config.namespace,
    validatingWebhookConfiguration: config.gate.validatingWebhookConfiguration,
    mutatingWebhookConfiguration: config.admission.mutatingWebhookConfiguration,
  };
}

/** What is the user's and so is left to him. */
export function describeRemains(injected: ReadonlyMap<string, number>, keepCrds: boolean): readonly string[] {
  const total = [...injected.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return [];
  const where = [...injected].map(([namespace, count]) => `${namespace}: ${count}`).join(', ');
  return [
    `${total} pods run with what was injected into them (${where}). Their callback URLs lead nowhere now.`,
    ...(keepCrds
      ? []
      : ['A container of theirs that restarts waits for a Secret that is gone, until its pod is replaced:']),
    ...[...injected.keys()].map(
      (namespace) => `  kubectl -n ${namespace} rollout restart deployment,statefulset,daemonset`,
    ),
    'Annotations, stamps and the label of namespaces stay; they mean nothing to Kubernetes.',
  ];
}

function hasFailed({ failures }: Released): boolean {
  if (failures.length === 0) return false;
  console.error(`${failures.length} objects could not be released:`);
  for (const { object, error } of failures.slice(0, FAILURES_SHOWN))
    console.error(`  ${object}: ${error instanceof Error ? error.message : String(error)}`);
  console.error('See to what refuses, then run the command again.');
  process.exitCode = 1;
  return true;
}

async function withTool(
  flags: RemovalFlags,
  question: string,
  action: (deps: ToolDeps, config: Config) => Promise<void>,
): Promise<void> {
  const config = configOf(flags);
  if (flags.yes !== true && !(await isConfirmed(question, flags))) {
    console.error('krake-hooks: nothing was done; say --yes where nobody can be asked');
    process.exitCode = 1;
    return;
  }
  const client = clientOf(config);
  try {
    const say = (line: string): void => console.log(line);
    await action({ client, say, clock: systemClock, signal: new AbortController().signal }, config);
  } finally {
    client.close();
  }
}

async function isConfirmed(question: string, flags: ClusterFlags): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const context = flags.context === undefined ? 'the current context' : `the context ${flags.context}`;
    const answer = await reader.question(`${question} (${context}). Go on? [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    reader.close();
  }
}
