import { APPLICATIONS, type Application } from '../applications/index.ts';
import {
  ANNOTATION_REQUEST,
  APPLICATIONS_IN_FULL,
  formatPersonRequest,
  type ParsedRequest,
} from '../contract/index.ts';
import { isConflict, type KubeClient, type KubeObject } from '../kube/index.ts';
import { findApplication, type ApplicationReader } from './find-application.ts';
import { judgeRequest, showsEffect } from './judge-request.ts';

export interface SendRequestDeps {
  readonly client: ApplicationReader & Pick<KubeClient, 'patch'>;
  /** A clock that only goes forward, in milliseconds. */
  readonly now: () => number;
  readonly pause: (ms: number) => Promise<void>;
  /** Writes one line for the person. */
  readonly print: (line: string) => void;
}

export interface SendRequestOptions {
  readonly namespace: string;
  /** Of the Application, or `KIND/NAME` of one of its workloads. */
  readonly name: string;
  readonly request: ParsedRequest;
  /** How long to wait until the controller has taken it up; 0: not at all. */
  readonly waitMs: number;
}

/** 0: carried out, or merely written with `waitMs` 0; 1: refused by the controller; 2: not taken up in time, it stays written. */
export type RequestResult = 0 | 1 | 2;

const POLL_MS = 200;
const MAX_CONFLICTS = 10;
/** For the controller to forget that it has carried out the same request before. */
const FORGET_MS = 5_000;
const NODES = { apiVersion: 'v1', plural: 'nodes' } as const;
const EVENTS = { apiVersion: 'v1', plural: 'events' } as const;

/**
 * Writes a person's request into the annotation of an Application and waits until the controller has taken it up. The same as
 * `kubectl annotate`, with a look beforehand at whether it makes sense, and afterwards at what came of it.
 *
 * @throws Error for a person: no such Application, a request that makes no sense now, or one of somebody else that is waiting
 */
export async function sendRequest(
  deps: SendRequestDeps,
  options: SendRequestOptions,
): Promise<RequestResult> {
  const { print } = deps;
  const before = await write(deps, options);
  const { name, namespace } = before.metadata;
  if (await isWithoutNode(deps, options.request))
    print('warning: no node has these labels now; its pods wait until one does, or until krake-hooks cancel');
  if (options.waitMs === 0) {
    print('not waited for; see it with ' + describeCommand(namespace, name));
    return 0;
  }
  const after = await untilTaken(deps, options, before);
  if (after === 'waiting') {
    print(`not taken up within ${options.waitMs / 1_000} s: is the controller running?`);
    print(`the request stays; to withdraw it: ${annotateCommand(namespace, name)} ${ANNOTATION_REQUEST}-`);
    return 2;
  }
  if (after === 'gone') {
    print(`taken up; Application ${name} is gone`);
    return 0;
  }
  const hasEffect = showsEffect(options.request.request, before.status, after.status);
  if (!hasEffect) print(`refused by the controller: ${await reasonOf(deps, after)}`);
  for (const line of describe(after)) print(line);
  return hasEffect ? 0 : 1;
}

/** Returns the Application as it was when the request was written. */
async function write(deps: SendRequestDeps, options: SendRequestOptions): Promise<Application> {
  const { client, print, pause, now } = deps;
  const text = formatPersonRequest(options.request);
  const startedMs = now();
  for (let conflicts = 0; ;) {
    const app = await findApplication(client, options.namespace, options.name);
    const { name, namespace, uid, resourceVersion, annotations } = app.metadata;
    const waiting = annotations?.[ANNOTATION_REQUEST];
    if (waiting !== undefined && waiting !== text) {
      throw new Error(
        `Application ${name}: the request "${waiting.slice(0, 63)}" is still to be taken up; withdraw it with ${annotateCommand(namespace, name)} ${ANNOTATION_REQUEST}-`,
      );
    }
    const verdict = judgeRequest(options.request, app);
    if (!verdict.sensible) throw new Error(`Application ${name}: ${verdict.why}`);
    const isRemembered = wasJustHandled(app, text);
    if (waiting === undefined && isRemembered && now() - startedMs < FORGET_MS) {
      // Written now, it would be taken for the one that was carried out a moment ago.
      await pause(POLL_MS);
      continue;
    }
    try {
      if (waiting === undefined) {
        const metadata = { uid, resourceVersion, annotations: { [ANNOTATION_REQUEST]: text } };
        const ref = { resource: APPLICATIONS, namespace, name };
        await client.patch(ref, { type: 'merge', body: { metadata } });
      }
      print(`asked: ${text} Application ${name} in namespace ${namespace}`);
      print(`next: ${verdict.next}`);
      return app;
    } catch (error) {
      // It has changed since it was judged, so it is judged again.
      if (!isConflict(error) || ++conflicts > MAX_CONFLICTS) throw error;
    }
  }
}

/** Whoever may not list nodes is not warned. */
async function isWithoutNode({ client }: SendRequestDeps, { nodeSelector }: ParsedRequest): Promise<boolean> {
  const labels = Object.entries(nodeSelector).map((pair) => pair.join('='));
  if (labels.length === 0) return false;
  try {
    const { items } = await client.list(NODES, undefined, { labelSelector: labels.join(','), limit: 1 });
    return items.length === 0;
  } catch {
    return false;
  }
}

function wasJustHandled({ status }: Application, text: string): boolean {
  return status?.shutdown?.handledRequest === text || status?.handledRotation === text;
}

async function untilTaken(
  { client, now, pause }: SendRequestDeps,
  { waitMs }: SendRequestOptions,
  { metadata: { namespace, name, uid } }: Application,
): Promise<Application | 'gone' | 'waiting'> {
  const endMs = now() + waitMs;
  for (;;) {
    const app = await client.get<Application>({ resource: APPLICATIONS, namespace, name });
    if (app?.metadata.uid !== uid) return 'gone';
    if (app.metadata.annotations?.[ANNOTATION_REQUEST] === undefined) return app;
    if (now() >= endMs) return 'waiting';
    await pause(POLL_MS);
  }
}

function describe({ metadata, status }: Application): string[] {
  const held = status?.conditions?.find(({ type }) => type === 'Held');
  const pods = status?.conditions?.find(({ type }) => type === 'PodsInjected');
  return [
    `phase: ${status?.phase ?? 'none yet'}`,
    ...(pods?.status === 'False' ? [`pods: ${pods.message}`] : []),
    ...(held === undefined ? [] : [`held: ${held.status === 'True' ? 'yes' : 'no'}, ${held.message}`]),
    `more: ${describeCommand(metadata.namespace, metadata.name)}`,
  ];
}

interface EventObject extends KubeObject {
  readonly message?: string;
}

/** Why, as the controller's Event says; whoever may not read Events is told where it stands. */
async function reasonOf({ client }: SendRequestDeps, { metadata }: Application): Promise<string> {
  const { namespace, name, uid } = metadata;
  const fieldSelector = `involvedObject.uid=${uid},reason=RequestRefused`;
  try {
    const { items } = await client.list<EventObject>(EVENTS, namespace, { fieldSelector });
    const latest = items.at(-1)?.message;
    if (latest !== undefined) return latest;
  } catch {
    // The answer stands in the Events, whoever reads them.
  }
  return `its Events say why: ${describeCommand(namespace, name)}`;
}

function describeCommand(namespace: string, name: string): string {
  return `kubectl -n ${namespace} describe ${APPLICATIONS_IN_FULL} ${name}`;
}

function annotateCommand(namespace: string, name: string): string {
  return `kubectl -n ${namespace} annotate ${APPLICATIONS_IN_FULL} ${name}`;
}
