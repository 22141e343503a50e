import { describe, expect, it } from '@jest/globals';
import type { Application } from '../../../src/applications/index.ts';
import { readRequest, type RequestFlags } from '../../../src/cli/request-commands.ts';
import { sendRequest } from '../../../src/cli/send-request.ts';
import {
  REQUEST,
  application,
  conversation,
  requestWorld,
  shutdownOf,
  type RequestWorld,
} from './request-fixtures.ts';

const options = (waitMs = 10_000) => ({
  namespace: 'shop',
  name: 'deployment-web',
  request: { request: 'release', nodeSelector: {} } as const,
  waitMs,
});
const released = (app: Application): Application => ({
  ...app,
  metadata: { ...app.metadata, annotations: {} },
  status: {
    phase: 'ReadyForAction',
    shutdown: shutdownOf(conversation({ outcome: 'released' })),
    conditions: [
      {
        type: 'Held',
        status: 'False',
        reason: 'Released',
        message: 'pod web-1 may go',
        lastTransitionTime: '2026-11-21T08:00:00Z',
      },
    ],
  },
});
const hasRequest = (app: Application): boolean => app.metadata.annotations?.[REQUEST] !== undefined;
const run = (world: RequestWorld, waitMs?: number) => sendRequest(world, options(waitMs));

describe('sendRequest', () => {
  it('writes the request, waits until it is taken up, and says what came of it', async () => {
    const world = requestWorld({
      applications: [application()],
      after: (app, looks) => (hasRequest(app) && looks > 3 ? released(app) : app),
    });
    await expect(run(world)).resolves.toBe(0);
    expect(world.written).toEqual(['release']);
    expect(world.lines).toEqual([
      'asked: release Application deployment-web in namespace shop',
      'next: pod web-1 may go without a goodbye; what is not saved by now is lost',
      'phase: ReadyForAction',
      'held: no, pod web-1 may go',
      'more: kubectl -n shop describe applications.hooks.krake.dev deployment-web',
    ]);
  });

  it.each([
    ['migrate', { disk: 'ssd', zone: 'a' }, ['zone=b'], true],
    ['migrate', { disk: 'ssd', zone: 'a' }, ['disk=ssd,zone=a'], false],
    ['migrate', { disk: 'ssd' }, 'forbidden', false],
    ['migrate', {}, [], false],
  ] as const)(
    '%s to %j: warns when no node has the labels, of %j',
    async (request, nodeSelector, nodes, is) => {
      const world = requestWorld({
        applications: [application({ status: { shutdown: shutdownOf() } })],
        nodes,
      });
      const wanted = { ...options(0), request: { request, nodeSelector } };
      await expect(sendRequest(world, wanted)).resolves.toBe(0);
      expect(world.lines.some((line) => line.startsWith('warning: no node has these labels'))).toBe(is);
    },
  );

  it('does not wait when it is not to', async () => {
    const world = requestWorld({ applications: [application()] });
    await expect(run(world, 0)).resolves.toBe(0);
    expect(world.elapsedMs()).toBe(0);
    expect(world.lines.at(-1)).toContain('not waited for');
  });

  it('gives up waiting after its time, and says how to withdraw the request', async () => {
    const world = requestWorld({ applications: [application()] });
    await expect(run(world, 3_000)).resolves.toBe(2);
    expect(world.elapsedMs()).toBe(3_000);
    expect(world.lines.slice(2)).toEqual([
      'not taken up within 3 s: is the controller running?',
      `the request stays; to withdraw it: kubectl -n shop annotate applications.hooks.krake.dev deployment-web ${REQUEST}-`,
    ]);
  });

  it('ends well when the Application is gone by then', async () => {
    const world = requestWorld({
      applications: [application()],
      after: (app) => (hasRequest(app) ? undefined : app),
    });
    await expect(run(world)).resolves.toBe(0);
    expect(world.lines.at(-1)).toBe('taken up; Application deployment-web is gone');
  });

  it.each([
    [['an older answer', 'the request "release" cannot be carried out: nothing is held'], 'nothing is held'],
    [[], 'its Events say why'],
    ['forbidden' as const, 'its Events say why'],
  ])('tells of a refusal: %#', async (events, why) => {
    const world = requestWorld({
      applications: [application()],
      events,
      after: (app) => (hasRequest(app) ? { ...app, metadata: { ...app.metadata, annotations: {} } } : app),
    });
    await expect(run(world)).resolves.toBe(1);
    expect(world.lines[2]).toContain('refused by the controller: ');
    expect(world.lines[2]).toContain(why);
  });

  it('judges again after a conflict, and gives up after many', async () => {
    const some = requestWorld({ applications: [application()], conflicts: 3 });
    await expect(run(some, 0)).resolves.toBe(0);
    expect(some.written).toEqual(['release']);
    const many = requestWorld({ applications: [application()], conflicts: 1_000 });
    await expect(run(many, 0)).rejects.toThrow('changed');
    const over = requestWorld({
      applications: [application()],
      conflicts: 1,
      after: (app, looks) => (looks > 1 ? released(app) : app),
    });
    await expect(run(over)).rejects.toThrow('Application deployment-web: nothing of it is held');
    expect(over.written).toEqual([]);
  });

  it('does not write over the request of somebody else, and waits for the same one', async () => {
    const other = requestWorld({ applications: [application({ annotations: { [REQUEST]: 'retry' } })] });
    await expect(run(other)).rejects.toThrow('the request "retry" is still to be taken up');
    const same = requestWorld({
      applications: [application({ annotations: { [REQUEST]: 'release' } })],
      after: (app, looks) => (looks > 2 ? released(app) : app),
    });
    await expect(run(same)).resolves.toBe(0);
    expect(same.written).toEqual([]);
  });

  it('waits until the same request of before is forgotten, which would hide this one', async () => {
    const shutdown = { ...shutdownOf(conversation()), handledRequest: 'release' };
    const remembering = application({ status: { shutdown } });
    const world = requestWorld({
      applications: [remembering],
      after: (app, looks) => (looks > 4 && !hasRequest(app) ? application() : app),
    });
    await expect(run(world, 0)).resolves.toBe(0);
    expect(world.elapsedMs()).toBeGreaterThan(0);
    expect(world.written).toEqual(['release']);

    const never = requestWorld({ applications: [remembering] });
    await expect(run(never, 0)).resolves.toBe(0);
    expect(never.elapsedMs()).toBe(5_000);
  });

  it('writes nothing that makes no sense', async () => {
    const world = requestWorld({
      applications: [application({ status: { phase: 'Running', shutdown: shutdownOf() } })],
    });
    await expect(run(world)).rejects.toThrow(
      'Application deployment-web: nothing of it is held (phase Running)',
    );
    expect(world.written).toEqual([]);
  });
});

