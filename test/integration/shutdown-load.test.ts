import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import { WORKLOAD_KINDS } from '../../src/contract/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { checkConversationSteps } from '../history/conversation-steps.ts';
import { checkGoodbyeFirst } from '../history/goodbye-first.ts';
import type { HistoryEvent } from '../history/history.ts';
import { recordObjects, type ObjectRecorder } from '../history/record-objects.ts';
import { buildWorld } from '../history/world.ts';
import { FLEET_NAMESPACE, startFleet, type Fleet } from './shutdown-fleet.ts';

const COUNT = 200;
const SLOWEST_MS = 20_000;
/** If calls held workers it would be more than 6; how fast it can be says make bench. */
const MOST_OF_THE_SLOWEST = 5;

const names = Array.from({ length: COUNT }, (_, i) => `app-${i}`);
/** 0 to 20 s, spread the same way in each run; one takes all of it. */
const delayOf = (index: number): number =>
  index === 0 ? SLOWEST_MS : Math.floor((((index * 2_654_435_761) >>> 0) / 2 ** 32) * SLOWEST_MS);

let fleet: Fleet;
let recorder: ObjectRecorder;
const history: HistoryEvent[] = [];

beforeAll(async () => {
  fleet = await startFleet(
    (application) => {
      const index = Number(application.split('-').at(-1));
      return { goodbyeAfterMs: delayOf(index), answersLate: index % 2 === 0 };
    },
    // A machine that stands still for some seconds is no service that cannot be reached.
    { 'outbound.connectTimeout': '30s' },
  );
  recorder = await recordObjects(fleet.controlPlane, FLEET_NAMESPACE, (event) => history.push(event));
  await fleet.deploy(names);
}, 600_000);
afterAll(async () => {
  recorder.stop();
  await fleet.stop();
}, 60_000);

describe('200 applications that shut down at once, slow and fast ones', () => {
  it('are each asked once, say goodbye, and go then, together in about the time of the slowest', async () => {
    const startedAt = performance.now();
    await fleet.deleteAll();
    let lastAt = 0;
    await waitFor(
      'all to be gone',
      async () => {
        const left = (await fleet.list(WORKLOAD_KINDS.Deployment)).length;
        lastAt = performance.now();
        return left === 0 ? true : undefined;
      },
      { timeoutMs: 240_000, intervalMs: 100 },
    );
    await waitFor(
      'their pods to be gone',
      async () => ((await fleet.list(WORKLOAD_KINDS.Pod)).length === 0 ? true : undefined),
      { timeoutMs: 180_000 },
    );
    const applications = await waitFor(
      'all conversations to be over',
      async () => {
        const found = await fleet.list<Application>(APPLICATIONS);
        return found.every(({ status }) => status?.phase === 'Completed') ? found : undefined;
      },
      { timeoutMs: 60_000 },
    );
    await recorder.settled();

    const { conversations } = fleet.services;
    // A goodbye is carried out when it is stored, which is before its answer is read here.
    await waitFor(
      'the last answers to goodbyes',
      () => conversations.every(({ goodbye }) => goodbye !== undefined) || undefined,
    );
    const asked = conversations.map(({ application }) => application).sort();
    expect(asked).toEqual(names.map((name) => `deployment-${name}`).sort());
    expect(conversations.filter(({ goodbye }) => goodbye?.status !== 200)).toEqual([]);
    expect(conversations.filter(({ attempt }) => attempt !== 1)).toEqual([]);
    expect(applications).toHaveLength(COUNT);

    const world = buildWorld(history);
    expect(history.filter(({ kind }) => kind === 'gap')).toEqual([]);
    expect(checkGoodbyeFirst(world, new Set())).toEqual([]);
    expect(checkConversationSteps(world)).toEqual([]);
    // The same by our own clock: whoever has gone had said goodbye before.
    const goneAt = new Map<string, number>(
      world.lives.flatMap(({ kind, name, deleted }) =>
        kind === 'Deployment' && deleted !== undefined ? [[`deployment-${name}`, deleted.atMs] as const] : [],
      ),
    );
    expect(goneAt.size).toBe(COUNT);
    expect(
      conversations.filter(
        ({ application, goodbye }) => (goodbye?.sentAtMs ?? Infinity) > (goneAt.get(application) ?? 0),
      ),
    ).toEqual([]);

    const ratio = (lastAt - startedAt) / SLOWEST_MS;
    process.stderr.write(`200 shutdowns took ${ratio.toFixed(2)} times the slowest\n`);
    expect(ratio).toBeLessThan(MOST_OF_THE_SLOWEST);
  }, 600_000);
});
