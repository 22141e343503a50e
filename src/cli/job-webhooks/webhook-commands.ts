import { Option, type Command } from 'commander';
import type { Webhook } from '../../jobs/index.ts';
import {
  namespaceOf,
  byAge,
  printList,
  readWait,
  withClient,
  withListFlags,
  withNamespace,
  type ListFlags,
  type NamespaceFlags,
} from './command-setting.ts';
import { describeWebhook, WEBHOOK_HEADER, webhookRow } from './describe-webhook.ts';
import { enableWebhook } from './enable-webhook.ts';
import { readAll, readOne } from './read-objects.ts';
import { sendTestEvent } from './send-test-event.ts';

interface TestFlags extends NamespaceFlags {
  readonly wait: string;
  readonly realBody?: true;
}

/** `krake-hooks webhooks list|show|test|enable`: on the custom resources, with a kubeconfig and nothing else. */
export function addWebhookCommands(program: Command): void {
  const group = program
    .command('webhooks')
    .alias('webhook')
    .description('Endpoints that are told when Jobs end: list, show, test, enable.');

  withListFlags(group.command('list'))
    .description('List Webhooks, and how their endpoints are.')
    .action((flags: ListFlags) =>
      withClient(flags, async (deps) => {
        const items = byAge(await readAll<Webhook>(deps.client, 'Webhook', namespaceOf(flags)));
        const now = deps.now();
        printList(deps, flags, {
          header: WEBHOOK_HEADER,
          items,
          row: (webhook) => webhookRow(webhook, now),
          what: 'Webhooks',
        });
      }),
    );

  withNamespace(group.command('show'))
    .description('Show one Webhook: what it asks for, how it is signed, how its endpoint is.')
    .argument('<webhook>', 'its name')
    .action((name: string, flags: NamespaceFlags) =>
      withClient(flags, async ({ client, now, print }) => {
        const webhook = await readOne<Webhook>(client, 'Webhook', flags.namespace, name);
        for (const line of describeWebhook(webhook, now())) print(line);
      }),
    );

  withNamespace(group.command('test'))
    .description('Send one event of type "test" to a Webhook, through the service, and say what came of it.')
    .argument('<webhook>', 'its name')
    .addOption(new Option('--wait <duration>', 'how long to wait for the answer').default('20s'))
    .option(
      '--real-body',
      'format verbatim: send the body that it sends when a Job ends; its receiver cannot tell the test from that',
    )
    .action((webhook: string, flags: TestFlags) =>
      withClient(flags, (deps) =>
        sendTestEvent(deps, {
          namespace: flags.namespace,
          webhook,
          waitMs: readWait(flags.wait),
          realBody: flags.realBody === true,
        }),
      ),
    );

  withNamespace(group.command('enable'))
    .description(
      'Send to a Webhook again that was disabled: by its endpoint (410), by failing for days, or by hand.',
    )
    .argument('<webhook>', 'its name')
    .action((name: string, flags: NamespaceFlags) =>
      withClient(flags, async (deps) => {
        await enableWebhook(deps, flags.namespace, name);
        return 0;
      }),
    );
}
