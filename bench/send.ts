import { once } from 'node:events';
import { request, type IncomingMessage, type RequestOptions } from 'node:http';

/** One HTTP request with a JSON body; resolves with the status once the answer has ended, and reads nothing of it. */
export async function send(url: string, options: RequestOptions, body = ''): Promise<number> {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(options.headers as Readonly<Record<string, string>> | undefined),
  };
  const outgoing = request(url, { ...options, headers });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode ?? 0;
}
