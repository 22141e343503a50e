import { isConflict, isNotFound, type KubeClient, type ObjectRef } from '../kube/index.ts';
import {
  buildCaSecret,
  buildCaSecretData,
  parseSecretOf,
  type CaSecretLayout,
  type ReadCaSecret,
  type Secret,
} from './ca-secret.ts';
import type { CaState } from './ca-state.ts';
import type { CertificateWithKey } from './certificate.ts';

export interface CaStoreOptions {
  readonly namespace: string;
  readonly caSecretName: string;
}

/** A Secret of CAs. Many replicas write it; each write names what it was decided upon, and the first one wins. */
export interface CaStore<C extends CertificateWithKey> {
  /** What is stored now, not what a cache holds; undefined: there is none. */
  read(): Promise<StoredCa<C> | undefined>;
  /**
   * Writes the state in place of what was read (undefined: creates the Secret).
   *
   * @returns what is stored now; undefined when someone else wrote in between: read again and decide anew
   */
  write(state: CaState<C>, over: Secret | undefined): Promise<Secret | undefined>;
}

export interface StoredCa<C extends CertificateWithKey> extends ReadCaSecret<C> {
  readonly secret: Secret;
}

const SECRETS = { apiVersion: 'v1', plural: 'secrets' } as const;

export function createCaStore<C extends CertificateWithKey>(
  client: Pick<KubeClient, 'get' | 'create' | 'replace'>,
  layout: CaSecretLayout<C>,
  { namespace, caSecretName }: CaStoreOptions,
): CaStore<C> {
  const ref: ObjectRef = { resource: SECRETS, namespace, name: caSecretName };
  return {
    async read() {
      const secret = await client.get<Secret>(ref);
      return secret && { ...parseSecretOf(layout, secret), secret };
    },
    async write(state, over) {
      try {
        const data = buildCaSecretData(layout, state);
        if (over === undefined) {
          return await client.create<Secret>(
            SECRETS,
            namespace,
            buildCaSecret(caSecretName, namespace, data),
          );
        }
        // What was read goes back with its resourceVersion, which makes the API server refuse a lost update.
        return await client.replace<Secret>(ref, { apiVersion: 'v1', kind: 'Secret', ...over, data });
      } catch (error) {
        // Not found: deleted since it was read (or, when creating, the namespace is missing, which is an error of its own).
        if (isConflict(error) || (over !== undefined && isNotFound(error))) return undefined;
        throw error;
      }
    },
  };
}
