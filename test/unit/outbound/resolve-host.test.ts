import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createHostResolver, type ResolveHost } from '../../../src/outbound/index.ts';
import {
  candidateNames,
  parseHosts,
  parseResolvConf,
  searchListOf,
  serviceNamespace,
} from '../../../src/outbound/resolver-files.ts';

type Family = 'A' | 'AAAA';
/** Addresses, a response code, or undefined: the question is dropped. */
type Reply = readonly string[] | 'NXDOMAIN' | 'SERVFAIL' | undefined;

const TYPES: Readonly<Record<number, Family>> = { 1: 'A', 28: 'AAAA' };
const CODES = { NXDOMAIN: 3, SERVFAIL: 2 } as const;

/** A name server over UDP that knows the least there is to know. */
async function startNameServer(answer: (name: string, family: Family) => Reply) {
  const asked: string[] = [];
  const socket: Socket = createSocket('udp4');
  socket.on('message', (question, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.subarray(at + 1, at + 1 + length).toString());
      at += length + 1;
    }
    const family = TYPES[question.readUInt16BE(at + 1)] ?? 'A';
    const name = labels.join('.');
    asked.push(`${family} ${name}`);
    const reply = answer(name, family);
    if (reply === undefined) return;
    const records = typeof reply === 'string' ? [] : reply.map((text) => record(text, family));
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(0x8180 | (typeof reply === 'string' ? CODES[reply] : 0), 2);
    header.writeUInt16BE(records.length, 6);
    header.fill(0, 8);
    socket.send(Buffer.concat([header, question.subarray(12, at + 5), ...records]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { asked, server: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

/** @param text IPv6 without a gap in it */
function record(text: string, family: Family): Buffer {
  const data =
    family === 'A'
      ? Buffer.from(text.split('.').map(Number))
      : Buffer.from(
          text
            .split(':')
            .map((group) => group.padStart(4, '0'))
            .join(''),
          'hex',
        );
  const head = Buffer.from([0xc0, 12, 0, family === 'A' ? 1 : 28, 0, 1, 0, 0, 0, 5, 0, data.length]);
  return Buffer.concat([head, data]);
}

const POD_CONF = 'nameserver 10.96.0.10\nsearch krake-system.svc.test svc.test test\noptions ndots:5\n';

jest.setTimeout(60_000);

describe('resolving a host', () => {
  let directory: string;
  let closers: (() => void)[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'resolve-host-'));
    closers = [];
    await writeFile(join(directory, 'resolv.conf'), POD_CONF);
    await writeFile(join(directory, 'hosts'), '127.0.0.1 localhost\n192.0.2.9 alias.example other # note\n');
  });
  afterEach(async () => {
    for (const close of closers) close();
    await rm(directory, { recursive: true });
  });

  async function resolverWith(answer: (name: string, family: Family) => Reply, timeoutMs = 1_000) {
    const { asked, server, close } = await startNameServer(answer);
    closers.push(close);
    const resolve: ResolveHost = createHostResolver({
      servers: [server],
      resolvConf: join(directory, 'resolv.conf'),
      hosts: join(directory, 'hosts'),
      timeoutMs,
    });
    return { asked, resolve };
  }

  it('finds a Service by its short name, in both families', async () => {
    const { asked, resolve } = await resolverWith((name, family) => {
      if (name !== 'shutdown.shop.svc.test') return 'NXDOMAIN';
      return family === 'A' ? ['10.1.2.3', '10.1.2.4'] : ['fd00:1:2:3:4:5:6:7'];
    });
    const resolution = await resolve('shutdown.shop');
    expect(resolution).toMatchObject({ kind: 'addresses', namespace: 'shop' });
    expect([...(resolution.kind === 'addresses' ? resolution.addresses : [])].sort()).toEqual([
      '10.1.2.3',
      '10.1.2.4',
      'fd00:1:2:3:4:5:6:7',
    ]);
    // A question may be repeated on a machine that is busy.
    expect([...new Set(asked.filter((one) => one.startsWith('A ')))]).toEqual([
      'A shutdown.shop.krake-system.svc.test',
      'A shutdown.shop.svc.test',
    ]);
  });

  it.each([
    ['reports', 'reports.shop.svc.test', 'shop'],
    ['reports.other', 'reports.other.svc.test', 'other'],
    ['reports.other.svc', 'reports.other.svc.test', 'other'],
    ['reports.other.svc.test', 'reports.other.svc.test', 'other'],
    ['pod.reports', 'pod.reports.shop.svc.test', 'shop'],
    ['hooks.example', 'hooks.example', undefined],
  ])('looks for %s as a pod of the namespace would: %s', async (host, there, namespace) => {
    const { asked, resolve } = await resolverWith((name, family) => {
      if (name !== there) return 'NXDOMAIN';
      return family === 'A' ? ['10.1.2.3'] : [];
    });
    expect(await resolve(host, 'shop')).toEqual({
      kind: 'addresses',
      addresses: ['10.1.2.3'],
      ...(namespace !== undefined && { namespace }),
    });
    expect(asked.filter((one) => one.includes('krake-system'))).toEqual([]);
  });

  it('asks for a name with a dot at its end only as it is', async () => {
    const { asked, resolve } = await resolverWith((_name, family) => (family === 'A' ? ['192.0.2.1'] : []));
    expect(await resolve('example.org.')).toEqual({ kind: 'addresses', addresses: ['192.0.2.1'] });
    expect(new Set(asked)).toEqual(new Set(['A example.org', 'AAAA example.org']));
  });

  it('knows the hosts file and localhost without asking', async () => {
    const { asked, resolve } = await resolverWith(() => ['192.0.2.66']);
    expect(await resolve('Other')).toEqual({ kind: 'addresses', addresses: ['192.0.2.9'] });
    expect(await resolve('localhost')).toEqual({ kind: 'addresses', addresses: ['127.0.0.1'] });
    expect(await resolve('a.localhost.')).toEqual({ kind: 'addresses', addresses: ['127.0.0.1', '::1'] });
    expect(asked).toEqual([]);
  });

  it('is content with one family when the other gets no answer', async () => {
    const { resolve } = await resolverWith(
      (_name, family) => (family === 'A' ? ['192.0.2.1'] : undefined),
      20_000,
    );
    const startedAt = performance.now();
    expect(await resolve('a.b.c.d.e.f')).toEqual({ kind: 'addresses', addresses: ['192.0.2.1'] });
    // Waiting for the other family's end takes longer than its first try.
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it.each([
    ['there is no such name', () => 'NXDOMAIN' as const, 'unknown'],
    ['the name has no address', () => [], 'unknown'],
    [
      'one server fails',
      (name: string) => (name.startsWith('x.svc') ? ('SERVFAIL' as const) : ('NXDOMAIN' as const)),
      'no-answer',
    ],
    ['no server answers', () => undefined, 'no-answer'],
  ])('says so when %s', async (what, answer, kind) => {
    const { resolve } = await resolverWith(answer, what === 'no server answers' ? 60 : 5_000);
    expect(await resolve('x')).toEqual({ kind });
  });

  it('holds no other name up with one that is never answered', async () => {
    const { resolve } = await resolverWith((name, family) => {
      if (name.startsWith('hang')) return undefined;
      return family === 'A' ? ['192.0.2.1'] : [];
    }, 200);
    const ended: string[] = [];
    const ask = async (name: string) => {
      const { kind } = await resolve(name);
      ended.push(`${name} ${kind}`);
    };
    const hanging = Array.from({ length: 50 }, (_, index) => ask(`hang${index}.`));
    await ask('quick.');
    expect(ended).toEqual(['quick. addresses']);
    await Promise.all(hanging);
    expect(ended.filter((one) => one.endsWith(' no-answer'))).toHaveLength(50);
  });
});

describe('resolver files', () => {
  it.each([
    ['', { domains: [], ndots: 1 }],
    ['search a b\nsearch c. d\noptions ndots:2 timeout:1', { domains: ['c', 'd'], ndots: 2 }],
    ['domain a.b\noptions ndots:99', { domains: ['a.b'], ndots: 15 }],
    ['# search a\n;search b\noptions ndots:x', { domains: [], ndots: 1 }],
  ])('%j', (text, expected) => expect(parseResolvConf(text)).toEqual(expected));

  it.each([
    ['a.', ['a']],
    ['a', ['a.x', 'a.y', 'a']],
    ['a.b.c', ['a.b.c', 'a.b.c.x', 'a.b.c.y']],
  ])('%s is tried as %j', (host, expected) => {
    expect(candidateNames(host, { domains: ['x', 'y'], ndots: 2 })).toEqual(expected);
  });

  it('leaves the search list alone where it is no pod’s', () => {
    const search = { domains: ['corp.example', 'a.svc.example'], ndots: 1 };
    expect(searchListOf('shop', search)).toEqual(search);
  });

  it.each([
    ['web.shop.svc.test', 'shop'],
    ['pod-0.web.shop.svc.test', 'shop'],
    ['shop.svc.test', undefined],
    ['web.shop.svc.example', undefined],
    ['example.org', undefined],
    ['10-1-2-3.shop.pod.test', undefined],
  ])('%s is a Service of %s', (name, namespace) => {
    expect(serviceNamespace(name, { domains: ['a.svc.test', 'svc.test', 'test'] })).toBe(namespace);
  });

  it('reads hosts', () => {
    const hosts = parseHosts('# no\n::1 localhost\n127.0.0.1\tlocalhost A.b.\nnonsense c\n');
    expect(Object.fromEntries(hosts)).toEqual({ localhost: ['::1', '127.0.0.1'], 'a.b': ['127.0.0.1'] });
  });
});
