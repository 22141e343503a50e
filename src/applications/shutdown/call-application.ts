import { DEFAULT_SHUTDOWN, parseShutdownService, secretName } from '../../contract/index.ts';
import type { KubeClient, WatchClient } from '../../kube/index.ts';
import { SECRETS, readToken, type SecretObject } from '../application-secret.ts';
import type { Application } from '../application.ts';
import type { CallEnd } from './conversation-calls.ts';
import type { PlannedCall } from './draft.ts';
import { listSelected } from './live-pod.ts';
import {
  SERVICES,
  formerTarget,
  podTarget,
  selectorToRead,
  serviceTarget,
  type CallTarget,
  type NoTarget,
  type ServiceObject,
} from './shutdown-target.ts';

/** One signed `PUT`: asks an application, or one of its pods, to shut down. */
export interface ShutdownCall extends CallTarget {
  /** The application's. */
  readonly namespace: string;
  readonly application: string;
  /** The conversation: the same for all attempts (Standard Webhooks `webhook-id`). */
  readonly id: string;
  /** JSON. */
  readonly body: string;
  /** The bytes of the application's token, with which the call is signed; undefined: it has none, but a pod identity, and the controller signs with its own. */
  readonly key: Buffer | undefined;
  readonly signal: AbortSignal;
}

/** Makes a call; resolves with how it ended, never rejects. Limits of time and size are its own. */
export type ShutdownCaller = (call: ShutdownCall) => Promise<CallEnd>;

export interface CallDeps {
  readonly client: Pick<KubeClient, 'get'> & Pick<WatchClient, 'list'>;
  readonly callShutdown: ShutdownCaller;
  /** Where the application says goodbye. */
  readonly confirmUrl: (namespace: string, application: string) => string;
}

/** The bytes of the application's token; undefined: it has none, or its Secret is not there. */
export type ReadKey = () => Promise<Buffer | undefined>;

/**
 * Finds out where the application is asked, and with what token it proves who asks; then calls. Never rejects.
 *
 * @param readKey see {@link createReadKey}
 */
export async function callApplication(
  app: Application,
  call: PlannedCall,
  readKey: ReadKey,
  deps: CallDeps,
  signal: AbortSignal,
): Promise<CallEnd> {
  try {
    const [target, key] = await Promise.all([findTarget(app, call, deps, signal), readKey()]);
    if ('error' in target) return { accepted: false, error: target.error };
    if (key === undefined && app.spec.auth === 'token')
      return { accepted: false, error: 'the Secret with the token is not there' };
    const { namespace, name: application } = app.metadata;
    const { id } = call.conversation;
    const body = bodyOf(app, call, deps);
    return await deps.callShutdown({ ...target, namespace, application, id, body, key, signal });
  } catch (error) {
    // What the API server says, or that it says nothing; no secret is in it.
    return { accepted: false, error: error instanceof Error ? error.message : 'unknown' };
  }
}

async function findTarget(
  app: Application,
  { pod }: PlannedCall,
  { client }: CallDeps,
  signal: AbortSignal,
): Promise<CallTarget | NoTarget> {
  const { namespace, name } = app.metadata;
  const text = app.spec.shutdown?.service ?? DEFAULT_SHUTDOWN.service;
  const wanted = parseShutdownService(text);
  if (wanted === undefined) return { error: `spec.shutdown.service "${text}" is no shutdown service` };
  if (pod !== undefined) return podTarget(wanted, namespace, name, pod);
  if (wanted.service === undefined) return { error: 'the pod is gone' };
  const ref = { resource: SERVICES, namespace, name: wanted.service };
  const service = await client.get<ServiceObject>(ref, { signal });
  if (service !== undefined && service.metadata.deletionTimestamp === undefined) {
    const selector = selectorToRead(wanted, service);
    const selected = selector === undefined ? [] : await listSelected(client, namespace, selector, signal);
    return serviceTarget(wanted, namespace, service, selected);
  }
  const { target } = app.status?.shutdown ?? {};
  const pods = target === undefined ? [] : await listSelected(client, namespace, target.selector, signal);
  return formerTarget(wanted, namespace, target, pods);
}

/**
 * For calls that begin together: the Secret is read with the first of them, once for all.
 *
 * @param signal outlives each of the calls
 */
export function createReadKey(
  { spec, metadata: { namespace, name } }: Application,
  { client }: Pick<CallDeps, 'client'>,
  signal: AbortSignal,
): ReadKey {
  const read = async (): Promise<Buffer | undefined> => {
    if (spec.auth !== 'token') return undefined;
    const ref = { resource: SECRETS, namespace, name: secretName(name) };
    const secret = await client.get<SecretObject>(ref, { signal });
    const token = secret === undefined ? undefined : readToken(secret);
    return token === undefined ? undefined : Buffer.from(token, 'base64url');
  };
  let reading: Promise<Buffer | undefined> | undefined;
  return () => (reading ??= read());
}

/** What the application is told; documented in docs/shutdown.md. Krake's services read nothing of it. */
function bodyOf(app: Application, { conversation, attempt }: PlannedCall, { confirmUrl }: CallDeps): string {
  const { namespace, name } = app.metadata;
  return JSON.stringify({
    application: name,
    namespace,
    reason: conversation.reason,
    deadline: conversation.deadline,
    conversation: conversation.id,
    round: conversation.round,
    attempt,
    scope: conversation.scope,
    pods: conversation.pods.map((pod) => ({ name: pod.name, uid: pod.uid })),
    confirm: confirmUrl(namespace, name),
  });
}
