import { callbackPath, secretName, type Hook } from '../contract/index.ts';
import type { JsonObject } from '../review/index.ts';
import { SECRET_KEYS, TOKEN_FILE, TOKEN_VOLUME_NAME, type InjectedVolume } from './injected-volumes.ts';
import type { InjectedEnv, Injection } from './injection.ts';

/** What is there already, compared with what is to be injected. */
export type Match =
  /** As it should be; or ours for this application under another configuration, which a Job made then must keep. */
  | 'ours'
  /** Ours, but of another application (a copied manifest), of another kind of proof or of an older version. */
  | 'stale'
  /** The user's own. */
  | 'foreign';

/**
 * Whose an existing environment variable of an injected name is.
 *
 * @param container the one that it stands in
 * @param staleApplication the one that a stamp found there names
 */
export function matchEnv(
  existing: JsonObject,
  wanted: InjectedEnv,
  container: JsonObject,
  injection: Injection,
  staleApplication: string | undefined,
): Match {
  if (wanted.holds === 'token-file') return matchTokenFile(existing, wanted, container);
  if (wanted.holds !== 'token') return matchUrl(existing, wanted.holds, injection, staleApplication);
  if (existing.value) return 'foreign';
  return matchTokenRef(existing, injection, staleApplication);
}

/** Whose token an environment variable refers to; `foreign` when it is not the token of an application. */
export function matchTokenRef(
  existing: JsonObject,
  injection: Injection,
  staleApplication: string | undefined,
): Match {
  const secretKeyRef = member(member(existing, 'valueFrom'), 'secretKeyRef');
  if (secretKeyRef?.key !== SECRET_KEYS.token || secretKeyRef.optional === true) return 'foreign';
  return matchSecret(secretKeyRef.name, injection, staleApplication);
}

/** Whose an existing volume of an injected name is. */
export function matchVolume(
  existing: JsonObject,
  wanted: InjectedVolume,
  injection: Injection,
  staleApplication: string | undefined,
): Match {
  const entry = wanted.entry(0);
  if (wanted.name === TOKEN_VOLUME_NAME) return matchIdentity(existing, entry);
  const match = matchSecret(member(existing, 'secret')?.secretName, injection, staleApplication);
  // A file that the Secret lacks holds the pod up for good; without the key a token alone would not do.
  return match === 'ours' && keysOf(existing) !== keysOf(entry) ? 'stale' : match;
}

/** The keys of the Secret that a volume has, under whichever file names. */
function keysOf(volume: JsonObject): string {
  const items = members(member(volume, 'secret')?.items);
  return items
    .map(({ key }) => String(key))
    .sort()
    .join();
}

/** The callbacks take no token of another audience. */
function matchIdentity(existing: JsonObject, entry: JsonObject): Match {
  const found = identityOf(existing);
  if (found?.path !== TOKEN_FILE) return 'foreign';
  return found.audience === identityOf(entry)?.audience ? 'ours' : 'stale';
}

function identityOf(volume: JsonObject): JsonObject | undefined {
  return member(members(member(volume, 'projected')?.sources)[0], 'serviceAccountToken');
}

function matchSecret(name: unknown, injection: Injection, staleApplication: string | undefined): Match {
  if (name === secretName(injection.application)) return 'ours';
  return staleApplication !== undefined && name === secretName(staleApplication) ? 'stale' : 'foreign';
}

function matchUrl(
  existing: JsonObject,
  hook: Hook,
  injection: Injection,
  staleApplication: string | undefined,
): Match {
  const { value } = existing;
  if (typeof value !== 'string' || existing.valueFrom) return 'foreign';
  if (value.endsWith(callbackPath(injection.namespace, injection.application, hook))) return 'ours';
  // Copied from another namespace, the application may even have the same name.
  const isCopy =
    staleApplication !== undefined && value.endsWith(`/applications/${staleApplication}/${hook}`);
  return isCopy ? 'stale' : 'foreign';
}

/** The path of a token that is ours is one where our volume is mounted in the same container, or is about to be. */
function matchTokenFile(existing: JsonObject, wanted: InjectedEnv, container: JsonObject): Match {
  const { value } = existing;
  if (typeof value !== 'string' || existing.valueFrom) return 'foreign';
  const isMounted = members(container.volumeMounts).some(
    ({ name, mountPath }) => name === TOKEN_VOLUME_NAME && value === `${String(mountPath)}/${TOKEN_FILE}`,
  );
  return isMounted || value === wanted.entry.value ? 'ours' : 'foreign';
}

function member(object: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = object?.[key];
  return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
}

/** The objects of a list; of anything else none. */
function members(list: unknown): readonly JsonObject[] {
  if (!Array.isArray(list)) return [];
  return list.filter((item): item is JsonObject => typeof item === 'object' && item !== null);
}
