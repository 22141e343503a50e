import { APPLICATIONS, type Application, type Signal } from '../applications/index.ts';
import type { Hook } from '../contract/index.ts';
import { KubeApiError, type KubeClient, type ObjectRef } from '../kube/index.ts';

/** A signal whose sender has proven itself against this UID and this token hash. */
export interface ProvenSignal {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly tokenSha256: string;
  readonly hook: Hook;
  readonly receivedAt: string;
}

export type StoreResult =
  /** The API server has it. `already`: it had it before, and this is what it has. */
  | { readonly kind: 'stored'; readonly receivedAt: string; readonly already: boolean }
  /** The application is gone, is another one of that name, or has another token by now. */
  | { readonly kind: 'void' }
  /** Not stored, or not known: to be tried again by the sender. `error` is for the log. */
  | { readonly kind: 'unavailable'; readonly error: string; readonly retryAfterSeconds: number | undefined };

export interface SignalStore {
  /** Resolves once the API server has answered. Never rejects. On repeat: `already`, with the first time. */
  store(signal: ProvenSignal): Promise<StoreResult>;
}

export interface SignalStoreOptions {
  /** For each request to the API server; default 5 s, well below the time a sender waits. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5_000;
/** A failed test is looked into and tried again: once for a status without signals, once for a race with another writer. */
const MAX_ATTEMPTS = 3;

/** Stores signals in the status of Applications: one request each, when nothing is in the way. */
export function createSignalStore(
  client: Pick<KubeClient, 'get' | 'patch'>,
  { timeoutMs = TIMEOUT_MS }: SignalStoreOptions = {},
): SignalStore {
  async function write(signal: ProvenSignal): Promise<StoreResult> {
    const application = { resource: APPLICATIONS, namespace: signal.namespace, name: signal.name };
    const status: ObjectRef = { ...application, subresource: 'status' };
    let hasSignals = true;
    let refusal: unknown;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      try {
        const body = buildSignalPatch(signal, hasSignals);
        const stored = await client.patch<Application>(status, { type: 'json', body }, { timeoutMs });
        return { kind: 'stored', receivedAt: receivedAtOf(stored, signal), already: false };
      } catch (error) {
        if (!isRefusedPatch(error)) throw error;
        refusal = error;
      }
      const live = await client.get<Application>(application, { timeoutMs });
      if (live?.metadata.uid !== signal.uid || live.status?.tokenSha256 !== signal.tokenSha256)
        return { kind: 'void' };
      const stored = live.status.signals?.[signal.hook];
      if (stored !== undefined) return { kind: 'stored', receivedAt: stored.receivedAt, already: true };
      hasSignals = live.status.signals !== undefined;
    }
    throw refusal;
  }

  return {
    async store(signal) {
      try {
        return await write(signal);
      } catch (error) {
        return whyNotStored(error);
      }
    },
  };
}

/**
 * Tests before it adds, so that nothing is stored for a namesake, for a token that is void by now, or over a signal that another replica
 * has just stored. A test for null holds where the member is absent: so Kubernetes' JSON Patch has it, and an integration test.
 */
export function buildSignalPatch(signal: ProvenSignal, hasSignals: boolean): readonly unknown[] {
  const value: Signal = { receivedAt: signal.receivedAt, provenBy: 'token' };
  const path = hasSignals ? `/status/signals/${signal.hook}` : '/status/signals';
  return [
    { op: 'test', path: '/metadata/uid', value: signal.uid },
    { op: 'test', path: '/status/tokenSha256', value: signal.tokenSha256 },
    { op: 'test', path, value: null },
    { op: 'add', path, value: hasSignals ? value : { [signal.hook]: value } },
  ];
}

/** What an error of the API server, or on the way to it, means to who waits for an answer. */
export function whyNotStored(error: unknown): Exclude<StoreResult, { readonly kind: 'stored' }> {
  if (error instanceof KubeApiError && error.status === 404) return { kind: 'void' };
  const retryAfterSeconds = error instanceof KubeApiError ? error.retryAfterSeconds : undefined;
  return { kind: 'unavailable', error: String(error), retryAfterSeconds };
}

/** 422: a test failed, or a path is not there; 409: another writer won too often. */
export function isRefusedPatch(error: unknown): boolean {
  return error instanceof KubeApiError && (error.status === 422 || error.status === 409);
}

function receivedAtOf(stored: Application, signal: ProvenSignal): string {
  return stored.status?.signals?.[signal.hook]?.receivedAt ?? signal.receivedAt;
}
