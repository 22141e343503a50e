import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent } from 'node:https';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import type { ClientCertificateMode } from '../../src/callbacks/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  createClientCa,
  startTlsReplica,
  type ClientCa,
  type ClientFiles,
  type TlsReplica,
} from './callbacks-certificates.ts';
import { NAMESPACE, sha256, startCallbacksSetting, type CallbacksSetting } from './callbacks-setting.ts';

const HOUR_MS = 3_600_000;
const MODES = ['required', 'optional', 'off'] as const;
const TRUSTED_PROXY = '127.0.0.7';

let setting: CallbacksSetting;
let ca: ClientCa;
const replicas = new Map<ClientCertificateMode, TlsReplica>();
/** Of A, at which all is aimed, unless it says otherwise. */
let tokens: Record<'own' | 'another' | 'wrong' | 'former' | 'expired-former' | 'none', string | undefined>;
let files: Record<Shown, ClientFiles | undefined>;

type Shown =
  'none' | 'own' | 'renewed' | 'another' | 'namesake' | 'revoked' | 'expired' | 'wrong-ca' | 'server-auth';

beforeAll(async () => {
  setting = await startCallbacksSetting();
  ca = await createClientCa();
  await ca.publish(setting.admin);
  const other = await createClientCa();
  const own = await makeApplication('app-a');
  const another = await makeApplication('app-b');
  const identity = { namespace: NAMESPACE, name: 'app-a', uid: own.uid };
  files = {
    none: undefined,
    own: await ca.issue(identity),
    renewed: await ca.issue(identity),
    another: await ca.issue({ ...identity, name: 'app-b', uid: another.uid }),
    namesake: await ca.issue({ ...identity, uid: '00000000-0000-4000-8000-000000000000' }),
    revoked: await ca.issue(identity),
    expired: await ca.issue(identity, Date.now() - 2 * HOUR_MS),
    'wrong-ca': await other.issue(identity),
    'server-auth': await ca.issueForServers(),
  };
  const former = { valid: 'former-token-that-is-taken', expired: 'former-token-that-is-void' };
  tokens = {
    own: own.token,
    another: another.token,
    wrong: 'wrong',
    former: former.valid,
    'expired-former': former.expired,
    none: undefined,
  };
  const inAnHour = new Date(Date.now() + HOUR_MS).toISOString();
  await writeStatus('app-a', {
    // All but the revoked one: what is refused for something else is refused although it is listed.
    certificates: [files.own, files.renewed, files.expired, files['wrong-ca']].map((shown) => shown?.status),
    formerTokens: [
      { sha256: sha256(former.expired), validUntil: new Date(Date.now() - 1_000).toISOString() },
      { sha256: sha256(former.valid), validUntil: inAnHour },
    ],
  });
  await writeStatus('app-b', { certificates: [files.another?.status] });
  for (const mode of MODES) {
    replicas.set(
      mode,
      await startTlsReplica(setting, {
        clientCertificate: mode,
        trustedProxies: [`${TRUSTED_PROXY}/32`],
        ratePerApplicationPerSecond: 1e6,
        rateBurst: 1e6,
      }),
    );
  }
}, 600_000);
afterAll(async () => {
  for (const replica of replicas.values()) await replica.stop();
  await setting.stop();
}, 60_000);

async function makeApplication(name: string) {
  const token = await setting.createApplication(name, { hooks: ['complete', 'shutdown'] });
  return { token, uid: (await setting.read(name)).metadata.uid };
}

function writeStatus(name: string, status: object): Promise<Application> {
  const ref = { resource: APPLICATIONS, namespace: NAMESPACE, name, subresource: 'status' } as const;
  return setting.admin.patch<Application>(ref, { type: 'merge', body: { status } });
}

function replicaOf(mode: ClientCertificateMode): TlsReplica {
  const replica = replicas.get(mode);
  if (replica === undefined) throw new Error(`no replica for ${mode}`);
  return replica;
}

/** Status and reason of what the certificate adds to a token that is right, by mode. */
const WITH_RIGHT_TOKEN: Readonly<Record<Shown, Readonly<Record<ClientCertificateMode, string>>>> = {
  none: same('401 certificate-missing', '200', '200'),
  own: same('200', '200', '200'),
  renewed: same('200', '200', '200'),
  another: same('403 certificate-of-another', '403 certificate-of-another', '200'),
  namesake: same('403 certificate-of-another', '403 certificate-of-another', '200'),
  revoked: same('401 certificate-revoked', '401 certificate-revoked', '200'),
  expired: same('401 certificate-expired', '401 certificate-expired', '200'),
  'wrong-ca': same('401 certificate-unknown-issuer', '401 certificate-unknown-issuer', '200'),
  'server-auth': same('401 certificate-not-for-clients', '401 certificate-not-for-clients', '200'),
};
function same(required: string, optional: string, off: string): Record<ClientCertificateMode, string> {
  return { required, optional, off };
}
const TOKENS: Readonly<Record<keyof typeof tokens, string | undefined>> = {
  own: undefined,
  former: undefined,
  another: '401 token-wrong',
  wrong: '401 token-wrong',
  'expired-former': '401 token-expired',
  none: '401 token-missing',
};

