import type { Hook } from '../contract/index.ts';
import type { Clock } from '../kube/index.ts';
import { createTokenBuckets } from '../http/index.ts';
import type { ApplicationLookup, KnownApplication } from './application-lookup.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import { decideGoodbye } from './decide-goodbye.ts';
import type { GoodbyeResult, GoodbyeStore } from './goodbye-store.ts';
import { groundsKey } from './grounds.ts';
import type { ClientCertificateMode } from './judge-certificate.ts';
import { createJustStored } from './just-stored.ts';
import { storedSignal } from './plan-signals.ts';
import { createSenderProof, type ProvenSender, type SenderProofDeps } from './prove-sender.ts';
import type { ReceivedSignal, SignalOutcome, SignalRequest } from './signal-outcome.ts';
import type { SignalStore, StoreResult } from './signal-store.ts';
import { createSingleFlight } from './single-flight.ts';

export interface SignalReceiverDeps extends SenderProofDeps {
  readonly applications: ApplicationLookup;
  /** Of complete signals. */
  readonly store: SignalStore;
  readonly goodbyes: GoodbyeStore;
  readonly metrics: Pick<CallbackMetrics, 'stored'>;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
}

export interface SignalReceiverOptions {
  readonly clientCertificate: ClientCertificateMode;
  readonly ratePerApplicationPerSecond: number;
  readonly rateBurst: number;
}

export type SignalReceiver = (request: SignalRequest) => Promise<ReceivedSignal>;

/** A sender that waits this long meets a watch that is open again, or an API server that has just restarted. */
const RETRY_AFTER_SECONDS = 2;
/**
 * What an answer costs that needs no request of its own to the API server, or shares one with others. All replicas of a large application may say at once
 * that they are done, and each of them must hear 200: with the default burst of 60 that is 590 of them.
 */
const CHEAP = 0.1;

/**
 * Decides on a signal, and has it stored. Who has not proven itself always takes the same way through here, whatever was missing; only
 * who has proven itself learns more, is rate-limited by application, and has something stored.
 */
