import { request } from 'node:https';

export interface ApiEndpoint {
  readonly url: string;
  readonly caPem: string;
  readonly adminToken: string;
}

/** GETs a path of the API server with a time limit of its own: a server that is going down may accept and never answer. */
export const getFromApi = (
  { url, caPem, adminToken }: ApiEndpoint,
  path: string,
  timeoutMs = 2_000,
): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const headers = adminToken === '' ? {} : { authorization: `Bearer ${adminToken}` };
    const signal = AbortSignal.timeout(timeoutMs);
    const outgoing = request(new URL(path, url), { ca: caPem, headers, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
