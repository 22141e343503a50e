import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import type { JournalEntry } from '../e2e/state-store.ts';
import type { Follower } from './follow.ts';
import { say } from './narrator.ts';

const POLL_MS = 250;
const PATIENCE_MS = 60_000;

export interface Journal extends Follower {
  /** The next pod that starts after those that were told of. */
  untilStarted(): Promise<JournalEntry>;
  /** Resolves when the pod has gone. @throws Error when its state was not saved before, or something was lost */
  untilTerminated(pod: string): Promise<{ readonly saved: number; readonly terminated: number }>;
  lastSaved(): JournalEntry;
}

/** Tells what the state store hears, with the seconds since the start. */
export function followJournal(cluster: Cluster, namespace: string, startedAt: number): Journal {
  const entries: JournalEntry[] = [];
  const started = new Set<string>();
  let stopped = false;
  const path = `/api/v1/namespaces/${namespace}/services/store:80/proxy/journal`;

  const loop = async (): Promise<void> => {
    while (!stopped) {
      const { stdout, code } = await cluster.kubectl(['get', '--raw', path], { allowFailure: true });
      const all = code === 0 ? (JSON.parse(stdout) as JournalEntry[]) : [];
      for (const entry of all.slice(entries.length)) {
        entries.push(entry);
        const seconds = (Date.parse(entry.at) - startedAt) / 1_000;
        say(`${seconds.toFixed(1).padStart(5)} s  [${entry.pod}] ${inWords(entry)}`);
      }
      await sleep(POLL_MS);
    }
  };
  loop().catch((error: unknown) => {
    if (!stopped) say(`(cannot follow the store: ${error instanceof Error ? error.message : String(error)})`);
  });

  const until = async (what: string, find: () => JournalEntry | undefined): Promise<JournalEntry> => {
    const deadline = Date.now() + PATIENCE_MS;
    while (Date.now() < deadline) {
      const found = find();
      if (found !== undefined) return found;
      await sleep(POLL_MS);
    }
    throw new Error(`the store did not hear within ${PATIENCE_MS / 1_000} s that ${what}`);
  };

  return {
    stop() {
      stopped = true;
    },
    async untilStarted() {
      const isNew = ({ event, pod }: JournalEntry): boolean => event === 'started' && !started.has(pod);
      const entry = await until('a pod started', () => entries.find(isNew));
      started.add(entry.pod);
      return entry;
    },
    async untilTerminated(pod) {
      const of = (event: JournalEntry['event']) =>
        entries.find((entry) => entry.event === event && entry.pod === pod);
      const terminated = await until(`${pod} got SIGTERM`, () => of('terminated'));
      const saved = of('saved');
      if (saved === undefined || entries.indexOf(saved) > entries.indexOf(terminated))
        throw new Error(`${pod} was ended before its state was saved`);
      if (saved.count !== terminated.count)
        throw new Error(`${pod} saved ${saved.count} and had ${terminated.count}`);
      return { saved: saved.count, terminated: terminated.count };
    },
    lastSaved() {
      const saved = entries.findLast(({ event }) => event === 'saved');
      if (saved === undefined) throw new Error('nothing was saved yet');
      return saved;
    },
  };
}

function inWords({ event, count, answer = '' }: JournalEntry): string {
  switch (event) {
    case 'started':
      return `starts, from ${count}`;
    case 'asked':
      return `is asked to shut down (PUT /shutdown), having counted to ${count}`;
    case 'saved':
      return `has saved its state: ${count}`;
    case 'confirmed':
      return `says goodbye: PUT $KRAKE_SHUTDOWN_URL -> ${/HTTP \d+/.exec(answer)?.[0] ?? answer}`;
    case 'terminated':
      return 'gets SIGTERM';
  }
}
