import type { Proof, ProvenPod } from '../applications/index.ts';
import type { Hook } from '../contract/index.ts';
import type { Clock } from '../kube/index.ts';
import type { ApplicationLookup, KnownApplication } from './application-lookup.ts';
import { groundsTests, type Grounds } from './grounds.ts';
import {
  judgeCertificate,
  type CertificateRefusal,
  type ClientCertificateMode,
} from './judge-certificate.ts';
import type { IdentityCheck, IdentityRefusal, PodIdentity } from './pod-identity.ts';
import type { PodMembership } from './pod-membership.ts';
import type { ReviewedPod } from './review-token.ts';
import type { ShownCertificate } from './shown-certificate.ts';
import { createTokenProof } from './token-proof.ts';

/** What a request brings to prove who sends it. */
export interface Credentials {
  /** `"token"` of the body. */
  readonly token: string | undefined;
  /** `Authorization: Bearer …`. */
  readonly bearer: string | undefined;
  readonly certificate: ShownCertificate;
  /** Whom failures are budgeted by. */
  readonly source: string;
}

/** What was seen of it, whether it proved something or not: for log and Event, never a secret. */
export interface Evidence {
  readonly proof?: Proof;
  readonly pod?: ProvenPod;
  readonly credentialId?: string;
  readonly certificateSha256?: string;
}

export type UnprovenReason =
  | 'application-unknown'
  | 'token-void'
  | 'token-missing'
  | 'token-wrong'
  /** It was replaced, and the time for which it was still taken is over. */
  | 'token-expired'
  /** The application proves itself by the identity of its pods. */
  | 'token-where-identity-is-asked'
  /** The application proves itself by its token. */
  | 'identity-where-token-is-asked'
  | 'identity-of-a-gone-pod'
  | Exclude<CertificateRefusal, 'certificate-of-another'>
  | IdentityRefusal;

/** It is somebody, and not the one who may signal here. */
export type ForbiddenReason = 'certificate-of-another' | 'pod-of-another-application';

export interface ProvenSender {
  readonly kind: 'proven';
  readonly application: KnownApplication;
  readonly grounds: Grounds;
  readonly provenBy: Proof;
  readonly pod: ProvenPod | undefined;
  /** Of the pod. */
  readonly address: string | undefined;
  readonly evidence: Evidence;
}

export type SenderVerdict =
  | ProvenSender
  | { readonly kind: 'unproven'; readonly reason: UnprovenReason; readonly evidence: Evidence }
  | { readonly kind: 'forbidden'; readonly reason: ForbiddenReason; readonly evidence: Evidence }
  | {
      readonly kind: 'unavailable';
      readonly reason: 'review-limited' | 'review-unavailable' | 'pod-unavailable' | 'trust-not-synced';
      readonly retryAfterSeconds: number;
      readonly error?: string;
      readonly evidence: Evidence;
    };

export interface SenderProofDeps {
  readonly applications: Pick<ApplicationLookup, 'get'>;
  readonly certificates: { ready(): boolean };
  readonly identity: PodIdentity;
  readonly pods: PodMembership;
  readonly clock: Pick<Clock, 'now'>;
}

interface Target {
  readonly namespace: string;
  readonly name: string;
  readonly hook: Hook;
}

const RETRY_AFTER_SECONDS = 2;

/**
 * Decides whether who sends is the application. What a request brings is judged the same way and in the same time whatever application it names, so that
 * the time does not tell which applications there are; only who has shown the right token or is surely a pod takes another way.
 */
