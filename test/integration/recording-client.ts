import { KubeUnreachableError, type FullKubeClient, type KubeObject } from '../../src/kube/index.ts';

export interface Write {
  readonly verb: 'create' | 'replace' | 'patch' | 'delete';
  readonly resource: string;
  readonly name: string;
  /** For a deletion: whether there was something to delete. */
  readonly accepted: boolean;
}

/** A real client that notes each write that the API server accepted, and that can die. */
export interface RecordingClient {
  readonly client: FullKubeClient;
  readonly writes: Write[];
  /** Nothing gets through any more, as if the process were gone; what is under way may still arrive. */
  kill(): void;
  dead(): boolean;
}

/** @param diesAfter number of writes after which it dies: the last one is carried out, and its answer is lost */
export function createRecordingClient(
  real: FullKubeClient,
  diesAfter = Number.POSITIVE_INFINITY,
): RecordingClient {
  const writes: Write[] = [];
  const deaths = new AbortController();
  const checkAlive = () => {
    if (deaths.signal.aborted) throw new KubeUnreachableError('killed by the test');
  };

  async function write<T>(
    verb: Write['verb'],
    resource: string,
    name: string,
    send: () => Promise<T>,
  ): Promise<T> {
    checkAlive();
    const result = await send();
    if (resource !== 'events') {
      writes.push({ verb, resource, name, accepted: result !== false });
      if (writes.length >= diesAfter) deaths.abort();
    }
    checkAlive();
    return result;
  }

  const client: FullKubeClient = {
    ...real,
    async get(ref, options) {
      checkAlive();
      const found = await real.get(ref, options);
      checkAlive();
      return found as never;
    },
    create: <T extends KubeObject>(
      resource: Parameters<FullKubeClient['create']>[0],
      namespace: string | undefined,
      object: unknown,
      options?: Parameters<FullKubeClient['create']>[3],
    ) => {
      const { name = '' } = (object as KubeObject).metadata;
      return write('create', resource.plural, name, () =>
        real.create<T>(resource, namespace, object, options),
      );
    },
    replace: <T extends KubeObject>(...args: Parameters<FullKubeClient['replace']>) =>
      write('replace', args[0].resource.plural, args[0].name, () => real.replace<T>(...args)),
    patch: <T extends KubeObject>(...args: Parameters<FullKubeClient['patch']>) =>
      write('patch', args[0].resource.plural, args[0].name, () => real.patch<T>(...args)),
    delete: (ref, options) => write('delete', ref.resource.plural, ref.name, () => real.delete(ref, options)),
    async list(...args) {
      checkAlive();
      return (await real.list(...args)) as never;
    },
    async watch(resource, namespace, options) {
      checkAlive();
      const signal = AbortSignal.any([options.signal, deaths.signal]);
      return (await real.watch(resource, namespace, { ...options, signal })) as never;
    },
  };
  return { client, writes, kill: () => deaths.abort(), dead: () => deaths.signal.aborted };
}
