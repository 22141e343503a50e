import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import { REQUESTS, parseDuration, parsePersonRequest, type PersonRequest } from '../contract/index.ts';
import { clientOf, configOf, withClusterFlags, type ClusterFlags } from './cluster-flags.ts';
import { sendRequest } from './send-request.ts';

const DESCRIPTIONS: Readonly<Record<PersonRequest, string>> = {
  retry: 'Ask an application once more to shut down.',
  release: 'Let the pods of an application go without its goodbye; what it has not saved is lost.',
  cancel: 'Call a shutdown off: the pods stay. A deletion of the whole workload cannot be taken back.',
  migrate: 'Move an application: ask it to shut down, then let its pods go and come back elsewhere.',
  rotate: 'Give an application a new token and certificate; the old ones are void at once, or after --grace.',
};

export interface RequestFlags {
  readonly namespace: string;
  readonly to?: string;
  readonly grace?: string;
  readonly wait: string | false;
}

/** Adds the commands `retry`, `release`, `cancel`, `migrate` and `rotate`. */
export function addRequestCommands(program: Command): void {
  for (const request of REQUESTS) {
    const command = withClusterFlags(program.command(request))
      .description(DESCRIPTIONS[request])
      .argument('<application>', 'its name, or KIND/NAME of one of its workloads')
      .option('-n, --namespace <namespace>', 'namespace of the application', 'default');
    if (request === 'migrate') {
      command.option(
        '--to <key=value,...>',
        'labels of the nodes to move to; default: the scheduler chooses',
      );
    }
    if (request === 'rotate') {
      command.option(
        '--grace <duration>',
        'how long the former token and certificate are still taken, like 1h, at most 720h; default: not at all',
      );
    }
    command
      .addOption(
        new Option('--wait <duration>', 'how long to wait until the controller has taken it up').default(
          '10s',
        ),
      )
      .option('--no-wait', 'only write the request')
      .action(async (name: string, flags: ClusterFlags & RequestFlags) => {
        const options = readRequest(request, name, flags);
        const client = clientOf(configOf(flags));
        try {
          process.exitCode = await sendRequest(
            {
              client,
              now: () => performance.now(),
              pause: (ms) => pause(ms),
              print: (line) => console.log(line),
            },
            options,
          );
        } finally {
          client.close();
        }
      });
  }
}

/** @throws Error that names the flag and how to write it */
export function readRequest(request: PersonRequest, name: string, flags: RequestFlags) {
  const { namespace, to, grace, wait } = flags;
  const detail = request === 'rotate' ? grace : to;
  const parsed = parsePersonRequest(detail === undefined ? request : `${request}:${detail}`);
  if (parsed === undefined) {
    if (request === 'rotate') {
      throw new Error(
        `--grace ${grace?.slice(0, 100) || '""'}: write a duration like 10m or 1h, at most 720h`,
      );
    }
    throw new Error(`--to ${(to ?? '').slice(0, 100)}: write labels of nodes as KEY=VALUE[,KEY=VALUE]`);
  }
  const waitMs = wait === false || wait === '0' ? 0 : parseDuration(wait);
  if (waitMs === undefined) throw new Error(`--wait ${wait || '""'}: write a duration like 10s or 1m, or 0`);
  return { namespace, name, request: parsed, waitMs };
}
