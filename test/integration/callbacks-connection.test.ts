import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { waitFor } from '../cluster/wait-for.ts';
import {
  startCertificateScene,
  TRUSTED_PROXY,
  type CertificateScene,
  type Shown,
} from './callbacks-certificate-scene.ts';
import type { ClientFiles } from './callbacks-certificates.ts';
import { NAMESPACE } from './callbacks-setting.ts';

jest.setTimeout(300_000);
let scene: CertificateScene;
beforeAll(async () => {
  scene = await startCertificateScene();
}, 600_000);
afterAll(() => scene.stop(), 60_000);

describe('a connection', () => {
  it('that is kept is judged at each request: its certificate may be revoked meanwhile', async () => {
    const { token, own } = await scene.application('app-d');
    const replica = scene.replica('required');
    const listed = () => replica.cache.get(NAMESPACE, 'app-d')?.certificates.length;
    const agent = new Agent({ keepAlive: true, maxSockets: 1, cert: own.cert, key: own.key });
    const send = () => replica.send('app-d', 'complete', { body: { token }, files: own, agent });
    const first = await send();
    await scene.writeStatus('app-d', { certificates: null });
    await waitFor('the revocation in the cache', () => Promise.resolve(listed() === 0 || undefined));
    const second = await send();
    const sockets = Object.values(agent.freeSockets).flat().length;
    agent.destroy();
    expect([first.status, second.status, replica.lastReason(), sockets]).toEqual([
      200,
      401,
      'certificate-revoked',
      1,
    ]);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is not resumed, so each has shown its certificate (%s)',
    async (version) => {
      const replica = scene.replica('required');
      const own = scene.files.own;
      const options = {
        port: replica.port,
        ca: replica.ca,
        minVersion: version,
        maxVersion: version,
        ...own,
      };
      const open = async (session?: Buffer) => {
        const socket = connect({ host: '127.0.0.1', ...options, ...(session && { session }) });
        let ticket: Buffer | undefined;
        socket.on('session', (given: Buffer) => (ticket = given));
        await once(socket, 'secureConnect');
        socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        socket.resume();
        const reused = socket.isSessionReused();
        const given = ticket ?? socket.getSession();
        await once(socket, 'close');
        return { reused, session: ticket ?? given };
      };
      const first = await open();
      expect([first.reused, (await open(first.session)).reused]).toEqual([false, false]);
    },
  );
});

describe('behind a proxy that ends TLS', () => {
  const header = (shown: Shown) => ({ 'ssl-client-cert': encodeURIComponent(leafOf(scene.files[shown])) });
  const send = async (from: string, headers: Record<string, string>, shown: Shown = 'none') => {
    const replica = scene.replica('required');
    const shows = scene.files[shown];
    const answer = await replica.send('app-a', 'complete', {
      body: { token: scene.tokens.own },
      headers,
      from,
      ...(shows && { files: shows }),
    });
    return `${answer.status}${answer.status === 200 ? '' : ` ${replica.lastReason()}`}`;
  };

  it.each<[string, () => Promise<string>, string]>([
    ['its header counts', () => send(TRUSTED_PROXY, header('own')), '200'],
    ['nobody else’s does', () => send('127.0.0.8', header('own')), '401 certificate-missing'],
    ['no header is no certificate', () => send(TRUSTED_PROXY, {}), '401 certificate-missing'],
    ['an empty one too', () => send(TRUSTED_PROXY, { 'ssl-client-cert': '' }), '401 certificate-missing'],
    ['another application’s', () => send(TRUSTED_PROXY, header('another')), '403 certificate-of-another'],
    ['an expired one', () => send(TRUSTED_PROXY, header('expired')), '401 certificate-expired'],
    ['of another CA', () => send(TRUSTED_PROXY, header('wrong-ca')), '401 certificate-unknown-issuer'],
    ['for servers', () => send(TRUSTED_PROXY, header('server-auth')), '401 certificate-not-for-clients'],
    ['revoked', () => send(TRUSTED_PROXY, header('revoked')), '401 certificate-revoked'],
    ['nonsense', () => send(TRUSTED_PROXY, { 'ssl-client-cert': '%ff' }), '401 certificate-unreadable'],
    [
      'two certificates',
      () => send(TRUSTED_PROXY, { 'ssl-client-cert': encodeURIComponent(scene.files.own?.cert ?? '') }),
      '401 certificate-unreadable',
    ],
    [
      'what it shows for itself is none',
      () => send(TRUSTED_PROXY, {}, 'wrong-ca'),
      '401 certificate-missing',
    ],
    ['it may show one for itself', () => send(TRUSTED_PROXY, header('own'), 'wrong-ca'), '200'],
    [
      'an application’s own connection wins over a header',
      () => send(TRUSTED_PROXY, header('own'), 'another'),
      '403 certificate-of-another',
    ],
  ])('%s', async (_name, sent, expected) => {
    expect(await sent()).toBe(expected);
  });
});

describe('Events on the Application', () => {
  it('tell of what was accepted and refused, few of many, and nothing secret', async () => {
    const { token, uid, own } = await scene.application('app-e');
    const replica = scene.replica('required');
    const another = scene.files.another;
    for (let i = 0; i < 40; i++) {
      await replica.send('app-e', 'complete', {
        body: { token },
        ...(another && { files: another }),
        from: '127.0.0.9',
      });
      await replica.send('app-e', 'complete', { body: { token: 'wrong' }, from: '127.0.0.9' });
    }
    await replica.send('app-e', 'complete', { body: { token }, files: own });
    const events = await waitFor('the Events', async () => {
      const { items } = await scene.setting.admin.list<EventObject>(
        { apiVersion: 'events.k8s.io/v1', plural: 'events' },
        NAMESPACE,
      );
      const ofIt = items.filter(({ regarding }) => regarding?.uid === uid);
      return ofIt.length >= 3 ? ofIt : undefined;
    });
    // Of each refusal the first are told, however many have come by then.
    const told = events.map(({ type, reason, note }) => `${type} ${reason} ${note}`);
    expect(told).toHaveLength(3);
    for (const words of [
      /^Normal SignalAccepted the signal complete was accepted, proven by token-and-certificate/,
      /^Warning SignalRefused .* (once|[0-9]+ times), .* 401 token-wrong/,
      /^Warning SignalRefused .* (once|[0-9]+ times), .* 403 certificate-of-another, certificate [0-9a-f]{16}/,
    ])
      expect(told).toContainEqual(expect.stringMatching(words));
    expect(JSON.stringify(events)).not.toContain(token);
  }, 300_000);
});

interface EventObject {
  readonly metadata: object;
  readonly regarding?: { readonly uid?: string };
  readonly type?: string;
  readonly reason?: string;
  readonly note?: string;
}

function leafOf(shown: ClientFiles | undefined): string {
  const [leaf] = /-----BEGIN[^]*?-----END CERTIFICATE-----\n/.exec(shown?.cert ?? '') ?? [];
  return leaf ?? '';
}
