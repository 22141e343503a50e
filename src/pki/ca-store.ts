import { isConflict, isNotFound, type KubeClient, type ObjectRef } from '../kube/index.ts';
import { buildCaSecret, buildCaSecretData, type Secret } from './ca-secret.ts';
import type { CaState } from './ca-state.ts';

export interface CaStoreOptions {
  readonly namespace: string;
  readonly caSecretName: string;
}

/** The CA Secret. Many replicas write it; each write names what it was decided upon, and the first one wins. */
export interface CaStore {
  /** What is stored now, not what a cache holds; undefined: there is none. */
  read(): Promise<Secret | undefined>;
  /**
   * Writes the state in place of what was read (undefined: creates the Secret).
   *
   * @returns what is stored now; undefined when someone else wrote in between: read again and decide anew
   */
  write(state: CaState, over: Secret | undefined): Promise<Secret | undefined>;
}

const SECRETS = { apiVersion: 'v1', plural: 'secrets' } as const;

export function createCaStore(
  client: Pick<KubeClient, 'get' | 'create' | 'replace'>,
  { namespace, caSecretName }: CaStoreOptions,
): CaStore {
  const ref: ObjectRef = { resource: SECRETS, namespace, name: caSecretName };
  return {
    read: () => client.get<Secret>(ref),
    async write(state, over) {
      try {
        if (over === undefined) {
          return await client.create<Secret>(
            SECRETS,
            namespace,
            buildCaSecret(caSecretName, namespace, state),
          );
        }
        // What was read goes back with its resourceVersion, which makes the API server refuse a lost update.
        const data = buildCaSecretData(state);
        return await client.replace<Secret>(ref, { apiVersion: 'v1', kind: 'Secret', ...over, data });
      } catch (error) {
        // Not found: deleted since it was read (or, when creating, the namespace is missing, which is an error of its own).
        if (isConflict(error) || (over !== undefined && isNotFound(error))) return undefined;
        throw error;
      }
    },
  };
}
