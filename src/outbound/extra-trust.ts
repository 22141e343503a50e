import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { Logger } from '../observability/index.ts';

/** What TLS calls trust; undefined: what the process trusts by default. */
export type Trust = () => Promise<SecureContext | undefined>;

/**
 * The default CAs and those of a file (PEM), which is read again when it has changed: a mounted ConfigMap follows without a restart. A file
 * that cannot be read or used is logged, once for each state of it; what was read before stays in use.
 */
export function createExtraTrust(caFile: string | undefined, logger: Logger): Trust {
  let used: { readonly state: string; readonly context: SecureContext | undefined } | undefined;

  if (caFile === undefined) return () => Promise.resolve(undefined);
  return async () => {
    const state = await stateOf(caFile);
    if (state === used?.state) return used.context;
    try {
      const context = contextOf(await readFile(caFile, 'utf8'));
      used = { state, context };
    } catch (error) {
      used = { state, context: used?.context };
      logger.warn('the CA file for outbound calls cannot be used; what was trusted before still is', {
        caFile,
        error: error instanceof Error ? error.message : String(error),
      });
    }
    return used.context;
  };
}

/** Changes with the file, also when a symbolic link on the way leads elsewhere (a mounted ConfigMap). */
async function stateOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs } = await stat(path);
    return [dev, ino, size, mtimeMs].join(' ');
  } catch {
    return 'missing';
  }
}

function contextOf(pem: string): SecureContext {
  // Without it OpenSSL would take an empty or foreign file for no CA at all, in silence.
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it contains no certificate in PEM form');
  return createSecureContext({ ca: [...getCACertificates('default'), pem], minVersion: 'TLSv1.2' });
}
