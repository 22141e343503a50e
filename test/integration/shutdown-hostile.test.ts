import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPLICATIONS, isHolding, type Application } from '../../src/applications/index.ts';
import { createApiServerAddresses } from '../../src/cli/api-server-addresses.ts';
import { createShutdownCaller } from '../../src/cli/shutdown-caller.ts';
import {
  ANNOTATION_REQUEST,
  ANNOTATION_SHUTDOWN_FAILURE,
  ANNOTATION_SHUTDOWN_SERVICE,
  ANNOTATION_SHUTDOWN_TIMEOUT,
  FINALIZER_SHUTDOWN,
  LABEL_APPLICATION,
  WORKLOAD_KINDS,
} from '../../src/contract/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { createOutboundCaller } from '../../src/outbound/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import {
  NAMESPACE,
  createRecordingLogger,
  startApplicationsSetting,
  type ApplicationsSetting,
  type Replica,
} from './applications-setting.ts';
import {
  ALLOWED,
  startHostileServices,
  type HostileService,
  type HostileServices,
} from './hostile-services.ts';

// From the deletion to the end, through the controller and the caller as the service makes them. Names lead where the test says; nothing
// else is made up. Fewer workers than hostile services: if one of them held a worker, the others would wait.

const START_MS = 600_000;
const LONG_MS = 300_000;
const SOON = { timeoutMs: 60_000, intervalMs: 20 };
const WORKERS = 2;
const TIMEOUT_S = 45;
/** Longer than a busy machine stands still: who answers is told from who does not. */
const LIMIT_MS = 5_000;
const GOOD = 3;

let setting: ApplicationsSetting;
let hostile: HostileServices;
let replica: Replica;
let goodPort = 0;
const stops: (() => Promise<void>)[] = [];
const outboundLines: Parameters<typeof createRecordingLogger>[0] = [];

beforeAll(async () => {
  setting = await startApplicationsSetting();
  stops.push(() => setting.stop());
  hostile = await startHostileServices(setting);
  stops.push(() => hostile.stop());
  goodPort = await hostile.good(
    (body) => void confirm((JSON.parse(body) as { application: string }).application),
  );
  const client = setting.controllerClient();
  const logger = createRecordingLogger(outboundLines);
  const monotonic = () => performance.now();
  const names = new Map<string, string>(
    hostile.all.flatMap(({ leadsTo }) =>
      leadsTo === undefined ? [] : [[`${leadsTo.service}.${NAMESPACE}.svc`, leadsTo.address] as const],
    ),
  );
  const outbound = createOutboundCaller(
    {
      resolveHost(host) {
        const address = names.get(host);
        return Promise.resolve(
          address === undefined ? { kind: 'unknown' } : { kind: 'addresses', addresses: [address] },
        );
      },
      apiServers: createApiServerAddresses({ client, logger, monotonic }, undefined),
      metrics: { called: () => undefined, load: () => undefined },
      logger,
      monotonic,
    },
    {
      allowCidrs: [`${ALLOWED}/32`],
      denyCidrs: [],
      caFile: hostile.caFile,
      maxConcurrentCalls: 1_000,
      userAgent: 'krake-hooks/0',
    },
  );
  stops.push(() => outbound.close());
  const noPodIdentity = () => Promise.reject(new Error('all applications have a token here'));
  const limits = { connectTimeout: LIMIT_MS, answerTimeout: LIMIT_MS };
  const callShutdown = createShutdownCaller(outbound, noPodIdentity, limits, Date.now);
  replica = await setting.replica({ client, workers: WORKERS, callShutdown });
  stops.push(() => setting.stopReplicas());
}, START_MS);
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
}, LONG_MS);

const statusOf = (name: string) =>
  ({ resource: APPLICATIONS, namespace: NAMESPACE, name, subresource: 'status' }) as const;

/** Stores a goodbye as callbacks do. */
async function confirm(name: string): Promise<void> {
  const value = { receivedAt: new Date().toISOString(), provenBy: 'token' };
  const path = '/status/shutdown/conversations/0/pods/0/confirmation';
  await setting.admin.patch(statusOf(name), { type: 'json', body: [{ op: 'add', path, value }] });
}

