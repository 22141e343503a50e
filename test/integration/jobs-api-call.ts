import type { JobsReplica } from './jobs-setting.ts';

export interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly body: unknown;
}

/** One call of the REST listener of one of the replicas. */
export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
  replica?: number,
) => Promise<Answer>;

export function createCall(replicas: () => readonly JobsReplica[]): Call {
  return async (method, path, body, headers = {}, replica = 0) => {
    const response = await fetch(`${replicas()[replica]?.baseUrl ?? ''}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
    });
    const text = await response.text();
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      headers: response.headers,
      body: text.startsWith('{') || text.startsWith('[') ? (JSON.parse(text) as unknown) : text,
    };
  };
}
