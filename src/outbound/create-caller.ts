import type { Logger } from '../observability/index.ts';
import { createAddressPolicy, type AddressPolicyOptions, type ApiServerAddress } from './address-policy.ts';
import { CallError } from './call-error.ts';
import { readTarget, type CallTarget } from './call-target.ts';
import { findAddresses } from './checked-addresses.ts';
import { openConnection } from './connect.ts';
import { exchange, type Exchanged } from './exchange.ts';
import { createExtraTrust } from './extra-trust.ts';
import { connectTimedOut } from './failure-of.ts';
import type { CallResult, OutboundCall, OutboundCaller } from './outbound-caller.ts';
import { outcomeOf, type OutboundMetrics } from './outbound-metrics.ts';
import { createPlaces } from './places.ts';
import { requestHeaders } from './request-headers.ts';
import type { ResolveHost } from './resolve-host.ts';
import type { ServicePolicyOptions } from './service-policy.ts';
import { orAborted, withinLimit } from './time-limit.ts';

/** One group has at most this part of the places that the others leave, one member this part of what is its group's. */
const SHARE = 0.5;

export interface OutboundCallerDeps {
  readonly resolveHost: ResolveHost;
  /** Where the Kubernetes API server listens: refused. Asked at each call, so it should remember. */
  readonly apiServers: () => Promise<readonly ApiServerAddress[]>;
  readonly metrics: OutboundMetrics;
  readonly logger: Logger;
  /** Milliseconds of a clock that is never set. */
  readonly monotonic: () => number;
}

export interface OutboundCallerOptions extends AddressPolicyOptions, ServicePolicyOptions {
  /** `name/version`. */
  readonly userAgent: string;
  readonly maxConcurrentCalls: number;
  /** PEM file with CA certificates that are trusted besides the default ones; read again when it changes. */
  readonly caFile?: string | undefined;
}

/**
 * One caller for whatever leads to a place that a user has named. Connects only to addresses that the policy has passed: what is checked is
 * what is connected to, so a name that changes between check and connection changes nothing.
 *
 * @throws Error when a network of the options cannot be read
 */
export function createOutboundCaller(
  deps: OutboundCallerDeps,
  options: OutboundCallerOptions,
): OutboundCaller {
  const policy = createAddressPolicy(options);
  const trust = createExtraTrust(options.caFile, deps.logger);
  const shares = { max: options.maxConcurrentCalls, groupShare: SHARE, memberShare: SHARE };
  const places = createPlaces(shares, () => deps.metrics.load(places.taken(), places.waiting()));
  const underWay = new Map<AbortController, Promise<CallResult>>();
  let isClosed = false;

  /** The whole of a call that has its place. */
  const perform = async (call: OutboundCall, signal: AbortSignal): Promise<Exchanged> => {
    const target = readTarget(call);
    const headers = requestHeaders(call.headers, options.userAgent);
    // 29 MB that a process which never calls anybody need not load.
    const { Client } = await import('undici');
    const { socket, inCluster } = await withinLimit(
      signal,
      call.connectTimeoutMs,
      () => connectTimedOut(undefined, target.shown),
      async (limited) => {
        const checked = await orAborted(
          limited,
          findAddresses({ ...deps, policy, services: options }, target, call.namespace),
        );
        const trusted = target.isTls ? await orAborted(limited, trust()) : undefined;
        const opened = await openConnection(target, checked, trusted, limited);
        return { socket: opened, inCluster: checked.inCluster };
      },
    );
    const exchanged = await withinLimit(
      signal,
      call.answerTimeoutMs,
      () => answerTimedOut(target, call.answerTimeoutMs),
      (limited) => exchange(Client, socket, target, call, headers, limited),
    );
    return inCluster ? { ...exchanged, inCluster } : exchanged;
  };

  const run = async (call: OutboundCall, signal: AbortSignal): Promise<CallResult> => {
    const release = await places.take(call, signal);
    const startedAt = deps.monotonic();
    let result: CallResult;
    try {
      if (release === undefined) throw signal.reason;
      const exchanged = await perform(call, signal);
      result = { kind: 'answered', ...exchanged, durationMs: deps.monotonic() - startedAt };
    } catch (error) {
      const { reason, message } = failureOf(error, deps);
      result = { kind: 'failed', reason, message, durationMs: deps.monotonic() - startedAt };
    } finally {
      release?.();
    }
    deps.metrics.called(call.purpose, outcomeOf(result), result.durationMs / 1_000);
    return result;
  };

  return {
    call: async (call) => {
      const own = new AbortController();
      const abort = (): void => own.abort(aborted());
      if (isClosed || call.signal?.aborted === true) abort();
      call.signal?.addEventListener('abort', abort, { once: true });
      const result = run(call, own.signal);
      underWay.set(own, result);
      try {
        return await result;
      } finally {
        underWay.delete(own);
        call.signal?.removeEventListener('abort', abort);
      }
    },
    close: async () => {
      isClosed = true;
      const calls = [...underWay];
      for (const [own] of calls) own.abort(aborted());
      await Promise.all(calls.map(([, result]) => result));
    },
  };
}

/** Whatever is no CallError is a defect of ours: its text may hold anything, so only where it happened is told. */
function failureOf(error: unknown, { logger }: OutboundCallerDeps): CallError {
  if (error instanceof CallError) return error;
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter(isFrame).slice(0, 3) : [];
  logger.error('an outbound call ended in an unexpected error', { frames });
  return new CallError('invalid-request', 'the call could not be made; the log of this service says more');
}

function isFrame(line: string): boolean {
  return /^ +at /.test(line);
}

function aborted(): CallError {
  return new CallError('aborted', 'the call was given up before it was answered');
}

function answerTimedOut({ shown }: CallTarget, limitMs: number): CallError {
  return new CallError(
    'answer-timeout',
    `${shown} accepted the connection but did not answer within ${limitMs} ms; it may have acted nevertheless`,
  );
}
