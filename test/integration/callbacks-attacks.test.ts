import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { APPLICATIONS } from '../../src/applications/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { createPodScene, waitUntilBound } from './callbacks-pods.ts';
import { startTlsReplica, type TlsReplica, type TlsRequest } from './callbacks-certificates.ts';
import { startCertificateScene, type CertificateScene } from './callbacks-certificate-scene.ts';
import { NAMESPACE, sha256 } from './callbacks-setting.ts';

jest.setTimeout(300_000);
const UNLIMITED = 1e9;
let scene: CertificateScene;
/** As it is deployed, but for an application's rate, which a slow machine reaches too. */
let replica: TlsReplica;
/** The same without the budget for failures, for whoever measures them. */
let measured: TlsReplica;

beforeAll(async () => {
  scene = await startCertificateScene();
  replica = await startTlsReplica(scene.setting, { ratePerApplicationPerSecond: 2, rateBurst: 6 });
  measured = await startTlsReplica(scene.setting, {
    failuresPerSourcePerSecond: UNLIMITED,
    failureBurst: UNLIMITED,
    ratePerApplicationPerSecond: UNLIMITED,
    rateBurst: UNLIMITED,
  });
}, 600_000);
afterAll(async () => {
  await replica.stop();
  await measured.stop();
  await scene.stop();
}, 60_000);

/** Known to both replicas that are attacked, each of which has a watch of its own. */
async function application(name: string): ReturnType<CertificateScene['application']> {
  const made = await scene.application(name);
  for (const { cache } of [replica, measured])
    await waitFor(`${name} in the cache`, () => {
      const known = cache.get(NAMESPACE, name);
      return Promise.resolve(known?.uid === made.uid && known.certificates.length === 1 ? true : undefined);
    });
  return made;
}

async function answerOf(name: string, what: TlsRequest): Promise<string> {
  const { status } = await measured.send(name, 'complete', what);
  return `${status} ${measured.lastReason()}`;
}

describe('what was stolen', () => {
  it('is void after a rotation, token and certificate', async () => {
    const { token, own, uid } = await application('rotated');
    expect(await answerOf('rotated', { body: { token }, files: own })).toBe('200 stored');
    const renewed = await scene.ca.issue({ namespace: NAMESPACE, name: 'rotated', uid });
    await scene.writeStatus('rotated', { tokenSha256: sha256('new'), certificates: [renewed.status] });
    await waitFor('the rotation in the cache', () =>
      Promise.resolve(
        measured.cache.get(NAMESPACE, 'rotated')?.tokenSha256 === sha256('new') ? true : undefined,
      ),
    );
    const answers = [
      await answerOf('rotated', { body: { token }, files: own }),
      await answerOf('rotated', { body: { token }, files: renewed }),
      await answerOf('rotated', { body: { token: 'new' }, files: own }),
      await answerOf('rotated', { body: { token: 'new' }, files: renewed }),
    ];
    expect(answers).toEqual([
      '401 token-wrong',
      '401 token-wrong',
      '401 certificate-revoked',
      '200 already-stored',
    ]);
  });

  it('is worth nothing at a namesake', async () => {
    const before = await application('reused');
    const ref = { resource: APPLICATIONS, namespace: NAMESPACE, name: 'reused' };
    await scene.setting.admin.delete(ref, { uid: before.uid });
    await waitFor('the deletion in the cache', () =>
      Promise.resolve(measured.cache.get(NAMESPACE, 'reused') === undefined ? true : undefined),
    );
    const { token, own } = before;
    expect(await answerOf('reused', { body: { token }, files: own })).toBe('401 application-unknown');
    const after = await application('reused');
    const answers = [
      await answerOf('reused', { body: { token }, files: own }),
      await answerOf('reused', { body: { token: after.token }, files: own }),
      await answerOf('reused', { body: { token: after.token }, files: after.own }),
    ];
    expect(answers).toEqual(['401 token-wrong', '403 certificate-of-another', '200 stored']);
  });
});

