import { ANNOTATION_REQUEST, FINALIZER_SHUTDOWN } from '../contract/index.ts';
import type { KubeObject } from '../kube/index.ts';
import { isManaged, type Application, type ApplicationSpec, type Phase } from './application.ts';
import type { ApplicationView } from './application-view.ts';
import type { Member } from './member.ts';
import { RETIRED } from './plan-token.ts';
import { TOKEN_RENEWED } from './pods-injected.ts';
import { specOf, wishOf } from './wish.ts';

/** What the controller keeps of an Application: enough to see at a start whether it is in order, and each change by others. */
export interface ApplicationSummary {
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly phase: Phase | undefined;
  /** Made from annotations, running, token issued, nothing to complain about, no signal waiting. */
  readonly inOrder: boolean;
  /** Ended because its workloads are gone, with its Secret retired. */
  readonly over: boolean;
  /** Ms since 1970; 0: it has not come to its end. */
  readonly finishedAtMs: number;
  /** UIDs that its token speaks of, in order. */
  readonly bound: string;
  readonly spec: string;
  readonly caBundle: string;
  /** When its newest certificate ends, ms since 1970; 0: it has none, and needs none with a pod identity. */
  readonly certificateEndMs: number;
}

/** So many characters tell two CA bundles apart. */
const FINGERPRINT_LENGTH = 16;

export function summarizeApplication(object: KubeObject): ApplicationSummary {
  const app = object as Application;
  const { phase, finishedAt, workloads = [], caBundleSha256 = '' } = app.status ?? {};
  return {
    namespace: app.metadata.namespace,
    name: app.metadata.name,
    resourceVersion: app.metadata.resourceVersion ?? '',
    phase,
    inOrder: isInOrder(app),
    over: finishedAt !== undefined && isRetired(app) && holds(app, 'Completed'),
    finishedAtMs: finishedAt === undefined ? 0 : Date.parse(finishedAt),
    bound: joinUids(workloads),
    spec: specKey(app.spec),
    caBundle: caBundleSha256.slice(0, FINGERPRINT_LENGTH),
    certificateEndMs: Date.parse(app.status?.certificates?.at(-1)?.notAfter ?? '') || 0,
  };
}

function isInOrder(app: Application): boolean {
  const { metadata, status = {} } = app;
  return (
    isManaged(app) &&
    metadata.deletionTimestamp === undefined &&
    status.phase === 'Running' &&
    (status.tokenSha256 !== undefined) === (app.spec.auth === 'token') &&
    status.handledRotation === undefined &&
    status.signals?.complete === undefined &&
    status.signals?.completeFrom === undefined &&
    isAtPeace(app) &&
    status.observedGeneration === metadata.generation &&
    ['SecretReady', 'Stamped'].every((type) => holds(app, type)) &&
    // A token that is replaced by its age leaves most applications with such pods.
    (holds(app, 'PodsInjected') || hasReason(app, 'PodsInjected', TOKEN_RENEWED))
  );
}

/** Nobody is asked to shut down, nobody asks for it, and the finalizer is where it should be. */
function isAtPeace({ metadata, spec, status }: Application): boolean {
  const { going = {}, conversations = [], handledRequest } = status?.shutdown ?? {};
  const isOn = spec.hooks.includes('shutdown');
  return (
    isOn === (status?.shutdown !== undefined) &&
    isOn === (metadata.finalizers?.includes(FINALIZER_SHUTDOWN) === true) &&
    Object.keys(going).length === 0 &&
    conversations.length === 0 &&
    handledRequest === undefined &&
    metadata.annotations?.[ANNOTATION_REQUEST] === undefined
  );
}

function isRetired(app: Application): boolean {
  return hasReason(app, 'SecretReady', RETIRED.reason);
}

function hasReason({ status }: Application, type: string, reason: string): boolean {
  return (
    status?.conditions?.some((condition) => condition.type === type && condition.reason === reason) === true
  );
}

function holds({ status }: Application, type: string): boolean {
  return (
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') === true
  );
}

/**
 * True when everything that the watch caches know of an Application is as it should be, so that a new leader need not read it at once
 * (the Secret and the stamp, which no cache knows, are looked at with the next resync).
 */
export function isSettled(
  summary: ApplicationSummary,
  cached: Pick<ApplicationView, 'members' | 'pods' | 'namespaceState' | 'caBundleSha256' | 'issuerSha256'>,
): boolean {
  const { members, pods, namespaceState, caBundleSha256, issuerSha256 } = cached;
  if (members.length === 0) return summary.over && pods.length === 0;
  return (
    summary.inOrder &&
    // One that is old, or of a former issuer, can wait; pods wait for one that is missing.
    (issuerSha256 === undefined ||
      summary.certificateEndMs > 0 ||
      members.every(({ auth }) => auth !== 'token')) &&
    namespaceState === 'enabled' &&
    members.every(({ deleting, claimed, hooks }) => !deleting && !claimed && hooks !== '') &&
    summary.bound === joinUids(members) &&
    summary.spec === specKey(specOf(members.map(wishOf))) &&
    summary.caBundle === caBundleSha256.slice(0, FINGERPRINT_LENGTH)
  );
}

/**
 * When one that is settled is first looked at, in milliseconds from now: so many renewals and checks wait for a new leader that they are spread, but
 * none for longer than its certificate lives.
 */
export function firstLookMs(summary: ApplicationSummary, now: number, spreadMs: number): number {
  if (summary.certificateEndMs === 0) return spreadMs;
  return Math.max(0, Math.min(spreadMs, (summary.certificateEndMs - now) / 2));
}

function joinUids(items: readonly Pick<Member, 'uid'>[]): string {
  return items
    .map(({ uid }) => uid)
    .sort()
    .join();
}

function specKey({
  workloads,
  hooks,
  completeAction,
  completeWhen,
  auth,
  shutdown,
}: ApplicationSpec): string {
  return `${hooks.join()} ${completeAction} ${completeWhen} ${auth} ${shutdownKey(shutdown)} ${workloads.map(({ kind, name }) => `${kind}/${name}`).join()}`;
}

function shutdownKey(shutdown: ApplicationSpec['shutdown']): string {
  if (shutdown === undefined) return '';
  const { service, timeoutSeconds, retries, failure, causes, when } = shutdown;
  return [service, timeoutSeconds, retries, failure, causes.join(), when].join(' ');
}
