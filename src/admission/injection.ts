import { callbackPath, secretName, type Hook } from '../contract/index.ts';
import type { JsonObject } from '../review/index.ts';
import type { AdmissionSettings } from './settings.ts';

/** Name of the volume that is added to a pod. */
export const VOLUME_NAME = 'krake-hooks';
/** Keys of an application's Secret. */
export const SECRET_TOKEN_KEY = 'token';
export const SECRET_CA_BUNDLE_KEY = 'ca-bundle.pem';
/** Readable for everyone in the container, whichever user it runs as; a CA bundle is no secret. */
const CA_BUNDLE_MODE = 0o444;

/** An environment variable to inject, and how an older one of ours looks. */
export interface InjectedEnv {
  readonly name: string;
  /** The entry as it goes into the container. */
  readonly entry: JsonObject;
  /** Set for a URL: the hook that it signals. Others refer to the Secret. */
  readonly hook: Hook | undefined;
}

/** All that a pod of one application gets. */
export interface Injection {
  readonly namespace: string;
  readonly application: string;
  /** A handful, each name once: looked through faster than a map, which would have to hash every name of the pod. */
  readonly env: readonly InjectedEnv[];
  readonly volume: JsonObject;
  readonly mountDirectories: readonly string[];
}

/** What is there already, compared with what is to be injected. */
export type Match =
  /** As it should be; or ours for this application under another configuration, which a Job made then must keep. */
  | 'ours'
  /** Ours, but of another application: a copied manifest. */
  | 'stale'
  /** The user's own. */
  | 'foreign';

export function buildInjection(
  settings: AdmissionSettings,
  namespace: string,
  application: string,
  hooks: readonly Hook[],
): Injection {
  const { injection } = settings;
  const env: InjectedEnv[] = [];
  const put = (name: string, entry: JsonObject, hook?: Hook): void => {
    if (!env.some((other) => other.name === name)) env.push({ name, entry: { name, ...entry }, hook });
  };
  const secretKeyRef = { name: secretName(application), key: SECRET_TOKEN_KEY };
  for (const name of injection.tokenEnv) put(name, { valueFrom: { secretKeyRef } });
  for (const hook of hooks) {
    const names = hookEnvNames(injection, hook);
    put(names.token, { valueFrom: { secretKeyRef } });
    put(names.url, { value: settings.callbackBase + callbackPath(namespace, application, hook) }, hook);
  }
  const volume = {
    name: VOLUME_NAME,
    secret: {
      secretName: secretName(application),
      items: [{ key: SECRET_CA_BUNDLE_KEY, path: injection.caBundleFile }],
      defaultMode: CA_BUNDLE_MODE,
    },
  };
  return { namespace, application, env, volume, mountDirectories: injection.mountDirectories };
}

/** Whose an existing environment variable of an injected name is. `staleApplication`: the one that a stamp found there names. */
export function matchEnv(
  existing: JsonObject,
  wanted: InjectedEnv,
  injection: Injection,
  staleApplication: string | undefined,
): Match {
  if (wanted.hook !== undefined) return matchUrl(existing, wanted.hook, injection, staleApplication);
  const secretKeyRef = member(member(existing, 'valueFrom'), 'secretKeyRef');
  if (existing.value || secretKeyRef?.key !== SECRET_TOKEN_KEY || secretKeyRef.optional === true) {
    return 'foreign';
  }
  return matchSecret(secretKeyRef.name, injection, staleApplication);
}

/** Whose an existing volume of our name is. */
export function matchVolume(
  existing: JsonObject,
  injection: Injection,
  staleApplication: string | undefined,
): Match {
  return matchSecret(member(existing, 'secret')?.secretName, injection, staleApplication);
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

function hookEnvNames(
  injection: AdmissionSettings['injection'],
  hook: Hook,
): { readonly token: string; readonly url: string } {
  return hook === 'complete'
    ? { token: injection.completeTokenEnv, url: injection.completeUrlEnv }
    : { token: injection.shutdownTokenEnv, url: injection.shutdownUrlEnv };
}

function member(object: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = object?.[key];
  return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
}