/** A Deployment with one pod that runs at the address that may be called, and is held. */
async function begin(name: string, service: string, failure: string): Promise<void> {
  await setting.createWorkload('Deployment', name, {
    hooks: 'shutdown',
    annotations: {
      [ANNOTATION_SHUTDOWN_SERVICE]: service,
      [ANNOTATION_SHUTDOWN_TIMEOUT]: `${TIMEOUT_S}s`,
      [ANNOTATION_SHUTDOWN_FAILURE]: failure,
    },
  });
  const labelSelector = `${LABEL_APPLICATION}=deployment-${name}`;
  const pod = await waitFor(
    `the pod of ${name}`,
    async () => (await setting.admin.list(WORKLOAD_KINDS.Pod, NAMESPACE, { labelSelector })).items[0],
    SOON,
  );
  const ref = { resource: WORKLOAD_KINDS.Pod, namespace: NAMESPACE, name: pod.metadata.name ?? '' };
  const status = { phase: 'Running', podIP: ALLOWED, podIPs: [{ ip: ALLOWED }] };
  await setting.admin.patch({ ...ref, subresource: 'status' }, { type: 'merge', body: { status } });
  await waitFor(
    `${name} to be held`,
    async () => {
      const held = [
        await setting.workload('Deployment', name),
        await setting.application(`deployment-${name}`),
      ];
      return held.every((object) => object?.metadata.finalizers?.includes(FINALIZER_SHUTDOWN)) || undefined;
    },
    SOON,
  );
}

async function remove(name: string): Promise<void> {
  const resource = WORKLOAD_KINDS.Deployment;
  const uid = (await setting.workload('Deployment', name))?.metadata.uid ?? '';
  await setting.admin.delete(
    { resource, namespace: NAMESPACE, name },
    { uid, propagationPolicy: 'Background' },
  );
}

/** From its deletion to its end. */
async function timeOf(name: string): Promise<number> {
  await begin(name, `pod:${goodPort}/shutdown`, 'give-up');
  const startedAt = performance.now();
  await remove(name);
  await setting.gone('Deployment', name);
  return performance.now() - startedAt;
}

const medianOf = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
const heldMessage = ({ status }: Application) =>
  status?.conditions?.find(({ type }) => type === 'Held')?.message ?? '';
const conversation = ({ status }: Application) => status?.shutdown?.conversations[0];
/** Of its one pod, or of its service. */
const askOf = (app: Application) => conversation(app)?.ask ?? conversation(app)?.pods[0]?.ask;

interface EventObject extends KubeObject {
  readonly reason?: string;
  readonly note?: string;
  readonly regarding?: { readonly kind?: string; readonly name?: string };
}

async function eventsOf(application: string): Promise<readonly EventObject[]> {
  await replica.events.flush();
  const resource = { apiVersion: 'events.k8s.io/v1', plural: 'events' };
  const { items } = await setting.admin.list<EventObject>(resource, NAMESPACE);
  return items.filter(({ regarding }) => regarding?.kind === 'Application' && regarding.name === application);
}

