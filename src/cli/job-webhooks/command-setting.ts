import { performance } from 'node:perf_hooks';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { parseDuration } from '../../contract/index.ts';
import type { FullKubeClient } from '../../kube/index.ts';
import { clientOf, configOf, withClusterFlags, type ClusterFlags } from '../cluster-flags.ts';
import { formatTable, type Row } from './table.ts';

export interface NamespaceFlags extends ClusterFlags {
  readonly namespace: string;
}

export interface ListFlags extends NamespaceFlags {
  readonly allNamespaces?: true;
}

export interface CommandDeps {
  readonly client: FullKubeClient;
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly newId: () => string;
  readonly print: (line: string) => void;
}

export function withNamespace(command: Command): Command {
  return withClusterFlags(command).option('-n, --namespace <namespace>', 'namespace to look in', 'default');
}

export function withListFlags(command: Command): Command {
  return withNamespace(command).option('-A, --all-namespaces', 'all namespaces');
}

/** Runs what a person asked for, with a client of the cluster that the flags mean; what it resolves to is the exit code, 0 by default. */
export async function withClient(
  flags: ClusterFlags,
  run: (deps: CommandDeps) => Promise<number | undefined>,
): Promise<void> {
  const client = clientOf(configOf(flags));
  try {
    process.exitCode =
      (await run({
        client,
        now: Date.now,
        monotonic: () => performance.now(),
        pause: (ms) => pause(ms),
        newId: randomUUID,
        print: (line) => console.log(line),
      })) ?? 0;
  } finally {
    client.close();
  }
}

export function namespaceOf({ allNamespaces, namespace }: ListFlags): string | undefined {
  return allNamespaces === true ? undefined : namespace;
}

export interface Listing<T> {
  readonly header: Row;
  readonly items: readonly T[];
  readonly row: (item: T) => Row;
  readonly what: string;
}

/** As kubectl prints a list: a column NAMESPACE with `-A`, and a sentence when there is nothing. */
export function printList<T extends { readonly metadata: { readonly namespace: string } }>(
  { print }: Pick<CommandDeps, 'print'>,
  flags: ListFlags,
  { header, items, row, what }: Listing<T>,
): void {
  const namespace = namespaceOf(flags);
  if (items.length === 0) {
    print(`no ${what} found ${namespace === undefined ? 'in any namespace' : `in namespace ${namespace}`}`);
    return;
  }
  const lines =
    namespace === undefined
      ? formatTable(
          ['NAMESPACE', ...header],
          items.map((item) => [item.metadata.namespace, ...row(item)]),
        )
      : formatTable(header, items.map(row));
  for (const line of lines) print(line);
}

/** By namespace, then by age: the newest stands last, where the prompt comes. */
export function byAge<
  T extends { readonly metadata: { readonly namespace: string; readonly creationTimestamp?: string } },
>(items: readonly T[]): readonly T[] {
  const key = ({ metadata }: T) => `${metadata.namespace} ${metadata.creationTimestamp ?? ''}`;
  return items.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** @throws Error that names the flag and how to write it */
export function readWait(wait: string | false): number {
  const waitMs = wait === false || wait === '0' ? 0 : parseDuration(wait);
  if (waitMs === undefined) throw new Error(`--wait ${wait || '""'}: write a duration like 10s or 1m, or 0`);
  return waitMs;
}

/** A time, or how long ago it was. @throws Error that names the flag and how to write it */
export function readSince(flag: string, text: string, now: number): number {
  const ago = parseDuration(text);
  if (ago !== undefined) return now - ago;
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new Error(`${flag} ${text || '""'}: write a duration like 2h, or a time like 2026-11-21T08:00:00Z`);
  return at;
}
