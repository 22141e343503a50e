import type { ShutdownCaller } from '../applications/index.ts';
import type { Config } from '../config/index.ts';
import { signWebhook, type CallResult, type OutboundCaller, type WebhookMessage } from '../outbound/index.ts';
import type { CallerCertificate } from '../pki/index.ts';

/** Nothing of it is used; but a service may work between the head and the body of its answer, and must not be cut off. */
const MAX_ANSWER_BYTES = 65_536;

/** The certificate that goes with a signature of ours: base64 of its DER. An application has what signed it in its CA bundle. */
const CERTIFICATE_HEADER = 'krake-certificate';

/** Gives the certificate of the controller and its key; rejects while there is none. */
export type ReadCaller = () => Promise<Pick<CallerCertificate, 'certificate' | 'key'>>;

/**
 * Asks applications to shut down: `PUT`, JSON, signed as Standard Webhooks: with the application's token, or, if it has none but a pod identity, with
 * the key of the controller's own certificate. Any 2xx means that it was heard; whether the application has shut down is said by its own PUT alone.
 */
export function createShutdownCaller(
  outbound: OutboundCaller,
  readCaller: ReadCaller,
  { connectTimeout, answerTimeout }: Pick<Config['outbound'], 'connectTimeout' | 'answerTimeout'>,
  now: () => number,
): ShutdownCaller {
  // The end of the round ends the call.
  const answerTimeoutMs = answerTimeout === 0 ? Infinity : answerTimeout;
  return async ({ namespace, application, url, connectTo, id, body, key, signal }) => {
    const timestamp = Math.floor(now() / 1_000);
    const message = { id, timestamp, body };
    const signed =
      key === undefined
        ? await signAsController(message, readCaller)
        : signWebhook({ ...message, keys: [{ type: 'hmac', key }] });
    const result = await outbound.call({
      purpose: 'shutdown',
      method: 'PUT',
      url,
      headers: {
        'content-type': 'application/json',
        ...signed,
      },
      body,
      ...(connectTo === undefined ? {} : { connectTo }),
      connectTimeoutMs: connectTimeout,
      answerTimeoutMs,
      bodyTimeoutMs: answerTimeoutMs,
      maxAnswerBytes: MAX_ANSWER_BYTES,
      group: namespace,
      member: application,
      signal,
    });
    return isHeard(result) ? { accepted: true } : { accepted: false, error: describe(result) };
  };
}

async function signAsController(
  message: Omit<WebhookMessage, 'keys'>,
  readCaller: ReadCaller,
): Promise<Record<string, string>> {
  const caller = await readCaller().catch(() => undefined);
  // Its absence has been told where certificates are issued. Who checks refuses the call; to leave out the others would cost their state.
  if (caller === undefined)
    return { 'webhook-id': message.id, 'webhook-timestamp': String(message.timestamp) };
  const headers = signWebhook({ ...message, keys: [{ type: 'ed25519', key: caller.key }] });
  return { ...headers, [CERTIFICATE_HEADER]: caller.certificate.raw.toString('base64') };
}

function isHeard(result: CallResult): boolean {
  return result.kind === 'answered' && result.status >= 200 && result.status <= 299;
}

function describe(result: CallResult): string {
  if (result.kind === 'failed') return result.message;
  const isRedirect = result.status >= 300 && result.status <= 399;
  return `answered ${result.status}${isRedirect ? ', a redirect, which is not followed' : ''}`;
}