/** What happens to a hostile one from its deletion to the end that its policy says. */
async function runItsCourse({ name, failure, why, connections }: HostileService): Promise<void> {
  const application = `deployment-${name}`;
  const before = connections?.() ?? 0;
  await remove(name);
  const asked = await setting.applicationThat(application, `says: ${why ?? 'asked at'}`, (app) =>
    heldMessage(app).includes(why ?? ': asked at'.slice(2)),
  );
  const { deadline } = conversation(asked) ?? {};
  if (why !== undefined) {
    await setting.applicationThat(application, 'was tried again', (app) => (askOf(app)?.attempts ?? 0) > 1);
  }
  // Until its deadline it is there.
  expect(Date.now()).toBeLessThan(Date.parse(deadline ?? ''));
  expect((await setting.workload('Deployment', name))?.metadata.deletionTimestamp).toBeDefined();

  if (failure === 'give-up') {
    const app = await setting.applicationThat(
      application,
      'is given up',
      (found) => conversation(found)?.givenUpAt !== undefined,
    );
    expect(app.status?.phase).toBe('Degraded');
    expect(conversation(app)?.deadline).toBe(deadline);
    expect(heldMessage(app)).toContain(`krake-hooks release ${application}`);
    expect(await setting.workload('Deployment', name)).toBeDefined();
    const body = { metadata: { annotations: { [ANNOTATION_REQUEST]: 'release' } } };
    const ref = { resource: APPLICATIONS, namespace: NAMESPACE, name: application };
    await setting.admin.patch(ref, { type: 'merge', body });
  }
  await setting.gone('Deployment', name);
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(deadline ?? ''));

  const expected = ['ShutdownRequested', failure === 'delete' ? 'ShutdownTimedOut' : 'ShutdownGivenUp'];
  const events = await waitFor('its Events', async () => {
    const found = await eventsOf(application);
    return expected.every((reason) => found.some((event) => event.reason === reason)) ? found : undefined;
  });
  const reasons = events.map(({ reason }) => reason);
  expect(reasons).not.toContain('ShutdownConfirmed');
  const failures = events.filter(({ reason }) => reason === 'ShutdownCallFailed').map(({ note }) => note);
  if (why === undefined) {
    // Its answer counts by its first line: it was asked once, however long it goes on.
    expect(failures).toEqual([]);
    expect(reasons).toContain('ShutdownAsked');
    expect(connections?.()).toBe(before + 1);
  } else {
    expect(failures.length).toBeGreaterThan(1);
    if (connections !== undefined) expect(connections() - before).toBeGreaterThan(1);
    expect(failures.filter((note) => note?.includes(why) !== true)).toEqual([]);
  }
}

describe('hostile shutdown services', () => {
  it(
    'run their course up to their deadline, each told why, and delay nobody else',
    async () => {
      const alone: number[] = [];
      for (let i = 0; i < GOOD; i++) alone.push(await timeOf(`alone-${i}`));

      for (const { name, service, failure, leadsTo } of hostile.all) {
        if (leadsTo !== undefined)
          await setting.admin.create({ apiVersion: 'v1', plural: 'services' }, NAMESPACE, {
            metadata: { name: leadsTo.service },
            spec: { clusterIP: 'None', ports: [{ port: leadsTo.port, targetPort: leadsTo.port }] },
          });
        await begin(name, service, failure);
      }
      const tokens = await Promise.all(
        hostile.all.map(async ({ name }) => {
          const text = (await setting.secret(`deployment-${name}`))?.data?.token ?? '';
          return Buffer.from(text, 'base64').toString('utf8');
        }),
      );
      expect(tokens.every((token) => token.length > 20)).toBe(true);
      const courses = Promise.allSettled(hostile.all.map((service) => runItsCourse(service)));
      const amid: number[] = [];
      let heldStill = 0;
      for (let i = 0; i < GOOD; i++) {
        amid.push(await timeOf(`amid-${i}`));
        const { items } = await setting.admin.list<Application>(APPLICATIONS, NAMESPACE);
        const isHeld = ({ status }: Application) => status?.shutdown?.conversations.some(isHolding) === true;
        heldStill = Math.max(heldStill, items.filter(isHeld).length);
      }
      const failed = (await courses).flatMap((course, i) =>
        course.status === 'rejected' ? [`${hostile.all[i]?.name ?? ''}: ${String(course.reason)}`] : [],
      );
      expect(failed).toEqual([]);

      process.stderr.write(
        `a good one alone: ${alone.map(Math.round).join(', ')} ms; beside ${hostile.all.length} hostile ones: ${amid.map(Math.round).join(', ')} ms\n`,
      );
      // One call to a hostile one would take longer than what is allowed here, and several would have to be waited for.
      expect(medianOf(amid)).toBeLessThan(3 * medianOf(alone) + LIMIT_MS);
      expect(heldStill).toBeGreaterThan(0);
      expect(hostile.untouched()).toBe(0);

      const told = JSON.stringify([
        replica.lines,
        outboundLines,
        (await setting.admin.list({ apiVersion: 'events.k8s.io/v1', plural: 'events' }, NAMESPACE)).items,
        (await setting.admin.list(APPLICATIONS, NAMESPACE)).items,
      ]);
      const bytes = tokens.map((token) => Buffer.from(token, 'base64url').toString('hex'));
      expect([...tokens, ...bytes].filter((secret) => told.includes(secret))).toEqual([]);
    },
    LONG_MS,
  );
});
