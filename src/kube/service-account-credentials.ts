import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CredentialSource } from './credentials.ts';

/** Where the kubelet mounts a pod's service account. */
export const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export function hasServiceAccount(directory: string): boolean {
  return existsSync(join(directory, 'token'));
}

/** A pod's service account: token and CA are read from their files each time, so rotation of either is followed. */
export function createServiceAccountSource(directory: string, url: string): CredentialSource {
  const server = new URL(url);
  return {
    read: async () => {
      const [token, ca] = await Promise.all([
        readFile(join(directory, 'token'), 'utf8'),
        readFile(join(directory, 'ca.crt')),
      ]);
      return { server, headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
    },
  };
}
