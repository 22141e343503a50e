#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { ConfigError, DEFAULT_PARTS, PARTS } from '../config/index.ts';
import { KubeApiError, KubeUnreachableError } from '../kube/index.ts';
import { requestRotation } from '../pki/index.ts';
import { clientOf, configOf, withClusterFlags, type ClusterFlags } from './cluster-flags.ts';
import { explain } from './explain.ts';
import { readSubjects } from './explain-subject.ts';
import { addDeliveryCommands, addWatcherCommands, addWebhookCommands } from './job-webhooks/index.ts';
import { addRemovalCommands } from './removal-commands.ts';
import { addRequestCommands } from './request-commands.ts';
import { serve } from './serve.ts';
import { VERSION } from './version.ts';

const program = new Command('krake-hooks')
  .description('An application and its cluster tell each other what is about to happen.')
  .version(VERSION)
  .showHelpAfterError();

withClusterFlags(program.command('serve'))
  .description('Run the service, or the parts of it that are named.')
  .option(
    '--parts <list>',
    `comma list of ${PARTS.join(', ')} (default: those of the configuration, else ${DEFAULT_PARTS.join(', ')})`,
  )
  .action(async (flags: ClusterFlags & { readonly parts?: string }) => {
    await serve(configOf(flags, flags.parts === undefined ? {} : { parts: flags.parts }));
  });

withClusterFlags(program.command('explain'))
  .description(
    'Say what would be injected into the workloads of a manifest, and why or why not; stores nothing.',
  )
  .requiredOption('-f, --filename <file>', 'manifest, or - for standard input')
  .option('-n, --namespace <namespace>', 'namespace of objects that name none', 'default')
  .action(async (flags: ClusterFlags & { readonly filename: string; readonly namespace: string }) => {
    const config = configOf(flags);
    const client = clientOf(config);
    const manifest =
      flags.filename === '-' ? await text(process.stdin) : readFileSync(flags.filename, 'utf8');
    let allAsAsked = true;
    for (const document of readSubjects(manifest)) {
      if ('skipped' in document) {
        console.log(`${document.skipped}\n`);
        continue;
      }
      const namespace = document.subject.metadata.namespace ?? flags.namespace;
      const explanation = await explain(
        { client, ownNamespace: config.namespace },
        document.subject,
        namespace,
      );
      console.log([explanation.title, ...explanation.lines.map((line) => `  ${line}`), ''].join('\n'));
      allAsAsked &&= explanation.asAsked;
    }
    client.close();
    if (!allAsAsked) process.exitCode = 1;
  });

withClusterFlags(program.command('rotate-ca'))
  .description("Replace the service's own CA; the replicas carry it out without a gap.")
  .action(async (flags: ClusterFlags) => {
    const config = configOf(flags);
    const client = clientOf(config);
    await requestRotation(client, { namespace: config.namespace, caSecretName: config.pki.caSecretName });
    client.close();
    console.log(`asked for; the new CA signs after pki.trustDelay (${config.pki.trustDelay / 1000} s)`);
  });

addRequestCommands(program);
addWebhookCommands(program);
addWatcherCommands(program);
addDeliveryCommands(program);
addRemovalCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  console.error(`krake-hooks: ${describe(error)}`);
  process.exitCode = 1;
}

/** One line for a person: no stack, and what to do where that is known. */
function describe(error: unknown): string {
  if (error instanceof KubeUnreachableError)
    return `${error.message}; is the cluster up, and is it the one that --context and --kubeconfig mean?`;
  if (error instanceof ConfigError || error instanceof KubeApiError || error instanceof Error)
    return error.message;
  return String(error);
}
