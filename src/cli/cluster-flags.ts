import { Option, type Command } from 'commander';
import { ConfigError, loadConfig, type Config } from '../config/index.ts';
import { createKubeClient, type FullKubeClient } from '../kube/index.ts';
import { VERSION } from './version.ts';

/** The flags that every command has: which configuration, and which cluster. */
export interface ClusterFlags {
  readonly config?: string;
  readonly set: readonly string[];
  readonly kubeconfig?: string;
  readonly context?: string;
}

export function withClusterFlags(command: Command): Command {
  return command
    .option('--config <file>', 'configuration file, YAML or JSON (docs/configuration.md)')
    .addOption(new Option('--set <key=value...>', 'a key of the configuration').default([], 'none'))
    .option('--kubeconfig <file>', 'kubeconfig; default: the service account of the pod, else the usual one')
    .option('--context <name>', 'context of the kubeconfig');
}

/** The configuration that the flags come to, `more` over them. @throws ConfigError */
export function configOf(flags: ClusterFlags, more: Record<string, string> = {}): Config {
  const set = flags.set.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at < 1) throw new ConfigError(`--set ${pair}: write it as KEY=VALUE`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return loadConfig({
    file: flags.config,
    flags: { ...Object.fromEntries(set), kubeconfig: flags.kubeconfig, kubeContext: flags.context, ...more },
  });
}

/** A client for a command that a person runs; the caller closes it. */
export function clientOf(config: Config): FullKubeClient {
  return createKubeClient({
    userAgent: `krake-hooks-cli/${VERSION}`,
    ...(config.kubeconfig !== undefined && { kubeconfigPath: config.kubeconfig }),
    ...(config.kubeContext !== undefined && { context: config.kubeContext }),
  });
}
