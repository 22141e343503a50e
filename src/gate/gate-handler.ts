import { isFreeToGo } from '../applications/index.ts';
import { KubeApiError, KubeUnreachableError, type Clock, type KubeClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import {
  allowed,
  createReviewHandler,
  describeRequest,
  refused,
  type AdmissionRequest,
  type ReviewCallers,
  type ReviewHandler,
} from '../review/index.ts';
import type { GateLookup } from './application-cache.ts';
import { checkPod, decideGate, type Asked, type PassReason } from './decide-gate.ts';
import type { GateApplication } from './gate-application.ts';
import type { GateMetrics, GateOutcome, GateReason } from './gate-metrics.ts';
import { createPodHolder, type HoldResult } from './hold-pods.ts';
import { kindOfRequest, readAsked } from './read-asked.ts';
import { explainHold, explainUndecided } from './refusal.ts';

export interface GateHandlerDeps {
  readonly client: Pick<KubeClient, 'get' | 'patch'>;
  readonly applications: GateLookup;
  readonly logger: Logger;
  readonly metrics: GateMetrics;
  readonly clock: Clock;
}

export interface GateHandlerOptions {
  /** For the whole answer; below the timeout of the webhook, so that the caller hears why. */
  readonly deadlineMs: number;
  /** Namespaces whose pods pass, in case that the selector of the webhook configuration was changed. */
  readonly excludedNamespaces: ReadonlySet<string>;
  readonly evictionRetryAfterSeconds: number;
  readonly callers?: ReviewCallers;
}

/** The path that the webhook configuration names. */
export const GATE_PATH = '/validate';
/** One request to the API server; the live read and the write both fit into the deadline with room for a second try. */
const SHARE_OF_DEADLINE = 0.4;

/** What came of a review, with the body of its answer. */
interface Verdict {
  readonly outcome: GateOutcome;
  readonly reason: GateReason;
  readonly asked?: Asked;
  readonly message?: string;
  readonly error?: string;
}

/**
 * The gate listener's request handler: may this pod go now? An eviction that may not is answered 429 with Retry-After (kubectl drain and the
 * cluster autoscaler come back; any other code ends a drain), a deletion 409 without it (clients would retry by themselves, unseen), and
 * 503 when it could not be decided. That a pod is to go is stored before it is refused; asked again, nothing is written.
 */
export function createGateHandler(deps: GateHandlerDeps, options: GateHandlerOptions): ReviewHandler {
  const { client, applications, logger, metrics, clock } = deps;
  const { deadlineMs, excludedNamespaces, callers = {} } = options;
  const timeoutMs = Math.ceil(deadlineMs * SHARE_OF_DEADLINE);
  const holder = createPodHolder({ client, clock, metrics }, { timeoutMs });
  const now = () => clock.monotonic();

  async function decide(request: AdmissionRequest, startedMs: number): Promise<Verdict> {
    if (excludedNamespaces.has(request.namespace)) return passed('system-namespace');
    const read = await readAsked(request, client, timeoutMs);
    if (read.outcome === 'passes') return passed(read.reason);
    const { asked, isDryRun } = read;
    const { application: name } = asked.pod;
    const reason = passesAtOnce(request.namespace, asked);
    // A pod without an application's name has passed.
    if (reason !== undefined || name === undefined) return passed(reason ?? 'no-hook', asked);
    const remainingMs = deadlineMs - (now() - startedMs);
    const result = await inTime(
      holder.hold({ namespace: request.namespace, name, asked, isDryRun }),
      remainingMs,
    );
    return verdictOf(request, asked, name, result);
  }

  /**
   * From what the cache shows; only of an Application that it has: one that it does not have yet may be there. And only what stays as it is: a pod
   * that was let go is not held again (but after a person's cancel), while hooks are switched on and a namesake begins anew, which a silent watch
   * does not tell.
   */
  function passesAtOnce(namespace: string, asked: Asked): PassReason | undefined {
    const reason = checkPod(asked);
    if (reason !== undefined || asked.pod.application === undefined) return reason;
    if (!applications.connected()) return undefined;
    const application = applications.get(namespace, asked.pod.application);
    if (application === undefined) return undefined;
    const decision = decideGate(asked, application);
    const isLasting =
      decision.outcome === 'passes' && decision.reason === 'free' && isNamed(application, asked);
    return isLasting ? decision.reason : undefined;
  }

  function inTime(result: Promise<HoldResult>, remainingMs: number): Promise<HoldResult> {
    return new Promise((resolve) => {
      const cancel = clock.after(remainingMs, () =>
        resolve({ outcome: 'undecided', error: 'no answer of the API server within the deadline' }),
      );
      void result.then((settled) => {
        cancel();
        resolve(settled);
      });
    });
  }

  /** The pod of an eviction could not be read: nobody knows whose it is. */
  function unread(request: AdmissionRequest, error: unknown): Verdict {
    if (!(error instanceof KubeApiError || error instanceof KubeUnreachableError)) throw error;
    const message = explainUndecided(request.name, 'that it may belong to');
    return { outcome: 'undecided', reason: 'unavailable', message, error: String(error) };
  }

  function respond(request: AdmissionRequest, { outcome, reason, asked, message }: Verdict): string {
    const application = asked?.pod.application;
    const told = { auditAnnotations: { reason, ...(application !== undefined && { application }) } };
    if (outcome === 'passed' || message === undefined) return allowed(request.uid, told);
    if (kindOfRequest(request) === 'eviction') {
      const retryAfterSeconds = options.evictionRetryAfterSeconds;
      return refused(request.uid, { code: 429, reason: 'TooManyRequests', message, retryAfterSeconds }, told);
    }
    const [code, word] =
      outcome === 'held' ? ([409, 'Conflict'] as const) : ([503, 'ServiceUnavailable'] as const);
    return refused(request.uid, { code, reason: word, message }, told);
  }

  function tell(request: AdmissionRequest, verdict: Verdict, startedMs: number): void {
    const { outcome, reason, asked, error } = verdict;
    metrics.reviewed(kindOfRequest(request), outcome, reason, (now() - startedMs) / 1_000);
    const level = outcome === 'undecided' ? 'warn' : asked?.pod.asksForShutdown === true ? 'info' : 'debug';
    logger[level]('gate decided', {
      ...describeRequest(request),
      ...{ outcome, reason, by: request.username, cause: asked?.cause },
      ...(asked !== undefined && {
        name: asked.pod.name,
        podUid: asked.pod.uid,
        application: asked.pod.application,
      }),
      ...(error !== undefined && { error }),
    });
  }

  return createReviewHandler(
    {
      logger,
      now,
      metrics: {
        rejected: (status) => metrics.rejected(status),
        errored(request, reason, startedMs) {
          if (reason === 'internal-error') metrics.failed();
          metrics.reviewed(kindOfRequest(request), 'errored', reason, (now() - startedMs) / 1_000);
        },
      },
      async answer(request, startedMs) {
        const verdict = await decide(request, startedMs).catch((error: unknown) => unread(request, error));
        const body = respond(request, verdict);
        tell(request, verdict, startedMs);
        return body;
      },
    },
    { subject: 'gate', path: GATE_PATH, callers, deadlineMs },
  );
}

/** It was let go by its name, not with all of the application. */
function isNamed({ conversations }: GateApplication, { pod }: Asked): boolean {
  const ofNamed = conversations.map((conversation) => ({ ...conversation, scope: 'pods' as const }));
  return isFreeToGo(ofNamed, pod.uid);
}

function passed(reason: PassReason, asked?: Asked): Verdict {
  return { outcome: 'passed', reason, ...(asked !== undefined && { asked }) };
}

function verdictOf({ namespace }: AdmissionRequest, asked: Asked, name: string, result: HoldResult): Verdict {
  const { pod } = asked;
  switch (result.outcome) {
    case 'passes':
      return passed(result.reason, asked);
    case 'held': {
      const { reason, application, cause } = result;
      const held = { namespace, podName: pod.name, podUid: pod.uid, application, reason, cause };
      return { outcome: 'held', reason, asked, message: explainHold(held) };
    }
    case 'undecided': {
      const message = explainUndecided(pod.name, name);
      return { outcome: 'undecided', reason: 'unavailable', asked, message, error: result.error };
    }
  }
}