describe('the time of a 401', () => {
  it('tells nothing: unknown application, wrong token, right token without or with a wrong certificate', async () => {
    const { own, another, revoked } = scene.files;
    const wrongToken = { body: { token: 'wrong-token-of-the-same-length-as-the-right-one' } };
    const right = { body: { token: scene.tokens.own } };
    const cases: readonly (readonly [string, TlsRequest])[] = [
      ['app-a', { ...wrongToken, ...(revoked && { files: revoked }) }],
      ['app-x', { ...wrongToken, ...(revoked && { files: revoked }) }],
      ['app-a', { ...right, ...(revoked && { files: revoked }) }],
      ['app-a', right],
      ['app-x', wrongToken],
      ['app-x', { ...wrongToken, ...(own && { files: own }) }],
      ['app-x', { ...wrongToken, ...(another && { files: another }) }],
    ];
    // Each over a connection of its own that is kept: what is measured is the answer, not the handshake.
    const agents = cases.map(([, { files }]) => new Agent({ keepAlive: true, maxSockets: 1, ...files }));
    const times: number[][] = cases.map(() => []);
    for (let round = -50; round < 300; round++) {
      for (const [i, [name, what]] of cases.entries()) {
        const startedAt = performance.now();
        const agent = agents[i];
        const { status } = await measured.send(name, 'complete', { ...what, ...(agent && { agent }) });
        if (round >= 0) times[i]?.push(performance.now() - startedAt);
        expect(status).toBe(401);
      }
    }
    for (const agent of agents) agent.destroy();
    const sorted = times.map((all) => all.toSorted((one, two) => one - two));
    const at = (all: readonly number[], part: number) => all[Math.floor(all.length * part)] ?? Number.NaN;
    const medians = sorted.map((all) => at(all, 0.5));
    const [first = []] = sorted;
    // A difference counts only when it is more than half of what one and the same case differs by itself.
    const spread = at(first, 0.9) - at(first, 0.1);
    const difference = Math.max(...medians) - Math.min(...medians);
    console.log(
      `medians ${medians.map((ms) => ms.toFixed(3)).join(', ')} ms, spread ${spread.toFixed(3)} ms`,
    );
    expect(difference).toBeLessThan(Math.max(spread / 2, 0.25 * Math.min(...medians)));
  }, 300_000);
});

