import { secretName } from '../contract/index.ts';
import type { JsonObject } from '../review/index.ts';
import type { AdmissionSettings } from './settings.ts';

/** Name of the volume with the files of the application's Secret. */
export const VOLUME_NAME = 'krake-hooks';
/** Name of the volume with the token of the pod's identity. */
export const TOKEN_VOLUME_NAME = 'krake-hooks-token';
/** Keys of an application's Secret; with a pod identity it has the CA bundle only. */
export const SECRET_KEYS = {
  token: 'token',
  caBundle: 'ca-bundle.pem',
  certificate: 'cert.pem',
  privateKey: 'key.pem',
} as const;
/** Name of the file with a token, that of the Secret and that of the pod's identity. */
export const TOKEN_FILE = 'token';
/** Readable for everyone in the container, whichever user it runs as; a certificate is no secret. */
const PUBLIC_MODE = 0o444;

/** A volume to inject, and where it is mounted. */
export interface InjectedVolume {
  readonly name: string;
  readonly directories: readonly string[];
  /** `mode`: that of the files which are secret. */
  readonly entry: (mode: number) => JsonObject;
}

/** The files of the Secret: all of them, or with a pod identity the CA bundle. It is not optional: the kubelet waits until the Secret has them all. */
export function secretVolume(
  { injection }: AdmissionSettings,
  application: string,
  files: 'all' | 'ca-bundle',
): InjectedVolume {
  const { caBundleFile, certFile, keyFile, mountDirectories } = injection;
  const caBundle = { key: SECRET_KEYS.caBundle, path: caBundleFile, mode: PUBLIC_MODE };
  return {
    name: VOLUME_NAME,
    directories: mountDirectories,
    entry: (mode) => ({
      name: VOLUME_NAME,
      secret: {
        secretName: secretName(application),
        items:
          files === 'ca-bundle'
            ? [caBundle]
            : [
                caBundle,
                { key: SECRET_KEYS.certificate, path: certFile, mode: PUBLIC_MODE },
                { key: SECRET_KEYS.privateKey, path: keyFile, mode },
                { key: SECRET_KEYS.token, path: TOKEN_FILE, mode },
              ],
        // What we forgot to name is as secret as the key.
        defaultMode: mode,
      },
    }),
  };
}

/**
 * The token of the pod's identity. The kubelet gives it to the user that all containers of the pod run as, or to the fsGroup, and takes
 * the mode only where there is neither (KEP-2451).
 */
export function identityVolume({ injection, podIdentity }: AdmissionSettings): InjectedVolume {
  const serviceAccountToken = {
    audience: podIdentity.audience,
    expirationSeconds: Math.floor(podIdentity.tokenLifetime / 1_000),
    path: TOKEN_FILE,
  };
  return {
    name: TOKEN_VOLUME_NAME,
    directories: [injection.tokenDirectory],
    entry: () => ({
      name: TOKEN_VOLUME_NAME,
      projected: { sources: [{ serviceAccountToken }], defaultMode: PUBLIC_MODE },
    }),
  };
}
