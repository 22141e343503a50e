import { callbackPath, secretName, type Auth, type Hook } from '../contract/index.ts';
import type { JsonObject } from '../review/index.ts';
import {
  SECRET_KEYS,
  TOKEN_FILE,
  identityVolume,
  secretVolume,
  type InjectedVolume,
} from './injected-volumes.ts';
import type { AdmissionSettings } from './settings.ts';

/** An environment variable to inject. */
export interface InjectedEnv {
  readonly name: string;
  /** The entry as it goes into the container. */
  readonly entry: JsonObject;
  /** What it holds: the token by a reference to the Secret, the path of the pod's own token, or the URL of a hook. */
  readonly holds: 'token' | 'token-file' | Hook;
}

/** All that a pod of one application gets. */
export interface Injection {
  readonly namespace: string;
  readonly application: string;
  readonly auth: Auth;
  /** A handful, each name once: looked through faster than a map, which would have to hash every name of the pod. */
  readonly env: readonly InjectedEnv[];
  readonly volumes: readonly InjectedVolume[];
  /** For a pod that has no group of its own which could read the private key. */
  readonly fsGroup: number;
}

export function buildInjection(
  settings: AdmissionSettings,
  namespace: string,
  application: string,
  { hooks, auth }: { readonly hooks: readonly Hook[]; readonly auth: Auth },
): Injection {
  const { injection } = settings;
  const hasToken = auth === 'token';
  const env: InjectedEnv[] = [];
  const put = (name: string, entry: JsonObject, holds: InjectedEnv['holds']): void => {
    if (!env.some((other) => other.name === name)) env.push({ name, entry: { name, ...entry }, holds });
  };
  const secretKeyRef = { name: secretName(application), key: SECRET_KEYS.token };
  if (hasToken) for (const name of injection.tokenEnv) put(name, { valueFrom: { secretKeyRef } }, 'token');
  else put(injection.tokenFileEnv, { value: `${injection.tokenDirectory}/${TOKEN_FILE}` }, 'token-file');
  for (const hook of hooks) {
    const names = hookEnvNames(injection, hook);
    if (hasToken) put(names.token, { valueFrom: { secretKeyRef } }, 'token');
    put(names.url, { value: settings.callbackBase + callbackPath(namespace, application, hook) }, hook);
  }
  const volumes = hasToken
    ? [secretVolume(settings, application, 'all')]
    : [secretVolume(settings, application, 'ca-bundle'), identityVolume(settings)];
  return { namespace, application, auth, env, volumes, fsGroup: injection.fsGroup };
}

function hookEnvNames(
  injection: AdmissionSettings['injection'],
  hook: Hook,
): { readonly token: string; readonly url: string } {
  return hook === 'complete'
    ? { token: injection.completeTokenEnv, url: injection.completeUrlEnv }
    : { token: injection.shutdownTokenEnv, url: injection.shutdownUrlEnv };
}
