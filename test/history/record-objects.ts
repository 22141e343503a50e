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

export interface RecordObjectsOptions {
  /**
   * An API server that has just been started does not remember what was before. Default: that is a gap in the history. `list`: what is there is
   * recorded anew, what is not as deleted by then. Versions may be missing, so less is seen; nothing is seen that was not.
   */
  readonly afterRestart?: 'gap' | 'list';
}

/**
 * Records each version of the pods, workloads, Secrets (without their data) and Applications of a namespace. A watch that breaks goes on where
 * it was.
 */
export async function recordObjects(
  endpoint: ApiEndpoint,
  namespace: string,
  record: (event: HistoryEvent) => void,
  options: RecordObjectsOptions = {},
): Promise<ObjectRecorder> {
  const ended = new AbortController();
  const watches = await Promise.all(
    Object.entries(GROUPS).flatMap(([group, kinds]) =>
      Object.entries(kinds).map(([plural, kind]) =>
        startWatch(
          endpoint,
          `/${group}/namespaces/${namespace}/${plural}`,
          kind,
          record,
          ended.signal,
          options,
        ),
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
  { afterRestart = 'gap' }: RecordObjectsOptions,
) {
  const list = async (): Promise<Collection> => {
    const { status, body } = await getFromApi(endpoint, path, 10_000);
    if (status !== 200) throw new Error(`${path}: ${status} ${body.slice(0, 200)}`);
    return JSON.parse(body) as Collection;
  };
  const note = (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: RecordedObject) =>
    record({ kind: 'object', atMs: performance.now(), type, object: { ...withoutData(object), kind } });

  const present = new Map<string, RecordedObject>();
  let revision = '0';
  const see = (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: RecordedObject) => {
    if (type === 'DELETED') present.delete(object.metadata.uid);
    else present.set(object.metadata.uid, object);
    note(type, object);
  };
  const readAll = async () => {
    const { metadata, items } = await list();
    revision = metadata.resourceVersion;
    const there = new Set(items.map((object) => object.metadata.uid));
    for (const object of items) see(present.has(object.metadata.uid) ? 'MODIFIED' : 'ADDED', object);
    for (const [uid, object] of [...present])
      if (!there.has(uid))
        see('DELETED', { ...object, metadata: { ...object.metadata, resourceVersion: revision } });
  };
  await readAll();

  let isForgotten = false;
  const take = ({ type, object }: WatchLine): void => {
    if (type === 'ERROR') {
      isForgotten = object.code === GONE;
      throw new Error(`watch ended: ${object.code ?? 0}`);
    }
    revision = object.metadata.resourceVersion;
    if (type !== 'BOOKMARK') see(type, object);
  };
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        if (isForgotten && afterRestart === 'gap')
          record({ kind: 'gap', atMs: performance.now(), text: `${path} from ${revision}` });
        if (isForgotten) await readAll();
        isForgotten = false;
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
      const { metadata: listed, items } = await list();
      const there = new Set(items.map(({ metadata }) => metadata.uid));
      const isBehind = () =>
        items.some((object) => revisionOf(present.get(object.metadata.uid)) < revisionOf(object)) ||
        [...present].some(
          ([uid, seen]) => !there.has(uid) && revisionOf(seen) <= Number(listed.resourceVersion),
        );
      while (isBehind()) {
        if (performance.now() > deadline) throw new Error(`${path}: the recorder is behind`);
        await pause();
      }
    },
  };
}

const revisionOf = (object: RecordedObject | undefined) => Number(object?.metadata.resourceVersion ?? 0);
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
