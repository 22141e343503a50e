import { hash } from 'node:crypto';
import { createTokenBuckets, takeOfEach } from '../http/index.ts';
import { createFailureBreaker, type Clock, type KubeClient } from '../kube/index.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import { createExpiringCache } from './expiring-cache.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { readBearer, type BearerRefusal, type ClaimedPod } from './read-bearer.ts';
import { reviewToken, type ReviewedPod, type TokenReview } from './review-token.ts';
import { createSingleFlight } from './single-flight.ts';

export type IdentityCheck =
  | { readonly kind: 'pod'; readonly pod: ReviewedPod }
  | {
      readonly kind: 'refused';
      readonly reason: IdentityRefusal;
      /**
       * The cluster's key has signed it for this pod, and it has not expired; but the API server does not know it any more. So it is when its service
       * account went before the pod, as with their namespace.
       */
      readonly signedFor?: ReviewedPod;
    }
  | {
      readonly kind: 'unavailable';
      /** The API server was not asked, or did not answer. */
      readonly reason: 'review-limited' | 'review-unavailable';
      readonly retryAfterSeconds: number;
      readonly error?: string;
    };

export type IdentityRefusal =
  | BearerRefusal
  /** None of the cluster's keys has signed it. */
  | 'identity-forged'
  /** The API server does not know it, or not any more. */
  | 'identity-refused';

export interface PodIdentity {
  /** Whose token it is. Never rejects. `source`: where it comes from, by which questions about unknown ones are budgeted. */
  check(token: string, namespace: string, source: string): Promise<IdentityCheck>;
}

export interface PodIdentityDeps {
  readonly client: Pick<KubeClient, 'create'>;
  readonly keys: IssuerKeys;
  readonly metrics: Pick<CallbackMetrics, 'reviewed'>;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
}

export interface PodIdentityOptions {
  readonly audience: string;
  /** How long what the API server said of a token is believed. */
  readonly cacheTtlMs: number;
  readonly reviewsPerSecond: number;
  readonly timeoutMs?: number;
}

/** A token about which the API server is asked. */
interface Asked {
  readonly token: string;
  /** The same for each form of the same token. */
  readonly key: string;
  /** One of the cluster's keys has signed it. */
  readonly isSigned: boolean;
  readonly source: string;
  readonly claims: ClaimedPod;
}

const TIMEOUT_MS = 5_000;
const MAX_REMEMBERED = 4_096;
const RETRY_AFTER_SECONDS = 2;

/** Of the questions a second: of those that the cluster has signed, those of one namespace, as long as others may need the rest. */
const SHARE_OF_NAMESPACE = 0.3;
/** Of those whose key is not known here. */
const SHARE_OF_UNSIGNED = 0.5;
const SHARE_OF_SOURCE = 0.2;

/**
 * Who is who by TokenReview: nothing is asked about what cannot be one of ours, or that none of the cluster's keys has signed; each token is asked about once in
 * a while, and once at a time; so many a second, and none while the API server does not answer. Of tokens whose key is not known here, one source may
 * bring a part of that, and all of them together half: the other half is for those that the cluster has surely signed. Of these one namespace may bring
 * a part, and more only while half is left: a tenant with thousands of pods does not keep another's single one waiting.
 */
