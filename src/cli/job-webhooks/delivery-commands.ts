import { Option, type Command } from 'commander';
import { DELIVERY_PHASES, phaseOf, type WebhookDelivery } from '../../jobs/index.ts';
import {
  byAge,
  namespaceOf,
  printList,
  readSince,
  readWait,
  withClient,
  withListFlags,
  withNamespace,
  type ListFlags,
  type NamespaceFlags,
} from './command-setting.ts';
import { DELIVERY_HEADER, deliveryRow, describeDelivery, isAskedAgain } from './describe-delivery.ts';
import { readAll, readOne } from './read-objects.ts';
import { failedSince, redeliver, type RedeliverOptions } from './redeliver.ts';

interface DeliveryFilter {
  readonly webhook?: string;
  readonly job?: string;
  readonly phase?: string;
  readonly failedSince?: string;
}

interface RedeliverFlags extends NamespaceFlags {
  readonly failedSince?: string;
  readonly webhook?: string;
  readonly wait: string | false;
}

const SINCE = 'dead letters since then: how long ago (2h), or a time (2026-11-21T08:00:00Z)';

/** `krake-hooks deliveries list|show|redeliver`. */
export function addDeliveryCommands(program: Command): void {
  const group = program
    .command('deliveries')
    .alias('delivery')
    .description('Events on their way to webhooks, and what became of them: list, show, redeliver.');

  withListFlags(group.command('list'))
    .description('List WebhookDeliveries, the newest last.')
    .option('--webhook <name>', 'for this Webhook')
    .option('--job <name>', 'of this Job')
    .addOption(new Option('--phase <phase>', 'in this phase').choices(DELIVERY_PHASES))
    .option('--failed-since <time>', SINCE)
    .action((flags: ListFlags & DeliveryFilter) =>
      withClient(flags, async (deps) => {
        const now = deps.now();
        const all = await readAll<WebhookDelivery>(
          deps.client,
          'WebhookDelivery',
          namespaceOf(flags),
          fieldSelectorOf(flags),
        );
        const inTime =
          flags.failedSince === undefined
            ? byAge(all)
            : failedSince(all, readSince('--failed-since', flags.failedSince, now), undefined);
        printList(deps, flags, {
          header: DELIVERY_HEADER,
          items: inTime.filter((delivery) => isInPhase(delivery, flags.phase)),
          row: (delivery) => deliveryRow(delivery, now),
          what: 'WebhookDeliveries',
        });
      }),
    );

  withNamespace(group.command('show'))
    .description('Show one WebhookDelivery: the event, and its attempts.')
    .argument('<delivery>', 'its name, which is the webhook-id')
    .action((name: string, flags: NamespaceFlags) =>
      withClient(flags, async ({ client, now, print }) => {
        const delivery = await readOne<WebhookDelivery>(client, 'WebhookDelivery', flags.namespace, name);
        for (const line of describeDelivery(delivery, now())) print(line);
      }),
    );

  withNamespace(group.command('redeliver'))
    .description(
      'Send deliveries again, at once and with the same webhook-id: those named, or all that failed since a time.',
    )
    .argument('[deliveries...]', 'their names')
    .option('--failed-since <time>', SINCE)
    .option('--webhook <name>', 'with --failed-since: only those for this Webhook')
    .addOption(new Option('--wait <duration>', 'how long to wait for the attempts').default('20s'))
    .option('--no-wait', 'only ask for them')
    .action((names: readonly string[], flags: RedeliverFlags) =>
      withClient(flags, (deps) => redeliver(deps, readRedelivery(names, flags, deps.now()))),
    );
}

/** @throws Error that says how the command is written */
export function readRedelivery(
  names: readonly string[],
  { namespace, failedSince: since, webhook, wait }: RedeliverFlags,
  now: number,
): RedeliverOptions {
  if (names.length > 0 === (since !== undefined))
    throw new Error('name deliveries, or give --failed-since for all that failed since then');
  if (webhook !== undefined && since === undefined)
    throw new Error('--webhook narrows --failed-since: give that, too');
  return {
    namespace,
    names,
    ...(since !== undefined && { failedSince: readSince('--failed-since', since, now) }),
    ...(webhook !== undefined && { webhook }),
    waitMs: readWait(wait),
  };
}

function fieldSelectorOf({ webhook, job }: DeliveryFilter): string | undefined {
  const parts = [
    ...(webhook === undefined ? [] : [`spec.webhook.name=${webhook}`]),
    ...(job === undefined ? [] : [`spec.event.job.name=${job}`]),
  ];
  return parts.length === 0 ? undefined : parts.join(',');
}

function isInPhase(delivery: WebhookDelivery, phase: string | undefined): boolean {
  if (phase === undefined) return true;
  return (isAskedAgain(delivery) ? 'Pending' : phaseOf(delivery)) === phase;
}
