import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BODY_LIMIT_BYTES } from '../../../src/review/index.ts';
import { settingsOf } from './admission-fixtures.ts';
import {
  reviewOf,
  stampedPod,
  startHandler,
  type Answer,
  type Harness,
  type ReviewAnswer,
} from './handler-harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await startHandler();
});
afterEach(() => harness.close());

const parsed = (answer: Answer): ReviewAnswer => JSON.parse(answer.body) as ReviewAnswer;

describe('a review', () => {
  it('is answered with its UID, its version and a patch', async () => {
    const answer = await harness.send(reviewOf(stampedPod(), 'the-uid'));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    const { apiVersion, kind, response } = parsed(answer);
    expect({ apiVersion, kind }).toEqual({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
    expect(response).toMatchObject({ uid: 'the-uid', allowed: true, patchType: 'JSONPatch' });
    expect(response.auditAnnotations).toEqual({ reason: 'injected', application: 'web' });
    const patch = JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString()) as { path: string }[];
    expect(patch.map(({ path }) => path)).toEqual([
      '/spec/volumes',
      '/spec/securityContext',
      '/spec/containers/0/env',
      '/spec/containers/0/volumeMounts',
    ]);
  });

  it('has no patchType without a patch', async () => {
    const { response } = parsed(
      await harness.send(reviewOf({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' } })),
    );
    expect(Object.keys(response).sort()).toEqual(['allowed', 'auditAnnotations', 'uid']);
    expect(response.allowed).toBe(true);
  });

  it('is refused with 422 and the reason', async () => {
    const spec = { containers: [{ name: 'app', env: [{ name: 'KRAKE_TOKEN', value: 'canary' }] }] };
    const { response } = parsed(await harness.send(reviewOf(stampedPod(spec))));
    expect(response).toMatchObject({ allowed: false, status: { code: 422, reason: 'Invalid' } });
    expect(response.status?.message).toContain('container "app": spec.containers[app].env[KRAKE_TOKEN]');
    expect(response.patch).toBeUndefined();
  });

  it('brings warnings', async () => {
    const metadata = { name: 'x', annotations: { 'hooks.krake.dev/hook': 'complete' } };
    const { response } = parsed(await harness.send(reviewOf({ apiVersion: 'v1', kind: 'Pod', metadata })));
    expect(response.warnings).toEqual([expect.stringContaining('did you mean "hooks.krake.dev/hooks"?')]);
  });

  it('may come in chunks', async () => {
    const answer = await harness.send(reviewOf(stampedPod()), { chunked: true });
    expect(parsed(answer).response.patchType).toBe('JSONPatch');
  });

  it.each([
    ['no object', null],
    ['labels that are a list', { apiVersion: 'v1', kind: 'Pod', metadata: { labels: [] } }],
    [
      'an annotation that is a number',
      { apiVersion: 'v1', kind: 'Pod', metadata: { annotations: { 'hooks.krake.dev/hooks': 1 } } },
    ],
    ['containers that are an object', stampedPod({ containers: {} })],
    ['a container that is null', stampedPod({ containers: [null] })],
    ['env that is text', stampedPod({ containers: [{ name: 'a', env: 'x' }] })],
  ])('of an object with %s is an errored review with its UID', async (_what, object) => {
    const body = JSON.parse(reviewOf(stampedPod(), 'u2')) as { request: { object: unknown } };
    body.request.object = object;
    const { response } = parsed(await harness.send(JSON.stringify(body)));
    expect(response).toMatchObject({
      uid: 'u2',
      allowed: false,
      status: { code: 400, reason: 'BadRequest' },
    });
    expect(harness.reviews).toEqual([['Pod', 'errored', 'malformed-object', expect.any(Number)]]);
  });

  it('that fails by an error of ours is an errored review with its UID, a counter, and no stack', async () => {
    const broken = { ...settingsOf() };
    Object.defineProperty(broken, 'injection', {
      get: () => {
        throw new RangeError('canary-of-the-object');
      },
    });
    const failing = await startHandler({ settings: broken });
    try {
      const answer = await failing.send(reviewOf(stampedPod(), 'u3'));
      expect(answer.status).toBe(200);
      expect(parsed(answer).response).toMatchObject({ uid: 'u3', allowed: false, status: { code: 500 } });
      expect(answer.body).not.toMatch(/canary|\.ts|at /);
      expect(failing.failures()).toBe(1);
      expect(failing.lines).toMatchObject([{ level: 'error', fields: { uid: 'u3', error: 'RangeError' } }]);
      expect(JSON.stringify(failing.lines)).not.toContain('canary');
    } finally {
      await failing.close();
    }
  });
});

describe('a decision', () => {
  it('is one line: info for what changes or is refused, debug for the rest', async () => {
    await harness.send(reviewOf(stampedPod(), 'u1'));
    await harness.send(reviewOf({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' } }, 'u2'));
    expect(harness.lines).toEqual([
      {
        level: 'info',
        message: 'admission decided',
        fields: expect.objectContaining({
          namespace: 'shop',
          kind: 'Pod',
          name: 'web',
          operation: 'CREATE',
          uid: 'u1',
          outcome: 'patched',
          reason: 'injected',
          application: 'web',
        }) as unknown,
      },
      expect.objectContaining({
        level: 'debug',
        fields: expect.objectContaining({ reason: 'no-hooks' }) as unknown,
      }),
    ]);
    expect(harness.reviews.map(([kind, outcome, reason]) => [kind, outcome, reason])).toEqual([
      ['Pod', 'patched', 'injected'],
      ['Pod', 'unchanged', 'no-hooks'],
    ]);
  });

  it('of a kind that nobody knows is counted as other', async () => {
    await harness.send(reviewOf({ apiVersion: 'x/v1', kind: 'Surprise', metadata: {} }));
    expect(harness.reviews[0]?.slice(0, 3)).toEqual(['other', 'unchanged', 'unknown-kind']);
  });

  it('tells no value of the object, not in the answer and not in the log', async () => {
    const env = [
      { name: 'PASSWORD', value: 'canary-1' },
      { name: 'KRAKE_COMPLETE_URL', value: 'https://canary-2' },
    ];
    const refused = await harness.send(reviewOf(stampedPod({ containers: [{ name: 'app', env }] })));
    const broken = await harness.send(
      reviewOf(stampedPod({ containers: [{ name: 'app', env: ['canary-3'] }] })),
    );
    const invalid = await harness.send('{"canary-4": canary-4}');
    expect(refused.body + broken.body + invalid.body + JSON.stringify(harness.lines)).not.toContain('canary');
  });
});

describe('what is no review', () => {
  const good = reviewOf(stampedPod());
  const change = (edit: (review: Record<string, unknown>) => void): string => {
    const review = JSON.parse(good) as Record<string, unknown>;
    edit(review);
    return JSON.stringify(review);
  };
  const changeRequest = (fields: object): string =>
    change((review) => Object.assign(review.request as object, fields));

  it.each([
    ['another path', 404, good, { path: '/' }],
    ['a path that only begins alike', 404, good, { path: '/mutate/x' }],
    ['a method that is not POST', 405, '', { method: 'GET' }],
    ['no content type', 415, good, { headers: { 'Content-Type': '' } }],
    ['a form', 415, good, { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }],
    ['a type that only begins alike', 415, good, { headers: { 'Content-Type': 'application/jsonp' } }],
    ['nothing', 400, '', {}],
    ['half of a review', 400, good.slice(0, -20), {}],
    ['a list', 400, '[]', {}],
    ['null', 400, 'null', {}],
    ['v1beta1', 400, change((review) => (review.apiVersion = 'admission.k8s.io/v1beta1')), {}],
    ['a version of tomorrow', 400, change((review) => (review.apiVersion = 'admission.k8s.io/v2')), {}],
    ['another kind', 400, change((review) => (review.kind = 'ConversionReview')), {}],
    ['a review without request', 400, change((review) => (review.request = null)), {}],
    ['a request without UID', 400, changeRequest({ uid: '' }), {}],
    ['a UID that is no text', 400, changeRequest({ uid: { toString: 1 } }), {}],
    ['an unknown operation', 400, changeRequest({ operation: 'PATCH' }), {}],
    ['a kind that is text', 400, changeRequest({ kind: 'Pod' }), {}],
    ['a namespace that is a list', 400, changeRequest({ namespace: ['kube-system'] }), {}],
    [
      'invalid UTF-8',
      400,
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
      {},
    ],
    ['1e5 nested lists', 400, '['.repeat(1e5) + ']'.repeat(1e5), {}],
    ['1e5 nested objects in a review', 400, `{"apiVersion":${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}}`, {}],
    ['a few nested lists without end', 400, '['.repeat(20_000), {}],
    ['more than the limit', 413, ' '.repeat(BODY_LIMIT_BYTES + 1), {}],
    ['more than the limit, in chunks', 413, ' '.repeat(BODY_LIMIT_BYTES + 1), { chunked: true }],
    ['brackets up to the limit', 400, '['.repeat(BODY_LIMIT_BYTES), {}],
  ])('%s is answered %d as JSON, and the next review as ever', async (_what, status, body, options) => {
    const beforeMs = await fastestMs(() => harness.send(good));
    const answer = await harness.send(body, options);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toContain('json');
    expect(JSON.parse(answer.body)).toMatchObject({ status });
    expect(answer.headers.location).toBeUndefined();
    expect(harness.rejected).toEqual([status]);
    if (status === 405) expect(answer.headers.allow).toBe('POST');

    expect(parsed(await harness.send(good)).response.allowed).toBe(true);
    expect(await fastestMs(() => harness.send(good))).toBeLessThan(20 * beforeMs);
  });

  it('__proto__ changes no prototype and is data like any other', async () => {
    const body = good
      .replace(
        '"metadata":{',
        '"__proto__":{"metadata":{"deletionTimestamp":"x"},"polluted":1},"metadata":{"__proto__":{"labels":{}},',
      )
      .replace('"annotations":{', '"annotations":{"__proto__":"x","constructor":"y",');
    const { response } = parsed(await harness.send(body));
    expect(response.patchType).toBe('JSONPatch');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('10 containers with 200 variables each are injected at once', async () => {
    const env = Array.from({ length: 200 }, (_, i) => ({ name: `V${i}`, value: 'v'.repeat(50) }));
    const containers = Array.from({ length: 10 }, (_, i) => ({ name: `c${i}`, env }));
    const body = reviewOf(stampedPod({ containers }));
    // The same bytes, read and left alone: what it costs at least.
    const floorMs = await fastestMs(() =>
      harness.send(body.replaceAll('hooks.krake.dev', 'hooks.other.dev')),
    );
    const { response } = parsed(await harness.send(body));
    expect(await fastestMs(() => harness.send(body))).toBeLessThan(10 * floorMs);
    expect(JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString())).toHaveLength(2 + 10 * 4);
  });

  it('a million wrong words in an annotation cost little, and their warnings are bounded', async () => {
    const words = 'shutdwon,'.repeat(500_000);
    const metadata = { name: 'x', annotations: { 'hooks.krake.dev/hooks': words } };
    const body = reviewOf({ apiVersion: 'v1', kind: 'Pod', metadata });
    const floorMs = await fastestMs(() => harness.send(body.replace('hooks.krake.dev', 'hooks.other.dev')));
    const { response } = parsed(await harness.send(body));
    // Comparing each word with the known ones would cost hundreds of times the floor.
    expect(await fastestMs(() => harness.send(body))).toBeLessThan(40 * floorMs);
    expect(response.warnings?.length).toBeLessThanOrEqual(15);
  });
});

describe('a body that does not come', () => {
  const head =
    'POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"a":';

  it('is waited for until the deadline', async () => {
    const impatient = await startHandler({ deadlineMs: 1_000 });
    try {
      expect(await impatient.raw([head], false)).toMatch(/^HTTP\/1.1 408 /);
      expect(parsed(await impatient.send(reviewOf(stampedPod()))).response.allowed).toBe(true);
    } finally {
      await impatient.close();
    }
  });

  it('since the caller has gone, harms nobody', async () => {
    await harness.raw([head], true);
    expect(parsed(await harness.send(reviewOf(stampedPod()))).response.allowed).toBe(true);
    expect(harness.failures()).toBe(0);
  });
});

/** The best of several: what else the machine does falls on all of them alike only by chance. */
async function fastestMs(run: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 7; i++) {
    const startedMs = performance.now();
    await run();
    best = Math.min(best, performance.now() - startedMs);
  }
  return best;
}
