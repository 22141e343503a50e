import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import type { Follower } from './follow.ts';
import { say } from './narrator.ts';

const POLL_MS = 250;

/** What the example's receiver notes of a request. */
export interface ReceiverEntry {
  readonly at: string;
  readonly pod: string;
  readonly id: string;
  readonly signature: 'valid' | 'invalid' | 'none';
  readonly answer: number;
  readonly body: string;
}

export interface Told {
  readonly outcome: string;
  readonly succeeded: number;
  readonly failed: number;
}

export interface ReceiverFollower extends Follower {
  /** What the receiver took of the Jobs whose name fits, once it was told of so many. @throws Error at the time limit, or when an event came twice or not signed */
  untilTold(what: string, job: RegExp, count: number, timeoutMs: number): Promise<readonly Told[]>;
  /** Of all Jobs: how many requests came, under how many ids. */
  counts(): { readonly requests: number; readonly ids: number };
}

/** Tells what the receiver hears, with the seconds since the start; also what its pods of before have heard. */
export function followReceiver(cluster: Cluster, namespace: string, startedAt: number): ReceiverFollower {
  const entries: ReceiverEntry[] = [];
  let stopped = false;
  const path = `/api/v1/namespaces/${namespace}/services/reports:80/proxy/journal`;

  const loop = async (): Promise<void> => {
    while (!stopped) {
      const { stdout, code } = await cluster.kubectl(['get', '--raw', path], { allowFailure: true });
      // Nobody is there to ask, or a pod that began with an empty journal.
      const all = code === 0 ? (JSON.parse(stdout) as ReceiverEntry[]) : [];
      const known = entries.filter(({ pod }) => pod === all[0]?.pod).length;
      for (const entry of all.slice(known)) {
        entries.push(entry);
        say(`${((Date.parse(entry.at) - startedAt) / 1_000).toFixed(1).padStart(5)} s  ${inWords(entry)}`);
      }
      await sleep(POLL_MS);
    }
  };
  loop().catch((error: unknown) => {
    if (!stopped)
      say(`(cannot follow the receiver: ${error instanceof Error ? error.message : String(error)})`);
  });

  return {
    stop() {
      stopped = true;
    },
    async untilTold(what, job, count, timeoutMs) {
      const deadline = Date.now() + timeoutMs;
      const found = () => entries.filter((entry) => job.test(eventOf(entry).data.name));
      while (found().length < count) {
        if (Date.now() > deadline)
          throw new Error(
            `the receiver was told ${found().length} times of ${what} in ${timeoutMs / 1_000} s, not ${count}`,
          );
        await sleep(POLL_MS);
      }
      for (const { id, signature } of found()) {
        if (signature !== 'valid') throw new Error(`${id} was not signed as it should be`);
        if (entries.filter((other) => other.id === id).length > 1) throw new Error(`${id} came twice`);
      }
      return found().map((entry) => eventOf(entry).data);
    },
    counts: () => ({ requests: entries.length, ids: new Set(entries.map(({ id }) => id)).size }),
  };
}

function inWords(entry: ReceiverEntry): string {
  const { type, data } = eventOf(entry);
  const pods = `${data.succeeded} succeeded, ${data.failed} failed`;
  return `receiver: ${type}: Job ${data.name} (${pods}); signature ${entry.signature}; webhook-id ${entry.id.slice(0, 11)}… -> ${entry.answer}`;
}

interface Event {
  readonly type: string;
  readonly data: Told & { readonly name: string };
}

function eventOf({ body }: ReceiverEntry): Event {
  return JSON.parse(body) as Event;
}
