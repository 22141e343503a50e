import { readFile } from 'node:fs/promises';
import { systemClock, type Clock } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { certificatesPem, parseCertificates } from './certificate.ts';
import { createChangeListeners } from './change-listeners.ts';
import { createPoll } from './poll.ts';

export interface ClientCaFileDeps {
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface ClientCaFileOptions {
  /** CA certificates, PEM. */
  readonly file: string;
  /** The configuration's name of it, for errors. */
  readonly key: string;
  /** How often it is read; default 10 s. */
  readonly pollIntervalMs?: number;
}

/** The CA certificates of a file, followed while it changes; what a listener knows its clients by. */
export interface ClientCaFile {
  readonly name: string;
  /** Rejects with a readable error when the file has no CA certificate that is valid. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  ready(): boolean;
  caPem(): string;
  onChange(listener: () => void): () => void;
}

const POLL_INTERVAL_MS = 10_000;

/** A file that cannot be used any more is an error in the log; the certificates that were read before stay. */
export function createClientCaFile(deps: ClientCaFileDeps, options: ClientCaFileOptions): ClientCaFile {
  const { file, key } = options;
  const logger = deps.logger.child({ component: 'client-ca', file });
  const clock = deps.clock ?? systemClock;
  const listeners = createChangeListeners((error) =>
    logger.error('the client CA was changed, but a listener did not take it', { error: String(error) }),
  );
  let caPem = '';

  async function refresh(): Promise<void> {
    const pem = parseCas(await readText(), clock.now());
    if (pem === caPem) return;
    caPem = pem;
    logger.info('client CA read');
    listeners.notify();
  }

  function parseCas(text: string, now: number): string {
    const certificates = parseCertificates(text);
    const other = certificates.find((certificate) => !certificate.ca);
    if (other !== undefined) throw new Error(`${key}: ${file} holds a certificate that is no CA`);
    const valid = certificates.filter((certificate) => certificate.validToDate.getTime() > now);
    if (valid.length === 0) throw new Error(`${key}: ${file} holds no CA certificate that is valid now`);
    return certificatesPem(valid);
  }

  async function readText(): Promise<string> {
    try {
      return await readFile(file, 'utf8');
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
      throw new Error(`${key}: ${file} cannot be read (${why})`, { cause });
    }
  }

  const poll = createPoll(
    { clock, logger },
    {
      subject: 'client CA file',
      intervalMs: () => options.pollIntervalMs ?? POLL_INTERVAL_MS,
      run: refresh,
    },
  );
  return {
    name: `client-ca ${key}`,
    async start(signal) {
      await refresh();
      poll.start(signal);
    },
    stop: () => poll.stop(),
    ready: () => caPem !== '',
    caPem: () => caPem,
    onChange: (listener) => listeners.add(listener),
  };
}
