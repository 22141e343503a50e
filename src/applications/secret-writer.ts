import { secretName } from '../contract/index.ts';
import { KubeApiError, isConflict, type KubeClient, type ObjectRef } from '../kube/index.ts';
import type { Application } from './application.ts';
import {
  SECRETS,
  buildSecret,
  canBecomeOurs,
  describeSecret,
  readToken,
  releasedSecret,
  type SecretObject,
} from './application-secret.ts';
import type { SecretState } from './application-view.ts';

export interface SecretWriterDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace' | 'delete'>;
  readonly caBundle: () => string;
}

export interface SecretWriter {
  read(app: Application, signal: AbortSignal): Promise<SecretState>;
  /** Puts this token into the Secret, which is made if it is not there. A foreign one is left alone; a conflict is thrown. */
  writeToken(app: Application, token: string, signal: AbortSignal): Promise<void>;
  /** Brings everything but the token in order; nothing for a Secret that is gone by now. */
  bringInOrder(app: Application, signal: AbortSignal): Promise<void>;
  remove(app: Application, uid: string, signal: AbortSignal): Promise<void>;
  /** Takes our finalizer off; nothing for a Secret that is gone, or another one by now. */
  release(app: Application, uid: string, signal: AbortSignal): Promise<void>;
}

/** Reads and writes the Secrets of Applications, one by its name at a time: they cannot be listed. */
export function createSecretWriter({ client, caBundle }: SecretWriterDeps): SecretWriter {
  const get = (app: Application, signal: AbortSignal) => client.get<SecretObject>(refOf(app), { signal });

  async function replace(
    app: Application,
    token: string,
    found: SecretObject,
    signal: AbortSignal,
  ): Promise<void> {
    if (canBecomeOurs(found)) {
      await client.replace(refOf(app), buildSecret(app, token, caBundle(), found), { signal });
      return;
    }
    await client.delete(refOf(app), { uid: found.metadata.uid ?? '', signal });
    await create(app, token, signal);
  }

  const create = (app: Application, token: string, signal: AbortSignal) =>
    client.create(SECRETS, app.metadata.namespace, buildSecret(app, token, caBundle()), { signal });

  return {
    async read(app, signal) {
      return describeSecret(await get(app, signal), app, caBundle());
    },
    async writeToken(app, token, signal) {
      try {
        await create(app, token, signal);
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        const found = await get(app, signal);
        if (found === undefined) throw error;
        if (describeSecret(found, app, caBundle()).state === 'ours') await replace(app, token, found, signal);
      }
    },
    async bringInOrder(app, signal) {
      const found = await get(app, signal);
      const token = found === undefined ? undefined : readToken(found);
      if (found !== undefined && token !== undefined) await replace(app, token, found, signal);
    },
    async remove(app, uid, signal) {
      await client.delete(refOf(app), { uid, signal });
    },
    async release(app, uid, signal) {
      const found = await get(app, signal);
      if (found?.metadata.uid === uid) await client.replace(refOf(app), releasedSecret(found), { signal });
    },
  };
}

function refOf(app: Application): ObjectRef {
  return { resource: SECRETS, namespace: app.metadata.namespace, name: secretName(app.metadata.name) };
}

function isAlreadyExists(error: unknown): boolean {
  return isConflict(error) && error instanceof KubeApiError && error.reason === 'AlreadyExists';
}