export function createPodIdentity(deps: PodIdentityDeps, options: PodIdentityOptions): PodIdentity {
  const { client, keys, metrics, clock } = deps;
  const { audience, cacheTtlMs, reviewsPerSecond, timeoutMs = TIMEOUT_MS } = options;
  const monotonic = () => clock.monotonic();
  // Apart, so that a flood of the one pushes none of the other out.
  const accepted = createExpiringCache<IdentityCheck>(MAX_REMEMBERED, monotonic);
  const refused = createExpiringCache<IdentityCheck>(MAX_REMEMBERED, monotonic);
  const flights = createSingleFlight<IdentityCheck>();
  const breaker = createFailureBreaker(monotonic);
  const burstOf = (share: number) => Math.max(1, reviewsPerSecond * share);
  const bucket = (share: number) =>
    createTokenBuckets({ ratePerSecond: reviewsPerSecond * share, burst: burstOf(share) }, monotonic);
  const all = bucket(1);
  const ofNamespace = bucket(SHARE_OF_NAMESPACE);
  const unsigned = bucket(SHARE_OF_UNSIGNED);
  const unsignedOfSource = bucket(SHARE_OF_SOURCE);

  /** 0, or how long to wait. */
  function budget({ isSigned, source, claims }: Asked): number {
    if (!isSigned)
      return takeOfEach([
        [unsignedOfSource, source],
        [unsigned, ''],
        [all, ''],
      ]);
    const wait = takeOfEach([
      [ofNamespace, claims.namespace],
      [all, ''],
    ]);
    return wait > 0 && all.wait('', burstOf(0.5)) === 0 ? all.take('') : wait;
  }

  async function ask(asked: Asked): Promise<IdentityCheck> {
    const wait = budget(asked);
    const unavailableFor = wait === 0 ? breaker.admit() : 0;
    if (wait > 0 || unavailableFor > 0) {
      metrics.reviewed(wait > 0 ? 'limited' : 'breaker-open', 0);
      return wait > 0
        ? { kind: 'unavailable', reason: 'review-limited', retryAfterSeconds: wait }
        : { kind: 'unavailable', reason: 'review-unavailable', retryAfterSeconds: unavailableFor };
    }
    const startedAt = clock.monotonic();
    const took = () => (clock.monotonic() - startedAt) / 1_000;
    try {
      const review = await reviewToken(client, asked.token, audience, timeoutMs);
      breaker.succeeded();
      metrics.reviewed(review.kind === 'pod' ? 'authenticated' : 'refused', took());
      return remember(asked, review);
    } catch (error) {
      breaker.failed();
      metrics.reviewed('failed', took());
      return {
        kind: 'unavailable',
        reason: 'review-unavailable',
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        error: String(error),
      };
    }
  }

  function remember({ key, claims, isSigned }: Asked, review: TokenReview): IdentityCheck {
    if (review.kind === 'pod' && isAsClaimed(review.pod, claims)) {
      const check: IdentityCheck = { kind: 'pod', pod: review.pod };
      accepted.set(key, check, cacheTtlMs);
      return check;
    }
    const check: IdentityCheck =
      review.kind === 'of-no-pod'
        ? { kind: 'refused', reason: 'identity-of-no-pod' }
        : {
            kind: 'refused',
            reason: 'identity-refused',
            ...(review.kind === 'refused' && isSigned && { signedFor: podOf(claims) }),
          };
    refused.set(key, check, cacheTtlMs);
    return check;
  }

  return {
    async check(token, namespace, source) {
      const read = readBearer(token, { audience, namespace }, clock.now());
      if (read.kind === 'refused') return read;
      const signature = await keys.judge(token);
      if (signature === 'forged') return { kind: 'refused', reason: 'identity-forged' };
      const isSigned = signature === 'good';
      // What is surely signed is known by what was signed: a signature can have more than one form (ECDSA: s and its negative).
      const key = hash('sha256', isSigned ? token.slice(0, token.lastIndexOf('.')) : token, 'hex');
      const known = accepted.get(key) ?? refused.get(key);
      if (known !== undefined) return known;
      const { claims } = read;
      return flights.run(key, () => ask({ token, key, isSigned, source, claims }));
    },
  };
}

function podOf({ namespace, podName, podUid }: ClaimedPod): ReviewedPod {
  return { namespace, name: podName, uid: podUid, credentialId: undefined };
}

function isAsClaimed(pod: ReviewedPod, claims: ClaimedPod): boolean {
  return pod.namespace === claims.namespace && pod.name === claims.podName && pod.uid === claims.podUid;
}
