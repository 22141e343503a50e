// The floor for the shutdown conversation, the least that keeps its contract: what is asked is stored before the call, the goodbye before it is
// answered, then the finalizer comes off. No Events, nothing is read live, nothing is signed or proven, nothing is cleaned up.
// node bench/shutdown-floor.ts KUBECONFIG NAMESPACE URL; prints the port for goodbyes.
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { APPLICATIONS, type Application, type Conversation } from '../src/applications/index.ts';
import { applicationName, FINALIZER_SHUTDOWN, WORKLOAD_KINDS } from '../src/contract/index.ts';
import { createKubeClient, createReflector, type ObjectRef } from '../src/kube/index.ts';
import { createLogger } from '../src/observability/index.ts';
import { createPlaces } from '../src/outbound/places.ts';
import { send } from './send.ts';

const [kubeconfigPath = '', namespace = '', url = ''] = process.argv.slice(2);
const AT_ONCE = 32;
const TIMEOUT_SECONDS = 600;

interface Held {
  readonly application: Application;
  readonly workload: string;
  readonly podUid: string;
}

const client = createKubeClient({ kubeconfigPath, userAgent: 'floor/0' });
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
const held = new Map<string, Held>();

async function learn(): Promise<void> {
  const applications = await client.list<Application>(APPLICATIONS, namespace, { timeoutMs: 60_000 });
  const byName = new Map(applications.items.map((application) => [application.metadata.name, application]));
  const pods = await client.list(WORKLOAD_KINDS.Pod, namespace, { timeoutMs: 60_000, metadataOnly: true });
  for (const { metadata } of pods.items) {
    // Each pod has the name of its ReplicaSet here.
    const { name: workload = '', uid: podUid = '' } = metadata;
    const name = applicationName('ReplicaSet', workload);
    const application = byName.get(name);
    if (application !== undefined) held.set(name, { application, workload, podUid });
  }
}

async function ask(name: string): Promise<void> {
  const one = held.get(name);
  if (one === undefined) throw new Error(`${name} is not known`);
  const { application } = one;
  const conversation = conversationOf(one);
  const shutdown = { going: {}, ...application.status?.shutdown, sequence: 1, conversations: [conversation] };
  await client.replace(statusOf(name), { ...application, status: { ...application.status, shutdown } });
  const call = {
    application: name,
    namespace,
    reason: conversation.reason,
    deadline: conversation.deadline,
    conversation: conversation.id,
    ...{ round: 1, attempt: 1, scope: conversation.scope },
    pods: [{ name: one.workload, uid: one.podUid }],
    confirm: `http://127.0.0.1:${port}/${name}`,
  };
  await send(url, { method: 'PUT', agent }, JSON.stringify(call));
}

function conversationOf({ application, workload, podUid }: Held): Conversation {
  const now = new Date().toISOString();
  const deadline = new Date(Date.now() + TIMEOUT_SECONDS * 1_000).toISOString();
  const ask = { attempts: 1, attemptedAt: now };
  return {
    id: `${application.metadata.uid}-1`,
    ...{ scope: 'application', form: 'pod', reason: 'deletion' },
    ...{ startedAt: now, roundStartedAt: now, deadline },
    ...{ round: 1, needed: 1 },
    pods: [{ uid: podUid, name: workload, address: '127.0.0.1', ask }],
  };
}

async function hear(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  incoming.resume();
  const name = (incoming.url ?? '').slice(1);
  const { application, workload } = held.get(name) ?? {};
  const conversation = '/status/shutdown/conversations/0';
  const confirmation = { receivedAt: new Date().toISOString(), provenBy: 'token' };
  const goodbye = [
    { op: 'test', path: `${conversation}/id`, value: `${application?.metadata.uid ?? ''}-1` },
    { op: 'add', path: `${conversation}/pods/0/confirmation`, value: confirmation },
  ];
  await client.patch(statusOf(name), { type: 'json', body: goodbye });
  outgoing.writeHead(204).end();
  const release = [
    { op: 'test', path: '/metadata/finalizers/0', value: FINALIZER_SHUTDOWN },
    { op: 'remove', path: '/metadata/finalizers/0' },
  ];
  const ref = { resource: WORKLOAD_KINDS.ReplicaSet, namespace, name: workload ?? '' };
  await client.patch(ref, { type: 'json', body: release });
}

function statusOf(name: string): ObjectRef {
  return { resource: APPLICATIONS, namespace, name, subresource: 'status' };
}

const places = createPlaces({ max: AT_ONCE, groupShare: 1, memberShare: 1 }, () => undefined);
const never = new AbortController().signal;

/** So many at once; the others in the order in which they came. */
async function inTurn(work: () => Promise<void>): Promise<void> {
  const leave = await places.take({}, never);
  await work();
  leave?.();
}

await learn();
// What fails ends the process: it is nothing that a floor could be measured with.
const server = createServer((incoming, outgoing) => void inTurn(() => hear(incoming, outgoing)));
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const watch = createReflector<{ readonly name: string; readonly isDeleting: boolean }>({
  client,
  resource: WORKLOAD_KINDS.ReplicaSet,
  namespace,
  metadataOnly: true,
  project: ({ metadata }) => ({
    name: metadata.name ?? '',
    isDeleting: metadata.deletionTimestamp !== undefined,
  }),
  onChange(_key, before, after) {
    if (after?.isDeleting !== true || before?.isDeleting === true) return;
    void inTurn(() => ask(applicationName('ReplicaSet', after.name)));
  },
  logger: createLogger({ level: 'error' }),
});
await watch.start(new AbortController().signal);
while (!watch.connected()) await sleep(20);
console.log(port);
