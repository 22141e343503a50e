import type { Webhook, WebhookDelivery } from '../jobs/index.ts';
import { classifyResult, type OutboundCaller } from '../outbound/index.ts';
import type { AttemptResult } from './after-attempt.ts';
import { buildRequest, type RequestOptions } from './build-request.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface AttemptDeps {
  readonly caller: OutboundCaller;
  readonly keys: SigningKeys;
  readonly now: () => number;
}

export interface AttemptOptions extends RequestOptions {
  readonly connectTimeoutMs: number;
}

/** So much of an answer is read. */
const MAX_ANSWER_BYTES = 2_048;
const BODY_TIMEOUT_MS = 1_000;

/** Calls the endpoint once. Rejects only when the API server cannot be asked for the key. */
export async function attempt(
  delivery: WebhookDelivery,
  webhook: Webhook,
  { caller, keys, now }: AttemptDeps,
  options: AttemptOptions,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const { spec, metadata } = webhook;
  const signing = await keys.keysFor(metadata.namespace, spec.secretRefs);
  if (signing.kind === 'problem') return { kind: 'unsigned', problem: signing.problem };
  const { headers, body } = buildRequest(delivery, webhook, signing.keys, now(), options);
  const result = await caller.call({
    purpose: 'webhook',
    method: 'POST',
    url: spec.url,
    namespace: metadata.namespace,
    headers,
    body,
    connectTimeoutMs: Math.min(options.connectTimeoutMs, spec.timeoutSeconds * 1_000),
    answerTimeoutMs: spec.timeoutSeconds * 1_000,
    bodyTimeoutMs: BODY_TIMEOUT_MS,
    maxAnswerBytes: MAX_ANSWER_BYTES,
    // All of a tenant's: so many places are theirs, however many Webhooks they have.
    group: metadata.namespace,
    signal,
  });
  return {
    kind: 'called',
    result,
    verdict: classifyResult(result, result.kind === 'answered' && result.inCluster === true),
  };
}
