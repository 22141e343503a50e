import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { createCallerCheck, type ReviewCallers } from '../../../src/review/review-callers.ts';

const SECRET = 'a'.repeat(43);

function request(url: string, method = 'POST', socket: object = {}): IncomingMessage {
  return { url, method, socket } as unknown as IncomingMessage;
}

/** A connection whose client has shown a certificate with this subject; counts how often it was read. */
function connectionOf(subject: object): { readonly socket: TLSSocket; reads: number } {
  const socket = Object.create(TLSSocket.prototype) as TLSSocket;
  const connection = { socket, reads: 0 };
  socket.getPeerCertificate = (() => {
    connection.reads++;
    return { subject };
  }) as unknown as TLSSocket['getPeerCertificate'];
  return connection;
}

const withSecret: ReviewCallers = { secretSegment: { isKnown: (segment) => segment === SECRET } };

describe('without a secret segment', () => {
  const check = createCallerCheck('/mutate', {});
  it.each(['/mutate', '/mutate?timeout=3s', `/mutate/${SECRET}`, `/mutate/${SECRET}?timeout=3s`])(
    'takes %s: one that the API server was just given works before this process knows of it',
    (url) => expect(check(request(url))).toBeUndefined(),
  );
  it.each(['/', '/mutate/', '/mutate/x', '/mutate2', '/other/mutate'])('knows nothing of %s', (url) =>
    expect(check(request(url))).toMatchObject({ status: 404 }),
  );
  it('takes POST only', () => expect(check(request('/mutate', 'GET'))).toMatchObject({ status: 405 }));
});

describe('with a secret segment', () => {
  const check = createCallerCheck('/mutate', withSecret);

  it.each([`/mutate/${SECRET}`, `/mutate/${SECRET}?timeout=3s`])('takes the one path', (url) =>
    expect(check(request(url))).toBeUndefined(),
  );

  it('answers everything else in the same words, which name no path', async () => {
    const others: [string, string][] = [
      ['/mutate', 'POST'],
      ['/mutate?timeout=3s', 'POST'],
      ['/mutate/', 'POST'],
      [`/mutate/${SECRET.slice(1)}`, 'POST'],
      [`/mutate/${SECRET}b`, 'POST'],
      [`/mutate/${SECRET}/`, 'POST'],
      [`/mutate?/${SECRET}`, 'POST'],
      [`/validate/${SECRET}`, 'POST'],
      [`//mutate/${SECRET}`, 'POST'],
      ['/', 'GET'],
      [`/mutate/${SECRET}`, 'GET'],
      [`/mutate/${SECRET}`, 'PUT'],
    ];
    for (const [url, method] of others) {
      expect(await check(request(url, method))).toEqual({ status: 404, detail: 'There is nothing here.' });
    }
  });

  it('waits for who has to ask first', async () => {
    const asking = (isKnown: boolean) =>
      createCallerCheck('/mutate', { secretSegment: { isKnown: () => Promise.resolve(isKnown) } });
    expect(await asking(true)(request('/mutate/new'))).toBeUndefined();
    expect(await asking(false)(request('/mutate/new'))).toMatchObject({ status: 404 });
  });
});

describe('with names', () => {
  const check = createCallerCheck('/mutate', { names: ['kube-apiserver', 'other'] });

  it('takes a listed one and reads the certificate once for a connection', () => {
    const connection = connectionOf({ CN: 'kube-apiserver' });
    for (let i = 0; i < 3; i++) expect(check(request('/mutate', 'POST', connection.socket))).toBeUndefined();
    expect(connection.reads).toBe(1);
  });

  it.each([
    ['another name', { CN: 'system:node:worker' }],
    ['no name', {}],
    ['several names, a listed one among them', { CN: ['kube-apiserver', 'system:node:worker'] }],
    ['a listed name elsewhere', { O: 'kube-apiserver' }],
  ])('refuses %s', (_what, subject) =>
    expect(check(request('/mutate', 'POST', connectionOf(subject).socket))).toMatchObject({
      status: 403,
      reason: 'client-name',
    }),
  );

  it('refuses a connection without TLS', () =>
    expect(check(request('/mutate'))).toMatchObject({ status: 403 }));

  it('needs the name and the path', () => {
    const both = createCallerCheck('/mutate', { names: ['kube-apiserver'], ...withSecret });
    const { socket } = connectionOf({ CN: 'kube-apiserver' });
    expect(both(request(`/mutate/${SECRET}`, 'POST', socket))).toBeUndefined();
    expect(both(request('/mutate', 'POST', socket))).toMatchObject({ status: 404 });
    expect(both(request(`/mutate/${SECRET}`))).toMatchObject({ status: 403 });
  });
});
