import { Option, type Command } from 'commander';
import { WATCHER_PHASES, type JobDoneWatcher } from '../../jobs/index.ts';
import {
  byAge,
  namespaceOf,
  printList,
  withClient,
  withListFlags,
  withNamespace,
  type ListFlags,
  type NamespaceFlags,
} from './command-setting.ts';
import { describeWatcher, WATCHER_HEADER, watcherRow } from './describe-watcher.ts';
import { readAll, readOne } from './read-objects.ts';

interface WatcherFilter {
  readonly job?: string;
  readonly status?: string;
}

/** `krake-hooks watchers list|show`. */
export function addWatcherCommands(program: Command): void {
  const group = program
    .command('watchers')
    .alias('watcher')
    .description('Job-done watchers, "when this Job is done, call these webhooks": list, show.');

  withListFlags(group.command('list'))
    .description('List JobDoneWatchers.')
    .option('--job <name>', 'of this Job')
    .addOption(new Option('--status <status>', 'in this status').choices(WATCHER_PHASES))
    .action((flags: ListFlags & WatcherFilter) =>
      withClient(flags, async (deps) => {
        const selector = flags.job === undefined ? undefined : `spec.jobName=${flags.job}`;
        const all = await readAll<JobDoneWatcher>(
          deps.client,
          'JobDoneWatcher',
          namespaceOf(flags),
          selector,
        );
        const now = deps.now();
        printList(deps, flags, {
          header: WATCHER_HEADER,
          items: byAge(
            all.filter(
              ({ status }) => flags.status === undefined || (status?.phase ?? 'PENDING') === flags.status,
            ),
          ),
          row: (watcher) => watcherRow(watcher, now),
          what: 'JobDoneWatchers',
        });
      }),
    );

  withNamespace(group.command('show'))
    .description('Show one JobDoneWatcher and what became of each of its webhooks.')
    .argument('<watcher>', 'its name, which is its id in the REST API')
    .action((name: string, flags: NamespaceFlags) =>
      withClient(flags, async ({ client, print }) => {
        const watcher = await readOne<JobDoneWatcher>(client, 'JobDoneWatcher', flags.namespace, name);
        for (const line of describeWatcher(watcher)) print(line);
      }),
    );
}
