import { readFile } from 'node:fs/promises';
import { systemClock, type Clock } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { createChangeListeners } from './change-listeners.ts';
import type { ServingNames } from './certificate-profiles.ts';
import { parseCertificateFiles, type CertificateFiles, type FileTexts } from './certificate-files.ts';
import type { Pki } from './pki.ts';
import { createPoll } from './poll.ts';
import { createTrustBundle } from './trust-bundle.ts';

export interface FilesPkiDeps {
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface FilesPkiOptions {
  /** Serving certificate and its intermediates, PEM. */
  readonly certFile: string;
  readonly keyFile: string;
  /** CA certificates that clients trust, PEM. */
  readonly caFile: string;
  /** How often the files are read; default 10 s. A poll, since a mounted Secret changes by a link that file watchers miss. */
  readonly pollIntervalMs?: number;
}

const POLL_INTERVAL_MS = 10_000;

/**
 * Certificates that someone else makes (cert-manager, own PKI). New files are taken when they are valid together; else what is in use stays, with
 * an error in the log. All listeners share the one certificate.
 *
 * To change the CA: put the new certificate beside the old one into the CA file first, wait until all replicas and applications have it, then
 * change the serving certificate, then take the old CA away.
 *
 * `start` rejects with a readable error when the files cannot be used.
 */
export function createFilesPki(deps: FilesPkiDeps, options: FilesPkiOptions): Pki {
  const logger = deps.logger.child({ component: 'pki' });
  const clock = deps.clock ?? systemClock;
  const onListenerError = (error: unknown) =>
    logger.error('a certificate was changed, but a listener did not take it', { error: String(error) });
  const listeners = createChangeListeners(onListenerError);
  const trustBundle = createTrustBundle(() => refresh(), onListenerError);
  const wantedNames: ServingNames[] = [];
  let texts: FileTexts | undefined;
  let files: CertificateFiles | undefined;

  async function refresh(): Promise<void> {
    const read = await readFiles(options);
    if (texts !== undefined && equal(texts, read)) return;
    const parsed = parseCertificateFiles(read, options, clock.now());
    texts = read;
    files = parsed;
    logger.info('certificates read from files', {
      notAfter: new Date(parsed.servingNotAfter).toISOString(),
      caNotAfter: new Date(parsed.caNotAfter).toISOString(),
    });
    for (const names of wantedNames) warnOfMissingNames(parsed, names);
    trustBundle.set(parsed.caPem);
    listeners.notify();
  }

  function warnOfMissingNames(parsed: CertificateFiles, names: ServingNames): void {
    const missing = parsed.missingNames(names);
    if (missing.length === 0) return;
    logger.warn('the serving certificate lacks names that clients may use', {
      missing,
      file: options.certFile,
    });
  }

  const poll = createPoll(
    { clock, logger },
    {
      subject: 'certificate files',
      intervalMs: () => options.pollIntervalMs ?? POLL_INTERVAL_MS,
      run: () => refresh(),
    },
  );
  return {
    name: 'pki',
    async start(signal) {
      await refresh();
      poll.start(signal);
    },
    stop: () => poll.stop(),
    ready: () => files !== undefined && files.servingNotAfter > clock.now(),
    tlsSource(names) {
      wantedNames.push(names);
      if (files !== undefined) warnOfMissingNames(files, names);
      return {
        current() {
          if (files === undefined) throw new Error('the certificate files are not read yet');
          return { cert: files.cert, key: files.key };
        },
        onChange: (listener) => listeners.add(listener),
      };
    },
    trustBundle,
    expiry: () => ({ caNotAfter: files?.caNotAfter, servingNotAfter: files?.servingNotAfter }),
  };
}

async function readFiles({ certFile, keyFile, caFile }: FilesPkiOptions): Promise<FileTexts> {
  // One after another, so that of several missing files the same one is named each time.
  const cert = await readText(certFile);
  const key = await readText(keyFile);
  return { cert, key, ca: await readText(caFile) };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new Error(`${path} cannot be read (${why}); pki.mode is "files", so it must be mounted there`, {
      cause,
    });
  }
}

function equal(a: FileTexts, b: FileTexts): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}
