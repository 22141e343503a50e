import { request } from 'node:https';
import type { Cluster } from '../cluster/cluster.ts';

/** Answers of the API server, with their headers. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: {
    readonly reason?: string;
    readonly message?: string;
    readonly details?: { readonly retryAfterSeconds?: number };
  };
}

export interface CallOptions {
  /** Another user. */
  readonly as?: string;
  /** Of a PATCH; default merge. */
  readonly patch?: 'merge' | 'json';
}

/** One request of the administrator's, with what kubectl does not show: status and headers. Nothing is tried again. */
export function callApi(
  { url, caPem, adminToken }: Cluster,
  method: string,
  path: string,
  body?: object,
  { as, patch = 'merge' }: CallOptions = {},
): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const type = method === 'PATCH' ? `application/${patch}-patch+json` : 'application/json';
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      // Without it Node sends no body with a DELETE.
      'content-length': Buffer.byteLength(text),
      authorization: `Bearer ${adminToken}`,
      'content-type': type,
      ...(as === undefined ? {} : { 'impersonate-user': as }),
    };
    const outgoing = request(`${url}${path}`, { method, headers, ca: caPem, agent: false }, (incoming) => {
      let answer = '';
      incoming.on('data', (chunk: Buffer) => (answer += chunk.toString('utf8')));
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: JSON.parse(answer) as ApiAnswer['body'],
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}
