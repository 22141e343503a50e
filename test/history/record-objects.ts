import { request } from 'node:https';
import type { ApiEndpoint } from '../cluster/api-request.ts';
import { getFromApi } from '../cluster/api-request.ts';
import type { HistoryEvent, RecordedObject } from './history.ts';

const GROUPS = {
  'api/v1': { pods: 'Pod', secrets: 'Secret' },
  'apis/apps/v1': { deployments: 'Deployment', replicasets: 'ReplicaSet', statefulsets: 'StatefulSet' },
  'apis/batch/v1': { jobs: 'Job' },
  'apis/hooks.krake.dev/v1alpha1': { applications: 'Application' },
} as const;

const AGAIN_MS = 100;
const GONE = 410;

export interface ObjectRecorder {
  /** Resolves when everything up to now has been recorded. */
  settled(): Promise<void>;
  stop(): void;
}

/**
 * Records each version of the pods, workloads, Secrets (without their data) and Applications of a namespace. A watch that breaks goes on where
 * it was; what the API server does not remember any more is a gap in the history.
 */
export async function recordObjects(
  endpoint: ApiEndpoint,
  namespace: string,
  record: (event: HistoryEvent) => void,
): Promise<ObjectRecorder> {
  const ended = new AbortController();
  const watches = await Promise.all(
    Object.entries(GROUPS).flatMap(([group, kinds]) =>
      Object.entries(kinds).map(([plural, kind]) =>
        startWatch(endpoint, `/${group}/namespaces/${namespace}/${plural}`, kind, record, ended.signal),
      ),
    ),
  );
  return {
    async settled() {
      for (const watch of watches) await watch.settled();
    },
    stop: () => ended.abort(),
  };
}

interface Collection {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly RecordedObject[];
}

interface WatchLine {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: RecordedObject & { readonly code?: number };
}

async function startWatch(
  endpoint: ApiEndpoint,
  path: string,
  kind: string,
  record: (event: HistoryEvent) => void,
  signal: AbortSignal,
) {
  const list = async (): Promise<Collection> => {
    const { status, body } = await getFromApi(endpoint, path, 10_000);
    if (status !== 200) throw new Error(`${path}: ${status} ${body.slice(0, 200)}`);
    return JSON.parse(body) as Collection;
  };
  const note = (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: RecordedObject) =>
    record({ kind: 'object', atMs: performance.now(), type, object: { ...withoutData(object), kind } });

  const present = new Map<string, number>();
  const see = (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: RecordedObject) => {
    if (type === 'DELETED') present.delete(object.metadata.uid);
    else present.set(object.metadata.uid, Number(object.metadata.resourceVersion));
    note(type, object);
  };
  const first = await list();
  let revision = first.metadata.resourceVersion;
  for (const object of first.items) see('ADDED', object);

  const take = ({ type, object }: WatchLine): void => {
    if (type === 'ERROR') {
      if (object.code === GONE)
        record({ kind: 'gap', atMs: performance.now(), text: `${path} from ${revision}` });
      throw new Error(`watch ended: ${object.code ?? 0}`);
    }
    revision = object.metadata.resourceVersion;
    if (type !== 'BOOKMARK') see(type, object);
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await watchOnce(
          endpoint,
          `${path}?watch=true&allowWatchBookmarks=true&resourceVersion=${revision}`,
          take,
          signal,
        );
      } catch {
        // The API server is away, or has ended the watch: on from where it was.
      }
      await pause(AGAIN_MS);
    }
  };
  void run();

  return {
    /** What is there now has been recorded, and that nothing else is. */
    async settled(): Promise<void> {
      const deadline = performance.now() + 10_000;
      const { items } = await list();
      const isBehind = () => {
        const uids = new Set(items.map(({ metadata }) => metadata.uid));
        return (
          items.some(
            ({ metadata: { uid, resourceVersion } }) => (present.get(uid) ?? 0) < Number(resourceVersion),
          ) || [...present].some(([uid, seen]) => !uids.has(uid) && seen < Number(revision))
        );
      };
      while (isBehind()) {
        if (performance.now() > deadline) throw new Error(`${path}: the recorder is behind`);
        await pause();
      }
    },
  };
}

const pause = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms));

/** Resolves when the watch ends; rejects when it breaks, or `take` throws. */
function watchOnce(
  { url, caPem, adminToken }: ApiEndpoint,
  path: string,
  take: (line: WatchLine) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${adminToken}` };
    const outgoing = request(new URL(path, url), { ca: caPem, headers, agent: false, signal }, (response) => {
      if (response.statusCode !== 200) {
        response.resume();
        reject(new Error(`watch: ${response.statusCode ?? 0}`));
        return;
      }
      let rest = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        try {
          for (const line of lines) take(JSON.parse(line) as WatchLine);
        } catch (error) {
          outgoing.destroy();
          reject(error instanceof Error ? error : new Error('watch'));
        }
      });
      response.on('error', reject).on('close', () => resolve());
    });
    outgoing.on('error', reject).end();
  });
}

/** No token in a history. */
function withoutData(object: RecordedObject): RecordedObject {
  const copy: { data?: unknown } & RecordedObject = { ...object };
  delete copy.data;
  return copy;
}
