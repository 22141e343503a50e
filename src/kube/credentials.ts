import type { Agent } from 'node:http';

/** What a request needs to reach the API server as us. */
export interface Credentials {
  /** Base URL; a path prefix is kept. */
  readonly server: URL;
  /** Authorization and the like. Secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
  /** A kubeconfig's proxy brings its own agent. */
  readonly proxyAgent?: Agent;
}

export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Reads credentials; called again every minute, so what rotates on disk or by an exec plugin is followed. */
export interface CredentialSource {
  /** @param fresh nothing cached counts any more: the API server has answered 401 */
  read(fresh: boolean): Promise<Credentials>;
}

export interface CredentialCache {
  current(): Promise<Credentials>;
  /** Reads anew after a 401; undefined when that has been done just now and there is no point in trying again. */
  renewed(): Promise<Credentials | undefined>;
}

/** The kubelet replaces a service account token well before its end (at 80 %), so a minute is soon enough; client-go does the same. */
const READ_AGAIN_AFTER_MS = 60_000;
/** With wrong credentials each request would run the exec plugin again. */
const RENEW_AT_MOST_EVERY_MS = 2_000;

/** Keeps what the source read for a minute. When reading anew fails, what was read before stays in use. */
export function createCredentialCache(source: CredentialSource, monotonic: () => number): CredentialCache {
  let cached: Credentials | undefined;
  let readAt = 0;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<Credentials> | undefined;

  // One reading at a time, which all who ask share.
  const read = (fresh: boolean): Promise<Credentials> =>
    (reading ??= (async () => {
      try {
        cached = await source.read(fresh);
      } catch (error) {
        if (cached === undefined) throw error;
      } finally {
        readAt = monotonic();
        reading = undefined;
      }
      return cached;
    })());

  return {
    current: () =>
      cached !== undefined && monotonic() - readAt < READ_AGAIN_AFTER_MS
        ? Promise.resolve(cached)
        : read(false),
    renewed: async () => {
      if (monotonic() - renewedAt < RENEW_AT_MOST_EVERY_MS) return undefined;
      renewedAt = monotonic();
      return await read(true);
    },
  };
}