describe('a flood', () => {
  const isServed = async (from = '127.0.0.250', by = replica) => {
    const own = scene.files.own;
    const startedAt = performance.now();
    const { status } = await by.send('app-a', 'complete', {
      body: { token: scene.tokens.own },
      from,
      ...(own && { files: own }),
    });
    return { status, ms: performance.now() - startedAt };
  };

  it('of 5,000 half-open connections: a client is served', async () => {
    const sockets: Socket[] = [];
    let opened = 0;
    for (let address = 20; address < 45; address++) {
      const batch = Array.from({ length: 200 }, async (_, i) => {
        const socket = connect({ port: replica.port, host: '127.0.0.1', localAddress: `127.0.1.${address}` });
        sockets.push(socket);
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        opened++;
        // Every other one has begun a handshake.
        if (i % 2 === 0) socket.write(Buffer.from([0x16, 0x03, 0x01]));
      });
      await Promise.allSettled(batch);
    }
    const served = [await isServed(), await isServed(), await isServed()];
    for (const socket of sockets) socket.destroy();
    console.log(
      `${opened} opened, a client was served in ${served.map(({ ms }) => ms.toFixed(0)).join(', ')} ms`,
    );
    expect(opened).toBe(5_000);
    expect(served.map(({ status }) => status)).toEqual([200, 200, 200]);
  }, 300_000);

  it('of requests whose body does not come, as many as there may be connections: a client is served', async () => {
    const full = await startTlsReplica(scene.setting, {
      limits: { maxConnections: 512 },
      bodyTimeoutMs: 60_000,
    });
    const sockets: Socket[] = [];
    let underWay = 0;
    const attack = async (localAddress: string) => {
      const options = { port: full.port, host: '127.0.0.1', localAddress, rejectUnauthorized: false };
      const socket = tlsConnect(options);
      sockets.push(socket);
      socket.on('error', () => undefined);
      // The interim answer tells that the request is under way.
      socket.write(
        `PUT /kubernetes/namespaces/${NAMESPACE}/applications/app-a/complete HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 50\r\n\r\n{`,
      );
      await once(socket, 'data');
      underWay++;
    };
    for (let i = 0; i < 8; i++)
      await Promise.all(Array.from({ length: 64 }, () => attack(`127.0.1.${60 + (i % 2)}`)));
    const served = [await isServed(undefined, full), await isServed(undefined, full)];
    for (const socket of sockets) socket.destroy();
    await full.stop();
    expect(underWay).toBe(512);
    expect(served.map(({ status }) => status)).toEqual([200, 200]);
  }, 300_000);

  it('of headers and of bodies: 431 and 413, and a client is served meanwhile', async () => {
    const flood = Array.from({ length: 60 }, async (_, i) => {
      const what: TlsRequest =
        i % 2 === 0
          ? { headers: { 'x-flood': 'x'.repeat(15_000), 'y-flood': 'y'.repeat(15_000) }, body: {} }
          : { body: 'x'.repeat(2_000_000) };
      try {
        return (await replica.send('app-a', 'complete', { ...what, from: '127.0.0.30' })).status;
      } catch {
        // Cut while it was still sending.
        return 0;
      }
    });
    const served = await isServed();
    const statuses = new Set(await Promise.all(flood));
    expect(served.status).toBe(200);
    expect([...statuses].filter((status) => ![0, 413, 431].includes(status))).toEqual([]);
    expect(statuses.has(431)).toBe(true);
    expect(statuses.has(413)).toBe(true);
  }, 300_000);

  it('of one application’s own requests is 429, and another application hears 200', async () => {
    const { token, own } = await application('flooding');
    const agent = new Agent({ keepAlive: true, maxSockets: 8, ...own });
    const flood = Array.from({ length: 1_000 }, async () => {
      const answer = await replica.send('flooding', 'complete', { body: { token }, agent });
      return answer.status;
    });
    const served = await isServed();
    const statuses = await Promise.all(flood);
    agent.destroy();
    expect(served.status).toBe(200);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
  }, 300_000);

  it('of 10,000 bad pod identities: few reviews, and a pod is heard meanwhile', async () => {
    const pods = createPodScene(scene.setting);
    const [pod] = await pods.deploy('identified', 1);
    await waitUntilBound(measured, 'identified');
    if (pod === undefined) throw new Error('no pod');
    const [head = '', payload = ''] = pod.token.split('.');
    const unknownKey = Buffer.from('{"alg":"RS256","kid":"nobody"}').toString('base64url');
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const before = measured.metrics.reviews.length;
    const startedAt = performance.now();
    let left = 10_000;
    const statuses = new Map<number, number>();
    const attack = async () => {
      while (left-- > 0) {
        // By turns: with the cluster's key id, with a key that nobody has; each its own.
        const signature = Buffer.from(`forged-${left}-${'x'.repeat(48)}`).toString('base64url');
        const token = `${left % 2 === 0 ? head : unknownKey}.${payload}.${signature}`;
        const headers = { Authorization: `Bearer ${token}` };
        const { status } = await measured.send('identified', 'complete', { headers, agent });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const attackers = Promise.all(Array.from({ length: 16 }, attack));
    const headers = { Authorization: `Bearer ${pod.token}` };
    const heard = await measured.send('identified', 'complete', { headers, from: '127.0.0.251' });
    await attackers;
    agent.destroy();
    const seconds = (performance.now() - startedAt) / 1_000;
    const asked = measured.metrics.reviews.slice(before).filter((outcome) => outcome === 'refused').length;
    console.log(`10,000 in ${seconds.toFixed(1)} s: ${asked} reviews, ${JSON.stringify([...statuses])}`);
    expect(heard.status).toBe(200);
    // A fifth of 50 a second from one source, and as many at once.
    expect(asked).toBeLessThanOrEqual(10 + 10 * (seconds + 1));
    expect([...statuses.keys()].sort()).toEqual([401, 503]);
  }, 300_000);
});