export function createSenderProof(
  deps: SenderProofDeps,
  mode: ClientCertificateMode,
): (target: Target, credentials: Credentials) => Promise<SenderVerdict> {
  const { applications, identity, pods, clock } = deps;
  const provenToken = createTokenProof();

  function proveByToken(
    target: Target,
    application: KnownApplication,
    tokenSha256: string,
    { certificate }: Credentials,
    evidence: Evidence,
  ): SenderVerdict {
    const now = clock.now();
    if (groundsTests({ by: 'token', tokenSha256 }, application, now) === undefined)
      return { kind: 'unproven', reason: 'token-expired', evidence };
    const judged = judgeCertificate(mode, certificate, target, application, now);
    if (!judged.ok) {
      if (judged.reason === 'certificate-of-another')
        return { kind: 'forbidden', reason: judged.reason, evidence };
      return judged.reason === 'certificate-unknown-issuer' && !deps.certificates.ready()
        ? unavailable('trust-not-synced', evidence)
        : { kind: 'unproven', reason: judged.reason, evidence };
    }
    const { sha256 } = judged;
    const provenBy = sha256 === undefined ? 'token' : 'token-and-certificate';
    return {
      kind: 'proven',
      application,
      grounds: { by: 'token', tokenSha256, ...(sha256 !== undefined && { certificateSha256: sha256 }) },
      provenBy,
      pod: undefined,
      address: undefined,
      evidence: { ...evidence, proof: provenBy },
    };
  }

  async function proveByIdentity(
    { namespace, name, hook }: Target,
    application: KnownApplication,
    reviewed: ReviewedPod,
    evidence: Evidence,
  ): Promise<SenderVerdict> {
    const pod: ProvenPod = { name: reviewed.name, uid: reviewed.uid };
    const reading = await pods.read(reviewed);
    if (reading.kind === 'gone') return { kind: 'unproven', reason: 'identity-of-a-gone-pod', evidence };
    if (reading.kind === 'unavailable') return unavailable('pod-unavailable', evidence, reading.error);
    const { belonging } = reading;
    const labelled = belonging.application === name;
    // What the cache had before the pod was read may be older than the pod's workload.
    const current = applications.get(namespace, name) ?? application;
    const workloadUid =
      belonging.lineage.find((uid) => current.workloadUids.includes(uid)) ??
      (hook === 'shutdown' ? workloadOfAwaited(current, pod) : undefined);
    if (!labelled || workloadUid === undefined || current.uid !== application.uid)
      return { kind: 'forbidden', reason: 'pod-of-another-application', evidence };
    return {
      kind: 'proven',
      application: current,
      grounds: { by: 'pod-identity', workloadUid },
      provenBy: 'pod-identity',
      pod,
      address: belonging.address,
      evidence: { ...evidence, pod, proof: 'pod-identity' },
    };
  }

  return async (target, credentials) => {
    const { token, bearer, certificate, source } = credentials;
    const application = applications.get(target.namespace, target.name);
    const byToken = application?.auth === 'token' ? application : undefined;
    const tokenSha256 = provenToken(token, byToken);
    const shown = evidenceOf(certificate);
    if (byToken !== undefined && tokenSha256 !== undefined)
      return proveByToken(target, byToken, tokenSha256, credentials, shown);
    if (bearer === undefined)
      return { kind: 'unproven', reason: whyNoToken(token, application), evidence: shown };

    const check = await identity.check(bearer, target.namespace, source);
    const evidence = { ...shown, ...identityOf(check) };
    if (check.kind === 'unavailable') return { ...check, evidence };
    const pod = check.kind === 'pod' ? check.pod : knownBySignature(check, target);
    if (check.kind === 'refused' && pod === undefined)
      return { kind: 'unproven', reason: check.reason, evidence };
    if (application?.auth === 'pod-identity' && pod !== undefined)
      return await proveByIdentity(target, application, pod, evidence);
    const reason = application === undefined ? 'application-unknown' : 'identity-where-token-is-asked';
    return { kind: 'unproven', reason, evidence };
  };
}

function unavailable(
  reason: 'pod-unavailable' | 'trust-not-synced',
  evidence: Evidence,
  error?: string,
): SenderVerdict {
  const why = error === undefined ? {} : { error };
  return { kind: 'unavailable', reason, retryAfterSeconds: RETRY_AFTER_SECONDS, evidence, ...why };
}

function whyNoToken(token: string | undefined, application: KnownApplication | undefined): UnprovenReason {
  if (application === undefined) return 'application-unknown';
  if (application.auth === 'pod-identity') return 'token-where-identity-is-asked';
  if (application.tokenSha256 === undefined) return 'token-void';
  return token === undefined ? 'token-missing' : 'token-wrong';
}

function evidenceOf(certificate: ShownCertificate): Evidence {
  return 'sha256' in certificate ? { certificateSha256: certificate.sha256 } : {};
}

/**
 * With its namespace a pod's ReplicaSet goes before it, and nothing tells any more that the pod is of the Deployment. That the controller awaits its goodbye does:
 * it looked before that.
 */
function workloadOfAwaited(
  { shutdown, workloadUids }: KnownApplication,
  { uid }: ProvenPod,
): string | undefined {
  const isAwaited = shutdown.conversations.some(
    ({ outcome, podUids }) => outcome === undefined && podUids.includes(uid),
  );
  return isAwaited ? workloadUids[0] : undefined;
}

/**
 * For a goodbye the cluster's signature is enough, if the pod is there: when a namespace or a release is deleted, the service account goes while its pods are
 * awaited, and with it what the API server knows of their tokens. Nothing else is taken so: whoever deletes an account may mean to take its rights away.
 */
function knownBySignature(
  check: Extract<IdentityCheck, { kind: 'refused' }>,
  { hook }: Target,
): ReviewedPod | undefined {
  return hook === 'shutdown' ? check.signedFor : undefined;
}

function identityOf(check: IdentityCheck): Evidence {
  if (check.kind !== 'pod') return {};
  const { name, uid, credentialId } = check.pod;
  return { pod: { name, uid }, ...(credentialId === undefined ? {} : { credentialId }) };
}