const CASES = MODES.flatMap((mode) =>
  (Object.keys(TOKENS) as (keyof typeof tokens)[]).flatMap((token) =>
    (Object.keys(WITH_RIGHT_TOKEN) as Shown[]).map(
      (shown) => [mode, token, shown, TOKENS[token] ?? WITH_RIGHT_TOKEN[shown][mode]] as const,
    ),
  ),
);

describe('certificate × token × mode, over TLS', () => {
  it.each(CASES)('%s, token %s, certificate %s: %s', async (mode, token, shown, expected) => {
    const replica = replicaOf(mode);
    const shows = files[shown];
    const answer = await replica.send('app-a', 'complete', {
      body: { token: tokens[token] },
      ...(shows && { files: shows }),
    });
    const reason = answer.status === 200 ? '' : ` ${replica.lastReason()}`;
    expect(`${answer.status}${reason}`).toBe(expected);
  });

  it('is stored with what proved it', async () => {
    const { token, uid } = await makeApplication('app-c');
    const own = await ca.issue({ namespace: NAMESPACE, name: 'app-c', uid });
    await writeStatus('app-c', { certificates: [own.status] });
    await waitFor('its certificate in the cache', () =>
      Promise.resolve(replicaOf('required').cache.get(NAMESPACE, 'app-c')?.certificates.length || undefined),
    );
    const replica = replicaOf('required');
    expect(await replica.send('app-c', 'complete', { body: { token }, files: own })).toMatchObject({
      status: 200,
    });
    expect(await replica.send('app-c', 'shutdown', { body: { token }, files: own })).toMatchObject({
      status: 200,
    });
    const { signals } = (await setting.read('app-c')).status ?? {};
    expect(signals).toMatchObject({
      complete: { provenBy: 'token-and-certificate' },
      shutdown: { provenBy: 'token-and-certificate' },
    });
    expect(replica.logger.lines.at(-1)?.fields).toMatchObject({
      proof: 'token-and-certificate',
      certificate: own.status.sha256.slice(0, 16),
      uid,
    });
  });

  it('all 401 say the same', async () => {
    const replica = replicaOf('required');
    const answers = [];
    for (const shown of ['none', 'revoked', 'expired', 'wrong-ca', 'server-auth'] as const)
      for (const token of ['own', 'wrong'] as const) {
        const shows = files[shown];
        answers.push(
          await replica.send('app-a', 'complete', {
            body: { token: tokens[token] },
            ...(shows && { files: shows }),
          }),
        );
      }
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });
});

describe('a connection', () => {
  it('that is kept is judged at each request: its certificate may be revoked meanwhile', async () => {
    const { token, uid } = await makeApplication('app-d');
    const own = await ca.issue({ namespace: NAMESPACE, name: 'app-d', uid });
    await writeStatus('app-d', { certificates: [own.status] });
    const replica = replicaOf('required');
    const listed = () => replica.cache.get(NAMESPACE, 'app-d')?.certificates.length;
    await waitFor('its certificate in the cache', () => Promise.resolve(listed() || undefined));
    const agent = new Agent({ keepAlive: true, maxSockets: 1, cert: own.cert, key: own.key });
    const send = () => replica.send('app-d', 'complete', { body: { token }, files: own, agent });
    const first = await send();
    await writeStatus('app-d', { certificates: null });
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
      const replica = replicaOf('required');
      const own = files.own;
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
  const header = (shown: Shown) => ({ 'ssl-client-cert': encodeURIComponent(leafOf(files[shown])) });
  const send = async (from: string, headers: Record<string, string>, shown: Shown = 'none') => {
    const replica = replicaOf('required');
    const shows = files[shown];
    const answer = await replica.send('app-a', 'complete', {
      body: { token: tokens.own },
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
      () => send(TRUSTED_PROXY, { 'ssl-client-cert': encodeURIComponent(files.own?.cert ?? '') }),
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
    const { token, uid } = await makeApplication('app-e');
    const replica = replicaOf('required');
    const own = await ca.issue({ namespace: NAMESPACE, name: 'app-e', uid });
    await writeStatus('app-e', { certificates: [own.status] });
    await waitFor('its certificate in the cache', () =>
      Promise.resolve(replica.cache.get(NAMESPACE, 'app-e')?.certificates.length || undefined),
    );
    const another = files.another;
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
      const { items } = await setting.admin.list<EventObject>(
        { apiVersion: 'events.k8s.io/v1', plural: 'events' },
        NAMESPACE,
      );
      const own = items.filter(({ regarding }) => regarding?.uid === uid);
      return own.length >= 3 ? own : undefined;
    });
    const told = events.map(({ type, reason, note }) => `${type} ${reason} ${note}`).sort();
    expect(told).toHaveLength(3);
    expect(told[0]).toContain(
      'Normal SignalAccepted the signal complete was accepted, proven by token-and-certificate',
    );
    expect(told[1]).toMatch(/Warning SignalRefused .* [0-9]+ times, .* 401 token-wrong/);
    expect(told[2]).toMatch(
      /Warning SignalRefused .* [0-9]+ times, .* 403 certificate-of-another, certificate [0-9a-f]{16}/,
    );
    expect(JSON.stringify(events)).not.toContain(token);
  }, 30_000);
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
