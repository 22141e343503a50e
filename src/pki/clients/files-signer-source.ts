import type { Clock } from '../../kube/index.ts';
import type { Logger } from '../../observability/index.ts';
import { certificatesPem } from '../certificate.ts';
import { createPoll } from '../poll.ts';
import { createExpiryWarning } from './expiry-warning.ts';
import { readIntermediateFiles, type IntermediateFiles } from './intermediate-files.ts';
import { parseIntermediate, type OperatorIntermediate } from './parse-intermediate.ts';
import { createClientCertificateSigner, type ClientCertificateSigner } from './sign-client-certificate.ts';
import type { SignerSource } from './signer-source.ts';
import type { TrustKeeper } from './trust-keeper.ts';

export interface FilesSignerSourceDeps {
  readonly trustKeeper: TrustKeeper;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called after each look at the files. */
  readonly onLook: () => void;
}

export interface FilesSignerSourceOptions {
  readonly files: IntermediateFiles;
  readonly hookUser: string;
  readonly trustDelayMs: number;
  readonly pollIntervalMs: number;
}

/** Callbacks read the ConfigMap every 5 s; who is new at the start of a process waits for that, since nothing else can sign meanwhile. */
const SETTLE_MS = 10_000;

interface Usable {
  readonly intermediate: OperatorIntermediate;
  readonly signer: ClientCertificateSigner;
}

/**
 * The operator's intermediate. New files are taken when they are valid together: they are trusted at once and sign after the delay, and what signed
 * before stays trusted until all it signed has ended. Files that are not valid are an error in the log, and what signs stays. Its end is warned of.
 */
export function createFilesSignerSource(
  { trustKeeper, logger, clock, onLook }: FilesSignerSourceDeps,
  options: FilesSignerSourceOptions,
): SignerSource {
  let current: Usable | undefined;
  let next: (Usable & { readonly since: number }) | undefined;
  let digest: string | undefined;
  const warnOfEnd = createExpiryWarning(logger);

  async function readFiles(): Promise<Usable | undefined> {
    const texts = await readIntermediateFiles(options.files);
    if (texts.digest === digest) return undefined;
    // A controller that starts again after its end has other things to do than to sign. What takes its place has to be good.
    const mayHaveEnded = digest === undefined;
    const intermediate = await parseIntermediate(texts, clock.now(), mayHaveEnded);
    digest = texts.digest;
    logger.info('signing certificate of applications read from files', {
      subject: intermediate.certificate.subject,
      notAfter: new Date(intermediate.notAfter).toISOString(),
    });
    return { intermediate, signer: createClientCertificateSigner(intermediate, options.hookUser) };
  }

  function publish(): ReturnType<TrustKeeper['publish']> {
    const inUse = [current, next].filter((usable) => usable !== undefined);
    return trustKeeper.publish(
      inUse.map(({ intermediate }) => ({ chain: intermediate.chain, trustUntil: undefined })),
    );
  }

  async function look(): Promise<void> {
    // What signs goes on being trusted even while the files are wrong; so the error waits.
    const [read] = await Promise.allSettled([readFiles()]);
    if (read.status === 'fulfilled' && read.value !== undefined) {
      const isSame = read.value.signer.issuerSha256 === current?.signer.issuerSha256;
      next = isSame ? undefined : { ...read.value, since: clock.now() };
    }
    await publish();
    promote();
    onLook();
    warnIfEnding();
    if (read.status === 'rejected') throw read.reason;
  }

  function warnIfEnding(): void {
    if (current === undefined || next !== undefined) return;
    const { certificate, notAfter } = current.intermediate;
    const { subject, validFromDate } = certificate;
    warnOfEnd({ subject, notBefore: validFromDate.getTime(), notAfter }, clock.now());
  }

  function promote(): void {
    if (next === undefined) return;
    const now = clock.now();
    const canStillSign = current !== undefined && current.intermediate.notAfter > now;
    if (canStillSign && now < next.since + options.trustDelayMs) return;
    current = { intermediate: next.intermediate, signer: next.signer };
    next = undefined;
    logger.info('another signing certificate of applications signs from now on', {
      subject: current.intermediate.certificate.subject,
    });
  }

  async function begin(signal: AbortSignal): Promise<void> {
    const first = await readFiles();
    if (first === undefined) return;
    next = { ...first, since: clock.now() };
    const untilPublished = createPoll(
      { clock, logger },
      {
        subject: 'ConfigMap with the signing certificate of applications',
        intervalMs: () => options.pollIntervalMs,
        async run() {
          const { isNew } = await publish();
          wasNew ??= isNew(certificatesPem([first.intermediate.certificate]));
        },
      },
    );
    let wasNew: boolean | undefined;
    untilPublished.start(signal);
    await untilPublished.succeeded();
    await untilPublished.stop();
    const settleMs = Math.min(options.trustDelayMs, SETTLE_MS);
    if (wasNew === true) await pause(clock, settleMs, signal);
    promote();
    onLook();
  }

  const poll = createPoll(
    { clock, logger },
    {
      subject: 'files of the signing certificate of applications',
      intervalMs: () => options.pollIntervalMs,
      run: look,
    },
  );
  return {
    async start(signal) {
      await begin(signal);
      poll.start(signal);
    },
    stop: () => poll.stop(),
    current: () => current?.signer,
    chainPem: () => trustKeeper.pem(),
  };
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    const end = () => {
      cancel();
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
  });
}
