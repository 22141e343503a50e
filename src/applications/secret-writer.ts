import { secretName } from '../contract/index.ts';
import { KubeApiError, isConflict, type KubeClient, type ObjectRef } from '../kube/index.ts';
import { asRead } from './as-read.ts';
import type { Application } from './application.ts';
import {
  SECRETS,
  buildSecret,
  canBecomeOurs,
  describeSecret,
  type SecretObject,
} from './application-secret.ts';
import type { OwnSecret, SecretState } from './application-view.ts';
import { readContents, type SecretContents } from './secret-contents.ts';

export interface SecretWriterDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace' | 'patch' | 'delete'>;
  readonly caBundle: () => string;
}

export interface SecretWriter {
  read(app: Application, signal: AbortSignal): Promise<SecretState>;
  /**
   * Puts this token, or certificate, or both into the Secret; what is undefined stays as it is. A Secret that is not there is made if all of what
   * belongs into it is given; a foreign one is left alone; a conflict is thrown.
   *
   * @param isThere it was there a moment ago, so making it is not tried first (in a namespace that is being deleted nothing can be made)
   */
  write(app: Application, fresh: SecretContents, isThere: boolean, signal: AbortSignal): Promise<void>;
  /** Brings everything but token and certificate in order; nothing for a Secret that is gone by now. */
  bringInOrder(app: Application, signal: AbortSignal): Promise<void>;
  remove(app: Application, uid: string, signal: AbortSignal): Promise<void>;
  /** Takes our finalizer off a Secret as it was read; a conflict is thrown. Returns what is there then. */
  release(app: Application, secret: OwnSecret, signal: AbortSignal): Promise<SecretState>;
}

const NOTHING: SecretContents = { token: undefined, certificate: undefined };

/** Reads and writes the Secrets of Applications, one by its name at a time: they cannot be listed. */
export function createSecretWriter({ client, caBundle }: SecretWriterDeps): SecretWriter {
  const get = (app: Application, signal: AbortSignal) => client.get<SecretObject>(refOf(app), { signal });

  async function replace(
    app: Application,
    contents: SecretContents,
    found: SecretObject,
    signal: AbortSignal,
  ): Promise<void> {
    if (canBecomeOurs(found)) {
      await client.replace(refOf(app), buildSecret(app, contents, caBundle(), found), { signal });
      return;
    }
    await client.delete(refOf(app), { uid: found.metadata.uid ?? '', signal });
    await create(app, contents, signal);
  }

  const create = (app: Application, contents: SecretContents, signal: AbortSignal) =>
    client.create(SECRETS, app.metadata.namespace, buildSecret(app, contents, caBundle()), { signal });

  /** False: it is not there. */
  async function renew(app: Application, fresh: SecretContents, signal: AbortSignal): Promise<boolean> {
    const found = await get(app, signal);
    if (found === undefined) return false;
    if (describeSecret(found, app, caBundle()).state !== 'ours') return true;
    await replace(app, merged(app, readContents(found.data), fresh), found, signal);
    return true;
  }

  return {
    async read(app, signal) {
      return describeSecret(await get(app, signal), app, caBundle());
    },
    async write(app, fresh, isThere, signal) {
      if (isThere && (await renew(app, fresh, signal))) return;
      // Without its token it would be of no use; the next look makes both.
      if (fresh.token === undefined && app.spec.auth === 'token') return;
      try {
        await create(app, fresh, signal);
      } catch (error) {
        if (!isAlreadyExists(error) || !(await renew(app, fresh, signal))) throw error;
      }
    },
    async bringInOrder(app, signal) {
      await renew(app, NOTHING, signal);
    },
    async remove(app, uid, signal) {
      await client.delete(refOf(app), { uid, signal });
    },
    async release(app, { resourceVersion, finalizers }, signal) {
      const body = asRead(resourceVersion, [
        { op: 'replace', path: '/metadata/finalizers', value: finalizers },
      ]);
      const left = await client.patch<SecretObject>(refOf(app), { type: 'json', body }, { signal });
      const isGone = left.metadata.deletionTimestamp !== undefined && finalizers.length === 0;
      return describeSecret(isGone ? undefined : left, app, caBundle());
    },
  };
}

/** With a pod identity nothing of it is kept. */
function merged({ spec }: Application, stored: SecretContents, fresh: SecretContents): SecretContents {
  if (spec.auth !== 'token') return NOTHING;
  return { token: fresh.token ?? stored.token, certificate: fresh.certificate ?? stored.certificate };
}

function refOf(app: Application): ObjectRef {
  return { resource: SECRETS, namespace: app.metadata.namespace, name: secretName(app.metadata.name) };
}

function isAlreadyExists(error: unknown): boolean {
  return isConflict(error) && error instanceof KubeApiError && error.reason === 'AlreadyExists';
}
