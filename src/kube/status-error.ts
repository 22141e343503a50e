import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { KubeApiError } from './kube-api-error.ts';

const MAX_MESSAGE_LENGTH = 1_024;

// The few fields of a Status that are read; whatever else answers (a proxy, a load balancer) fails to parse and is told by its code alone.
const statusSchema = z.object({
  code: z.int().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  reason: z.string().optional().catch(undefined),
  details: z
    .object({ retryAfterSeconds: z.number().positive().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** What was asked, for the message: verb and path, never a body. */
export interface AskedFor {
  readonly method: string;
  readonly path: string;
}

/** The error of an answer that is no 2xx. */
export function toApiError(
  asked: AskedFor,
  httpStatus: number,
  headers: IncomingHttpHeaders,
  body: string,
): KubeApiError {
  const status = statusSchema.safeParse(parseJson(body)).data;
  const header = Number(headers['retry-after']);
  const retryAfterSeconds =
    Number.isFinite(header) && header > 0 ? header : status?.details?.retryAfterSeconds;
  return build(asked, httpStatus, status, retryAfterSeconds);
}

/** The error of a watch's ERROR event. */
export function toWatchError(asked: AskedFor, object: unknown): KubeApiError {
  const status = statusSchema.safeParse(object).data;
  return build(asked, status?.code ?? 500, status, status?.details?.retryAfterSeconds);
}

function build(
  { method, path }: AskedFor,
  httpStatus: number,
  status: z.infer<typeof statusSchema> | undefined,
  retryAfterSeconds: number | undefined,
): KubeApiError {
  const reason = status?.reason ?? `Http${httpStatus}`;
  const [resource = path] = path.split('?', 1);
  // The API server repeats refused values in its message. Of a Secret nothing is repeated.
  const said = /\/secrets(\/|$)/.test(resource) ? undefined : status?.message;
  const message = `${method} ${resource}: ${said ?? reason} (${httpStatus})`;
  return new KubeApiError(message.slice(0, MAX_MESSAGE_LENGTH), httpStatus, reason, retryAfterSeconds);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not the API server's own answer
  }
}
