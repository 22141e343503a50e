import { KubeApiError, type KubeClient, type KubeObject } from '../kube/index.ts';
import type { WebhookSpec } from '../jobs/index.ts';
import { parseWebhookSecret, type SigningKey } from '../outbound/index.ts';

export type KeysResult =
  | { readonly kind: 'keys'; readonly keys: readonly SigningKey[] }
  /** For people; never a part of a key. */
  | { readonly kind: 'problem'; readonly problem: string };

export interface SigningKeys {
  /** The keys that sign for a Webhook; none when it names none. Rejects when the API server cannot be reached. */
  keysFor(namespace: string, refs: WebhookSpec['secretRefs']): Promise<KeysResult>;
}

const SECRETS = { apiVersion: 'v1', plural: 'secrets' } as const;
/** A new key counts after this at the latest. */
const KEEP_MS = 30_000;

interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

type ReadSecret = { readonly data: Readonly<Record<string, string>> } | { readonly problem: string };

/** Reads Secrets of the Webhook's own namespace when they are needed, and remembers them for half a minute. */
export function createSigningKeys(
  client: Pick<KubeClient, 'get'>,
  monotonic: () => number,
): SigningKeys & { /** How many Secrets are in memory. */ readonly remembered: () => number } {
  const remembered = new Map<string, { readonly until: number; readonly secret: Promise<ReadSecret> }>();

  async function read(namespace: string, name: string): Promise<ReadSecret> {
    try {
      const secret = await client.get<SecretObject>({ resource: SECRETS, namespace, name });
      return secret === undefined
        ? { problem: `the Secret ${name} does not exist in this namespace` }
        : { data: secret.data ?? {} };
    } catch (error) {
      if (!(error instanceof KubeApiError) || error.status !== 403) throw error;
      return {
        problem: `the Secret ${name} may not be read: use krake-hooks-webhooks, or grant "get" on it to the service account krake-hooks-jobs`,
      };
    }
  }

  /** A Map keeps the order of insertion: the oldest come first. */
  function forgetOld(): void {
    for (const [key, { until }] of remembered) {
      if (until > monotonic()) return;
      remembered.delete(key);
    }
  }

  function readOnce(namespace: string, name: string): Promise<ReadSecret> {
    const key = `${namespace}/${name}`;
    const known = remembered.get(key);
    if (known !== undefined && known.until > monotonic()) return known.secret;
    const secret = read(namespace, name);
    forgetOld();
    remembered.delete(key);
    remembered.set(key, { until: monotonic() + KEEP_MS, secret });
    // What could not be read is asked for again.
    secret.then(
      (answer) => ('problem' in answer ? remembered.delete(key) : undefined),
      () => remembered.delete(key),
    );
    return secret;
  }

  return {
    remembered: () => remembered.size,
    async keysFor(namespace, refs) {
      const keys: SigningKey[] = [];
      for (const { name, key } of refs) {
        const secret = await readOnce(namespace, name);
        if ('problem' in secret) return { kind: 'problem', problem: secret.problem };
        const encoded = secret.data[key];
        if (encoded === undefined)
          return { kind: 'problem', problem: `the Secret ${name} has no key ${key}` };
        const parsed = parseWebhookSecret(Buffer.from(encoded, 'base64').toString('utf8'));
        if (parsed.kind === 'invalid') {
          return { kind: 'problem', problem: `the Secret ${name}, key ${key}: ${parsed.problem}` };
        }
        keys.push(parsed.key);
      }
      return { kind: 'keys', keys };
    },
  };
}
