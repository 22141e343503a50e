import { describe, expect, it } from '@jest/globals';
import type { KnownApplication } from '../../../src/callbacks/index.ts';
import { createGoodbyeStore } from '../../../src/callbacks/goodbye-store.ts';
import { projectApplication } from '../../../src/callbacks/project-application.ts';
import { KubeApiError, type KubeClient, type KubeObject } from '../../../src/kube/index.ts';

const refusal = new KubeApiError('test failed', 422, 'Invalid');
const tokenSha256 = 'a'.repeat(64);
const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second)).toISOString();

function applicationWith(pods: readonly object[], more: object = {}) {
  const conversation = { id: 'c', form: 'pod', deadline: at(50), pods, ...more };
  return {
    metadata: { uid: 'u' },
    spec: { shutdown: { service: 'pod:8080' } },
    status: { tokenSha256, signals: {}, shutdown: { sequence: 1, conversations: [conversation] } },
  };
}
const podNamed = (name: string) => ({ uid: `uid-${name}`, name, address: name });

/** Answers patches one after the other; what the real API server does is in test/integration. */
function scripted(patches: readonly unknown[], live?: object) {
  const sent: { readonly path: string; readonly op: string }[][] = [];
  let reads = 0;
  const left = [...patches];
  const client: Pick<KubeClient, 'get' | 'patch'> = {
    patch: async <T extends KubeObject>(_ref: unknown, patch: { body: unknown }) => {
      sent.push(patch.body as (typeof sent)[number]);
      await Promise.resolve();
      const next = left.shift();
      if (next instanceof Error) throw next;
      return next as T;
    },
    get: <T extends KubeObject>() => {
      reads++;
      return Promise.resolve(live as T | undefined);
    },
  };
  const store = createGoodbyeStore(client);
  return {
    sent,
    reads: () => reads,
    say: (cached: object, pod: string | undefined, address = 'elsewhere', second = 1) =>
      store.store({
        namespace: 'shop',
        name: 'web',
        application: projectApplication(cached) as KnownApplication,
        grounds: { by: 'token', tokenSha256 },
        sender: { pod, conversation: undefined, address },
        value: { receivedAt: at(second), provenBy: 'token' },
      }),
  };
}
const added = (body: readonly { readonly path: string; readonly op: string }[] | undefined) =>
  body?.filter(({ op }) => op === 'add').map(({ path }) => path);

const two = applicationWith([podNamed('a'), podNamed('b')]);
const confirmedA = applicationWith([
  { ...podNamed('a'), confirmation: { receivedAt: at(1) } },
  podNamed('b'),
]);

describe('createGoodbyeStore', () => {
  it('stores with one request', async () => {
    const { say, sent, reads } = scripted([confirmedA]);
    const stored = { kind: 'stored', already: false, conversation: 'c', pod: 'a', receivedAt: at(1) };
    expect(await say(two, 'a')).toEqual(stored);
    expect(added(sent[0])).toEqual(['/status/shutdown/conversations/0/pods/0/confirmation']);
    expect(reads()).toBe(0);
  });

  it('what comes while a patch is under way goes into the next one together; doubles are stored once', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `p${i}`);
    const many = applicationWith(names.map(podNamed));
    const { say, sent } = scripted([many, many]);
    const results = await Promise.all([...names, 'p7', 'p7'].map((name) => say(many, name)));
    expect(sent.map((body) => added(body)?.length)).toEqual([1, 29]);
    expect(results.filter(({ kind }) => kind === 'stored')).toHaveLength(32);
    expect(results.filter((result) => result.kind === 'stored' && result.already)).toHaveLength(2);
  });

  it('a test that fails: reads live and decides anew', async () => {
    const { say, sent, reads } = scripted([refusal, two], two);
    const cached = applicationWith([], { id: 'older', outcome: 'confirmed', endedAt: at(0) });
    expect(await say(cached, undefined, 'a')).toMatchObject({ already: false, conversation: 'c', pod: 'a' });
    expect(sent.map(added)).toEqual([
      ['/status/signals/shutdownFrom'],
      ['/status/shutdown/conversations/0/pods/0/confirmation'],
    ]);
    expect(reads()).toBe(1);
  });

  it('what nobody asked for tests that nobody has begun to ask', async () => {
    const { say, sent } = scripted([two]);
    await say(applicationWith([], { outcome: 'confirmed', endedAt: at(0) }), undefined);
    expect(sent[0]).toContainEqual({ op: 'test', path: '/status/shutdown/sequence', value: 1 });
    const cached = { ...two, status: { tokenSha256 } };
    await say(cached, undefined);
    expect(sent[1]).toContainEqual({ op: 'test', path: '/status/shutdown', value: null });
  });

  it('so does a guess; a pod that is known does not', async () => {
    const { say, sent } = scripted([two, two]);
    await say(confirmedA, undefined);
    await say(confirmedA, 'b');
    const tested = sent.map((body) => body.some(({ path }) => path === '/status/shutdown/sequence'));
    expect(tested).toEqual([true, false]);
  });

  it('already and refused are said of a live state only', async () => {
    const { say, sent, reads } = scripted([confirmedA], two);
    // The cache has a confirmation that the live state does not have, for instance of a conversation with that place before.
    expect(await say(confirmedA, 'a')).toMatchObject({ kind: 'stored', already: false });
    expect([reads(), sent.length]).toEqual([1, 1]);
    const unknown = scripted([], confirmedA);
    expect(await unknown.say(two, 'x')).toEqual({ kind: 'refused', reason: 'pod-unknown' });
    expect(unknown.reads()).toBe(1);
  });

  it.each([
    ['the token is another', { ...two, status: { ...two.status, tokenSha256: 'b'.repeat(64) } }],
    ['it is a namesake', { ...two, metadata: { uid: 'other' } }],
    ['it is gone', undefined],
  ])('void when %s', async (_name, live) => {
    expect(await scripted([refusal], live).say(two, 'a')).toEqual({ kind: 'void' });
  });

  it('an error is an answer for all who wait, and the next is tried again', async () => {
    const { say } = scripted([new KubeApiError('busy', 429, 'TooManyRequests', 7), two, two]);
    expect(await Promise.all([say(two, 'a'), say(two, 'b')])).toMatchObject([
      { kind: 'unavailable', retryAfterSeconds: 7 },
      { kind: 'stored' },
    ]);
    expect(await say(two, 'a')).toMatchObject({ kind: 'stored' });
  });

  it('a race that goes on and on is given up', async () => {
    const { say, sent } = scripted(Array<Error>(9).fill(refusal), two);
    expect(await say(two, 'a')).toMatchObject({ kind: 'unavailable' });
    expect(sent).toHaveLength(5);
  });
});
