import { createHash } from 'node:crypto';
import { FINALIZER_SHUTDOWN, MANAGED_BY, LABEL_APPLICATION, secretName } from '../contract/index.ts';
import type { KubeObject, ObjectMeta } from '../kube/index.ts';
import { API_VERSION, MANAGED_BY_LABEL, type Application } from './application.ts';
import type { SecretState } from './application-view.ts';
import {
  buildData,
  identifyCertificate,
  isBundleInOrder,
  readContents,
  type SecretContents,
} from './secret-contents.ts';

export const SECRETS = { apiVersion: 'v1', plural: 'secrets' } as const;
const TOKEN_BYTES = 32;

export interface SecretObject extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** A new token: 256 random bits, base64url. */
export function createToken(randomBytes: (size: number) => Buffer): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

/** SHA-256 in hex, as status has it of token and CA bundle. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The Secret as it should be. What others added to an existing one (annotations, further keys and labels) is kept. */
export function buildSecret(
  app: Application,
  contents: SecretContents,
  caBundle: string,
  existing?: SecretObject,
): SecretObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      ...pickIdentity(existing?.metadata),
      name: secretName(app.metadata.name),
      namespace: app.metadata.namespace,
      labels: { ...existing?.metadata.labels, ...wantedLabels(app) },
      finalizers: finalizersOf(existing?.metadata, isKept(app)),
      ownerReferences: [
        {
          apiVersion: API_VERSION,
          kind: 'Application',
          name: app.metadata.name,
          uid: app.metadata.uid,
          controller: true,
        },
      ],
    },
    data: buildData(contents, caBundle, existing?.data),
  };
}

/** What is to be known of the Secret that was found. Holds hashes, and never the token or a key. */
export function describeSecret(
  secret: SecretObject | undefined,
  app: Application,
  caBundle: string,
): SecretState {
  if (secret === undefined) return { state: 'absent' };
  const { uid = '', resourceVersion = '' } = secret.metadata;
  const { token, certificate } = readContents(secret.data);
  const tokenSha256 = token === undefined ? undefined : sha256(token);
  if (!isOurs(secret.metadata, tokenSha256, app)) return { state: 'foreign' };
  const inOrder =
    isBundleInOrder(secret.data, caBundle, app.spec.auth) &&
    hasLabels(secret.metadata, wantedLabels(app)) &&
    isHeld(secret.metadata) === isKept(app) &&
    isOwnedBy(secret.metadata, app);
  const deleting = secret.metadata.deletionTimestamp !== undefined;
  return {
    state: 'ours',
    uid,
    resourceVersion,
    tokenSha256,
    certificate: certificate && identifyCertificate(certificate),
    inOrder,
    deleting,
    held: isHeld(secret.metadata),
    finalizers: finalizersOf(secret.metadata, false),
  };
}

/** By its label, its owner, or the token in it. */
function isOurs(metadata: ObjectMeta, tokenSha256: string | undefined, app: Application): boolean {
  return (
    metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY ||
    (tokenSha256 !== undefined && tokenSha256 === app.status?.tokenSha256) ||
    metadata.ownerReferences?.some(({ uid: owner }) => owner === app.metadata.uid) === true
  );
}

/** It stays as long as its Application does: the calls are signed with the token in it, and a container that restarts reads it again. */
function isKept({ metadata }: Application): boolean {
  return metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true;
}

function isHeld({ finalizers = [] }: ObjectMeta): boolean {
  return finalizers.includes(FINALIZER_SHUTDOWN);
}

function finalizersOf(metadata: ObjectMeta | undefined, held: boolean): string[] {
  const others = (metadata?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER_SHUTDOWN);
  return held ? [...others, FINALIZER_SHUTDOWN] : others;
}

export function readToken({ data }: SecretObject): string | undefined {
  return readContents(data).token;
}

/** An immutable Secret, or one of another type, cannot become what it should be: it is made again. */
export function canBecomeOurs(secret: SecretObject & { readonly immutable?: boolean }): boolean {
  return secret.immutable !== true && (secret.type ?? 'Opaque') === 'Opaque';
}

function wantedLabels(app: Application): Readonly<Record<string, string>> {
  return { [MANAGED_BY_LABEL]: MANAGED_BY, [LABEL_APPLICATION]: app.metadata.name };
}

function hasLabels(metadata: ObjectMeta, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => metadata.labels?.[key] === value);
}

function isOwnedBy({ ownerReferences }: ObjectMeta, app: Application): boolean {
  const owner = ownerReferences?.[0];
  return ownerReferences?.length === 1 && owner?.uid === app.metadata.uid && owner.controller === true;
}

/** The resourceVersion makes the write fail if somebody else was faster. */
function pickIdentity(metadata: ObjectMeta | undefined): Partial<ObjectMeta> {
  if (metadata === undefined) return {};
  const { uid, resourceVersion, annotations } = metadata;
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