describe('readRequest', () => {
  const flags = (changes: Partial<RequestFlags> = {}): RequestFlags => ({
    namespace: 'shop',
    wait: '10s',
    ...changes,
  });

  it.each<[Partial<RequestFlags>, number]>([
    [{}, 10_000],
    [{ wait: '1m' }, 60_000],
    [{ wait: '0' }, 0],
    [{ wait: '0s' }, 0],
    [{ wait: false }, 0],
  ])('%j waits %d ms', (changes, waitMs) => {
    expect(readRequest('retry', 'web', flags(changes))).toEqual({
      namespace: 'shop',
      name: 'web',
      request: { request: 'retry', nodeSelector: {} },
      waitMs,
    });
  });

  it('reads the nodes to move to', () => {
    expect(readRequest('migrate', 'web', flags({ to: 'disk=ssd,zone=a' })).request).toEqual({
      request: 'migrate',
      nodeSelector: { disk: 'ssd', zone: 'a' },
    });
  });

  it('reads how long the former token is taken', () => {
    expect(readRequest('rotate', 'web', flags()).request).toEqual({ request: 'rotate', nodeSelector: {} });
    expect(readRequest('rotate', 'web', flags({ grace: '1h' })).request).toMatchObject({
      graceMs: 3_600_000,
    });
    expect(() => readRequest('rotate', 'web', flags({ grace: 'soon' }))).toThrow(
      '--grace soon: write a duration',
    );
    expect(() => readRequest('rotate', 'web', flags({ grace: '' }))).toThrow('--grace "": write a duration');
  });

  it.each<[Partial<RequestFlags>, string]>([
    [{ to: 'ssd' }, '--to ssd: write labels'],
    [{ to: '' }, '--to : write labels'],
    [{ wait: 'soon' }, '--wait soon: write a duration'],
    [{ wait: '' }, '--wait "": write a duration'],
    [{ wait: '10' }, '--wait 10: write a duration'],
  ])('refuses %j', (changes, problem) => {
    expect(() => readRequest('migrate', 'web', flags(changes))).toThrow(problem);
  });
});
