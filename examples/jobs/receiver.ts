// A receiver of job-done webhooks: it takes what is signed with its key and not old, and remembers the ids that it has had. GET /journal tells
// what came, in order. Nothing but Node is needed; any library of Standard Webhooks does the same.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';

interface Entry {
  readonly at: string;
  readonly pod: string;
  readonly path: string;
  /** The same at each attempt: who has seen it has had the event. */
  readonly id: string;
  readonly signature: 'valid' | 'invalid' | 'none';
  readonly again: boolean;
  /** HTTP status of the answer. */
  readonly answer: number;
  readonly body: string;
}

const TOLERANCE_SECONDS = 300;
const MAX_BODY = 100_000;
const { WEBHOOK_SECRET = '', POD_NAME: pod = '', ACCEPTS_UNSIGNED = 'no' } = process.env;
const key = Buffer.from(WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64');
const journal: Entry[] = [];

function checkSignature(headers: IncomingHttpHeaders, body: string): Entry['signature'] {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers;
  if (typeof signatures !== 'string') return 'none';
  const age = Math.abs(Date.now() / 1_000 - Number(timestamp));
  if (key.length === 0 || !(age < TOLERANCE_SECONDS)) return 'invalid';
  const signed = createHmac('sha256', key).update(`${String(id)}.${String(timestamp)}.${body}`);
  const expected = Buffer.from(`v1,${signed.digest('base64')}`);
  // Several while a key is being replaced: one that fits is enough.
  const fits = signatures.split(' ').some((text) => {
    const given = Buffer.from(text);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  return fits ? 'valid' : 'invalid';
}

function receive(path: string, headers: IncomingHttpHeaders, body: string): number {
  const id = String(headers['webhook-id'] ?? '');
  const signature = checkSignature(headers, body);
  const again = journal.some((entry) => entry.id === id && entry.answer < 300);
  const isGenuine = signature === 'valid' || (signature === 'none' && ACCEPTS_UNSIGNED === 'yes');
  const answer = isGenuine ? 204 : 401;
  const entry = { at: new Date().toISOString(), pod, path, id, signature, again, answer, body };
  journal.push(entry);
  console.log(JSON.stringify(entry));
  return answer;
}

createServer((request, response) => {
  const { method, url = '/', headers } = request;
  if (method !== 'POST') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(journal));
    return;
  }
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
    if (body.length > MAX_BODY) request.destroy();
  });
  request.on('end', () => response.writeHead(receive(url, headers, body)).end());
}).listen(8080);
process.on('SIGTERM', () => process.exit(0));
