import type { Clock } from '../kube/index.ts';
import type { ApplicationLookup, KnownApplication } from './application-lookup.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import { decideGoodbye } from './decide-goodbye.ts';
import type { GoodbyeResult, GoodbyeStore, ProvenApplication } from './goodbye-store.ts';
import { createJustStored } from './just-stored.ts';
import type { SignalOutcome, SignalRequest, UnprovenReason } from './signal-outcome.ts';
import type { SignalStore, StoreResult } from './signal-store.ts';
import { createSingleFlight } from './single-flight.ts';
import { createTokenBuckets } from './token-buckets.ts';
import { createTokenProof } from './token-proof.ts';

export interface SignalReceiverDeps {
  readonly applications: ApplicationLookup;
  /** Of complete signals. */
  readonly store: SignalStore;
  readonly goodbyes: GoodbyeStore;
  readonly metrics: Pick<CallbackMetrics, 'stored'>;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
}

export interface SignalReceiverOptions {
  readonly ratePerApplicationPerSecond: number;
  readonly rateBurst: number;
}

export type SignalReceiver = (request: SignalRequest) => Promise<SignalOutcome>;

/** A sender that waits this long meets a watch that is open again, or an API server that has just restarted. */
const RETRY_AFTER_SECONDS = 2;
/**
 * What an answer costs that needs no request of its own to the API server. All replicas of a large application may say at once that they
 * are done, and each of them must hear 200: with the default burst of 60 that is 590 of them.
 */
const CHEAP = 0.1;

/**
 * Decides on a signal, and has it stored. Who has not proven itself always takes the same way through here, whatever was missing; only
 * who has proven itself learns more, is rate-limited by application, and reaches the API server.
 */
export function createSignalReceiver(
  deps: SignalReceiverDeps,
  options: SignalReceiverOptions,
): SignalReceiver {
  const { applications, store, goodbyes, metrics, clock } = deps;
  const isProof = createTokenProof();
  const flights = createSingleFlight<StoreResult>();
  const justStored = createJustStored(() => clock.monotonic());
  const buckets = createTokenBuckets(
    { ratePerSecond: options.ratePerApplicationPerSecond, burst: options.rateBurst },
    () => clock.monotonic(),
  );

  async function measured<R extends StoreResult | GoodbyeResult>(work: () => Promise<R>): Promise<R> {
    const startedAt = clock.monotonic();
    const result = await work();
    const outcome = result.kind === 'stored' && result.already ? 'already-stored' : result.kind;
    metrics.stored(outcome, (clock.monotonic() - startedAt) / 1000);
    return result;
  }

  const timeNow = () => new Date(clock.now()).toISOString();

  function storeOnce(request: SignalRequest, uid: string, tokenSha256: string): Promise<StoreResult> {
    const { namespace, name, hook } = request;
    const receivedAt = timeNow();
    return measured(() => store.store({ namespace, name, uid, tokenSha256, hook, receivedAt }));
  }

  async function receiveComplete(
    request: SignalRequest,
    application: ProvenApplication,
  ): Promise<SignalOutcome> {
    const { hook } = request;
    const { uid, hooks, tokenSha256 } = application;
    const signal = application.signals[hook] ?? justStored.recall(application, hook);
    // The hash too: after a new token the old one's flight must not answer for it.
    const flightKey = `${uid}/${hook}/${tokenSha256}`;
    const flight = signal === undefined ? flights.underWay(flightKey) : undefined;
    const enabled = hooks.includes(hook);
    const cost = enabled && signal === undefined && flight === undefined ? 1 : CHEAP;
    const limited = limit(uid, cost);
    if (limited !== undefined) return limited;
    if (!enabled) return { kind: 'conflict', reason: 'hook-not-enabled', uid, enabled: hooks };
    if (signal !== undefined)
      return { kind: 'accepted', reason: 'already-stored', uid, receivedAt: signal.receivedAt };

    const result = await (flight ?? flights.run(flightKey, () => storeOnce(request, uid, tokenSha256)));
    if (result.kind === 'stored') justStored.remember(application, hook, result);
    return outcomeOf(result, uid, flight !== undefined);
  }

  async function receiveGoodbye(
    { namespace, name, hook, sender }: SignalRequest,
    application: ProvenApplication,
  ): Promise<SignalOutcome> {
    const { uid, hooks } = application;
    const enabled = hooks.includes(hook);
    // Who is asked may answer: there are no more of these than the conversation has pods.
    const asked = enabled && decideGoodbye(application, sender, clock.now()).kind === 'confirm';
    const limited = asked ? undefined : limit(uid, CHEAP);
    if (limited !== undefined) return limited;
    if (!enabled) return { kind: 'conflict', reason: 'hook-not-enabled', uid, enabled: hooks };
    const goodbye = { namespace, name, application, sender, receivedAt: timeNow() };
    return outcomeOf(await measured(() => goodbyes.store(goodbye)), uid, false);
  }

  function limit(uid: string, cost: number): SignalOutcome | undefined {
    const retryAfterSeconds = buckets.take(uid, cost);
    return retryAfterSeconds > 0
      ? { kind: 'limited', reason: 'too-many-requests', uid, retryAfterSeconds }
      : undefined;
  }

  return (request) => {
    const application = applications.get(request.namespace, request.name);
    const tokenSha256 = application?.tokenSha256;
    const proven = isProof(request.token, tokenSha256);
    if (proven && application !== undefined && isProvable(application))
      return request.hook === 'shutdown'
        ? receiveGoodbye(request, application)
        : receiveComplete(request, application);

    // What the cache does not show may be there all the same: a 401 would make the sender give up.
    if (!applications.connected()) {
      const reason = applications.ready() ? 'disconnected' : 'not-synced';
      return Promise.resolve({ kind: 'unavailable', reason, retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    return Promise.resolve({
      kind: 'unproven',
      reason: whyUnproven(request.token, application),
      ...(application === undefined ? {} : { uid: application.uid }),
    });
  };
}

function isProvable(application: KnownApplication): application is ProvenApplication {
  return application.tokenSha256 !== undefined;
}

function outcomeOf(result: StoreResult | GoodbyeResult, uid: string, shared: boolean): SignalOutcome {
  switch (result.kind) {
    case 'stored': {
      const { already, ...stored } = result;
      const reason = already || shared ? 'already-stored' : 'stored';
      return { ...stored, kind: 'accepted', reason, uid };
    }
    case 'refused':
      return { ...result, uid };
    case 'void':
      return { kind: 'unproven', reason: 'token-void', uid };
    case 'unavailable':
      return {
        kind: 'unavailable',
        reason: 'store-unavailable',
        uid,
        retryAfterSeconds: result.retryAfterSeconds ?? RETRY_AFTER_SECONDS,
        error: result.error,
      };
  }
}

function whyUnproven(token: string | undefined, application: KnownApplication | undefined): UnprovenReason {
  if (application === undefined) return 'application-unknown';
  if (application.tokenSha256 === undefined) return 'token-void';
  return token === undefined ? 'token-missing' : 'token-wrong';
}