export function createSignalReceiver(
  deps: SignalReceiverDeps,
  options: SignalReceiverOptions,
): SignalReceiver {
  const { applications, store, goodbyes, metrics, clock } = deps;
  const prove = createSenderProof(deps, options.clientCertificate);
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
    metrics.stored(outcome === 'full' ? 'refused' : outcome, (clock.monotonic() - startedAt) / 1000);
    return result;
  }

  const valueOf = ({ provenBy, pod }: ProvenSender) => ({
    receivedAt: new Date(clock.now()).toISOString(),
    provenBy,
    ...(pod === undefined ? {} : { pod }),
  });

  async function receiveComplete(request: SignalRequest, proven: ProvenSender): Promise<SignalOutcome> {
    const { application, pod } = proven;
    const { uid, countsPods } = application;
    const { podUid, stored, flightKey } = placeOf(proven);
    const flight = stored === undefined ? flights.underWay(flightKey) : undefined;
    const isAlone = stored === undefined && flight === undefined && podUid === undefined;
    const turnedAway = turnAway(application, request.hook, isAlone ? 1 : CHEAP);
    if (turnedAway !== undefined) return turnedAway;
    if (countsPods && pod === undefined)
      return { kind: 'refused', reason: 'complete-when-needs-pod-identity', uid };

    const result: StoreResult =
      stored === undefined
        ? await (flight ?? flights.run(flightKey, () => storeOnce(request, proven, podUid)))
        : { ...stored, kind: 'stored', already: true };
    const outcome = outcomeOf(result, uid, flight !== undefined);
    if (outcome.kind !== 'accepted') return outcome;
    if (stored === undefined) justStored.remember(application, podUid, outcome);
    return podUid === undefined || pod === undefined ? outcome : { ...outcome, pod: pod.name };
  }

  /** Where the signal goes: the application's one, or where pods are counted, the pod's own; and what is there. */
  function placeOf({ application, grounds, pod }: ProvenSender) {
    const podUid = application.countsPods ? pod?.uid : undefined;
    const stored = storedSignal(application, podUid) ?? justStored.recall(application, podUid);
    // The grounds too: after a new token the old one's flight must not answer for it.
    return { podUid, stored, flightKey: `${application.uid}/${groundsKey(grounds)}/${podUid ?? ''}` };
  }

  function storeOnce(
    { namespace, name }: SignalRequest,
    proven: ProvenSender,
    countedPodUid: string | undefined,
  ): Promise<StoreResult> {
    const { application, grounds } = proven;
    const signal = { namespace, name, application, grounds, value: valueOf(proven), countedPodUid };
    return measured(() => store.store(signal));
  }

  async function receiveGoodbye(
    { namespace, name, hook, sender: said }: SignalRequest,
    proven: ProvenSender,
  ): Promise<SignalOutcome> {
    const { application, grounds, pod } = proven;
    const { uid, hooks } = application;
    const sender =
      pod === undefined ? said : { ...said, proven: pod, address: proven.address ?? said.address };
    // Who is asked may answer: there are no more of these than the conversation has pods.
    const asked = hooks.includes(hook) && decideGoodbye(application, sender).kind === 'confirm';
    const turnedAway = asked ? undefined : turnAway(application, hook, CHEAP);
    if (turnedAway !== undefined) return turnedAway;
    const goodbye = { namespace, name, application, grounds, sender, value: valueOf(proven) };
    return outcomeOf(await measured(() => goodbyes.store(goodbye)), uid, false);
  }

  /** Too many, or the hook is off. A request for a hook that is off costs little: nothing comes of it. */
  function turnAway({ uid, hooks }: KnownApplication, hook: Hook, cost: number): SignalOutcome | undefined {
    const enabled = hooks.includes(hook);
    const retryAfterSeconds = buckets.take(uid, enabled ? cost : CHEAP);
    if (retryAfterSeconds > 0)
      return { kind: 'limited', reason: 'too-many-requests', uid, retryAfterSeconds };
    return enabled ? undefined : { kind: 'conflict', reason: 'hook-not-enabled', uid, enabled: hooks };
  }

  return async (request) => {
    const verdict = await prove(request, request.credentials);
    const { evidence } = verdict;
    if (verdict.kind === 'proven') {
      const receive = request.hook === 'shutdown' ? receiveGoodbye : receiveComplete;
      return { outcome: await receive(request, verdict), evidence };
    }
    const uid = applications.get(request.namespace, request.name)?.uid;
    const known = uid === undefined ? {} : { uid };
    if (verdict.kind === 'unavailable') return { outcome: { ...verdict, ...known }, evidence };
    // What the cache does not show may be there all the same: a 401 would make the sender give up.
    if (!applications.connected()) {
      const reason = applications.ready() ? 'disconnected' : 'not-synced';
      const outcome = { kind: 'unavailable', reason, retryAfterSeconds: RETRY_AFTER_SECONDS } as const;
      return { outcome, evidence };
    }
    if (uid === undefined) return { outcome: { kind: 'unproven', reason: 'application-unknown' }, evidence };
    return verdict.kind === 'forbidden'
      ? { outcome: { kind: 'forbidden', reason: verdict.reason, uid }, evidence }
      : { outcome: { kind: 'unproven', reason: verdict.reason, uid }, evidence };
  };
}

function outcomeOf(result: StoreResult | GoodbyeResult, uid: string, shared: boolean): SignalOutcome {
  switch (result.kind) {
    case 'stored': {
      const { already, ...stored } = result;
      const reason = already || shared ? 'already-stored' : 'stored';
      return { ...stored, kind: 'accepted', reason, uid };
    }
    case 'refused':
      return result.reason === 'pod-of-another-name'
        ? { kind: 'forbidden', reason: result.reason, uid }
        : { kind: 'refused', reason: result.reason, uid };
    case 'full':
      return { kind: 'refused', reason: 'too-many-pods', uid };
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
