import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request, type RequestOptions } from 'node:https';
import type { ControlPlane } from '../cluster/control-plane.ts';
import type { ServiceProcess } from './service.ts';
import type { Canary } from './canary-search.ts';

interface Listed {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
}

const nameOf = ({ kind, metadata: { namespace = '', name } }: Listed) => `${kind} ${namespace}/${name}`;

/** Every object of every kind that can be listed, with its managed fields, by `KIND NAMESPACE/NAME`. */
export async function allObjects(controlPlane: ControlPlane): Promise<Map<string, string>> {
  const { stdout } = await controlPlane.kubectl(['api-resources', '--verbs=list', '-o', 'name']);
  const kinds = stdout.trim().split('\n').join(',');
  const { stdout: json } = await controlPlane.kubectl([
    'get',
    kinds,
    '-A',
    '-o',
    'json',
    '--show-managed-fields',
  ]);
  const { items } = JSON.parse(json) as { items: Listed[] };
  const texts = new Map<string, string>();
  for (const item of items) {
    const text = JSON.stringify(item);
    // What is in a Secret is base64 once more; and some kinds are listed in two groups.
    const decoded = Object.values(item.data ?? {}).map((value) =>
      Buffer.from(value, 'base64').toString('latin1'),
    );
    const before = texts.get(nameOf(item)) ?? '';
    texts.set(nameOf(item), [before, text, ...(item.kind === 'Secret' ? decoded : [])].join('\n'));
  }
  return texts;
}

/** What each process has written and shows, and what the system shows of it. */
export async function shownBy(services: ReadonlyMap<string, ServiceProcess>): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const [part, service] of services) {
    texts.set(`log of ${part}`, service.output());
    for (const path of ['/metrics', '/readyz', '/healthz']) {
      texts.set(`${path} of ${part}`, (await service.get(path)).text);
    }
    const pid = service.process.pid ?? 0;
    for (const file of ['cmdline', 'environ']) {
      texts.set(`${file} of ${part}`, await readFile(`/proc/${pid}/${file}`, 'latin1'));
    }
  }
  return texts;
}

export async function readSecret(
  controlPlane: ControlPlane,
  namespace: string,
  name: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  const { stdout } = await controlPlane.kubectl([
    ...['-n', namespace, 'get', 'secret', name, '--ignore-not-found', '-o', 'json'],
  ]);
  if (stdout === '') return undefined;
  const { data = {} } = JSON.parse(stdout) as Listed;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  );
}

/** The private scalars of all keys in a Secret: the rest of a key is in its certificate too. */
export function keysOf(secret: string, data: Readonly<Record<string, string>>, holders: string[]): Canary[] {
  return Object.entries(data).flatMap(([entry, text]) =>
    [...text.matchAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----/g)].map(
      ([pem], index) => ({
        name: `key ${entry}[${index}] of ${secret}`,
        bytes: Buffer.from(createPrivateKey(pem).export({ format: 'jwk' }).d ?? '', 'base64url'),
        holders,
      }),
    ),
  );
}

/** Sends something to a TLS listener and resolves with all that came back, headers included. */
export function send(
  port: number,
  path: string,
  options: RequestOptions & { readonly body?: string | Buffer } = {},
): Promise<string> {
  const { body = '', headers = {}, ...rest } = options;
  return new Promise((resolve) => {
    const sent = request(
      {
        ...{
          host: '127.0.0.1',
          port,
          path,
          method: 'PUT',
          agent: false,
          rejectUnauthorized: false,
          timeout: 10_000,
        },
        ...rest,
        headers: {
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
          ...headers,
        },
      },
      (response) => {
        let text = `${response.statusCode} ${JSON.stringify(response.rawHeaders)}\n`;
        response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        response.on('close', () => resolve(text));
      },
    );
    sent.on('error', (error) => resolve(`no answer: ${error.message}`));
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.end(body);
  });
}
