import type { ShutdownCaller } from '../applications/index.ts';
import type { Config } from '../config/index.ts';
import { signWebhook, type CallResult, type OutboundCaller } from '../outbound/index.ts';

/** Nothing of it is used; but a service may work between the head and the body of its answer, and must not be cut off. */
const MAX_ANSWER_BYTES = 65_536;

/**
 * Asks applications to shut down: `PUT`, JSON, signed as Standard Webhooks with the application's token (unsigned, if it has a pod identity). Any 2xx means that it was heard; whether
 * the application has shut down is said by its own PUT alone.
 */
export function createShutdownCaller(
  outbound: OutboundCaller,
  { connectTimeout, answerTimeout }: Pick<Config['outbound'], 'connectTimeout' | 'answerTimeout'>,
  now: () => number,
): ShutdownCaller {
  // The end of the round ends the call.
  const answerTimeoutMs = answerTimeout === 0 ? Infinity : answerTimeout;
  return async ({ namespace, application, url, connectTo, id, body, key, signal }) => {
    const timestamp = Math.floor(now() / 1_000);
    const result = await outbound.call({
      purpose: 'shutdown',
      method: 'PUT',
      url,
      headers: {
        'content-type': 'application/json',
        ...(key === undefined
          ? { 'webhook-id': id, 'webhook-timestamp': String(timestamp) }
          : signWebhook({ id, timestamp, body, keys: [{ type: 'hmac', key }] })),
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

function isHeard(result: CallResult): boolean {
  return result.kind === 'answered' && result.status >= 200 && result.status <= 299;
}

function describe(result: CallResult): string {
  if (result.kind === 'failed') return result.message;
  const isRedirect = result.status >= 300 && result.status <= 399;
  return `answered ${result.status}${isRedirect ? ', a redirect, which is not followed' : ''}`;
}
