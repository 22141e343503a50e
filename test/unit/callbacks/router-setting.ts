import { createHash } from 'node:crypto';
import {
  createCallbackRouter,
  type CallbackRouterOptions,
  type KnownApplication,
  type GoodbyeResult,
  type ProvenGoodbye,
  type ProvenSignal,
  type StoreResult,
} from '../../../src/callbacks/index.ts';
import type { ListenerLimits } from '../../../src/http/index.ts';
import type { Listeners } from '../http/listener-setting.ts';
import { createRecordingLogger, createRecordingMetrics } from './recorders.ts';

export const TOKEN = 'canary-token-of-web';
export const NO_SHUTDOWN: KnownApplication['shutdown'] = {
  form: 'service',
  sequence: 0,
  conversations: [],
  volunteered: undefined,
};
export const sha256 = (token: string) => createHash('sha256').update(token).digest('hex');

/** A router on a listener, with applications in a map and a store in memory. */
export interface RouterSetting {
  readonly port: number;
  readonly applications: Map<string, KnownApplication>;
  readonly stored: ProvenSignal[];
  readonly goodbyes: ProvenGoodbye[];
  readonly logger: ReturnType<typeof createRecordingLogger>;
  readonly metrics: ReturnType<typeof createRecordingMetrics>;
  /** Time goes only here. */
  readonly clock: { nowMs: number };
  cache: { ready: boolean; connected: boolean };
  /** What the store answers; default: stored. */
  answerStore: (signal: ProvenSignal) => Promise<StoreResult>;
  answerGoodbye: (goodbye: ProvenGoodbye) => Promise<GoodbyeResult>;
  /** What the cache shows of shop/web from now on: the defaults, and these. */
  setWeb(change: Partial<KnownApplication>): void;
  put(path: string, body: unknown, init?: RequestInit): Promise<Response>;
}

export const WEB = '/kubernetes/namespaces/shop/applications/web';

export async function startRouter(
  listeners: Listeners,
  options: Partial<CallbackRouterOptions> & { readonly limits?: Partial<ListenerLimits> } = {},
): Promise<RouterSetting> {
  const { limits, ...routerOptions } = options;
  const logger = createRecordingLogger();
  const metrics = createRecordingMetrics();
  const clock = { nowMs: Date.UTC(2030, 0, 1) };
  const stored: ProvenSignal[] = [];
  const goodbyes: ProvenGoodbye[] = [];
  const web: KnownApplication = {
    uid: 'uid-web',
    tokenSha256: sha256(TOKEN),
    hooks: ['complete', 'shutdown'],
    signals: {},
    shutdown: NO_SHUTDOWN,
  };
  const applications = new Map<string, KnownApplication>([
    ['shop/web', web],
    ['shop/other', { ...web, uid: 'uid-other', tokenSha256: sha256('of other'), hooks: ['complete'] }],
    ['shop/void', { ...web, uid: 'uid-void', tokenSha256: undefined, hooks: [] }],
  ]);
  const setting = {
    applications,
    stored,
    goodbyes,
    logger,
    metrics,
    clock,
    cache: { ready: true, connected: true },
    answerStore: (signal: ProvenSignal): Promise<StoreResult> =>
      Promise.resolve({ kind: 'stored', receivedAt: signal.receivedAt, already: false }),
    answerGoodbye: ({ receivedAt }: ProvenGoodbye): Promise<GoodbyeResult> =>
      Promise.resolve({ kind: 'stored', receivedAt, already: false }),
  };
  const router = createCallbackRouter(
    {
      applications: {
        get: (namespace, name) => applications.get(`${namespace}/${name}`),
        ready: () => setting.cache.ready,
        connected: () => setting.cache.connected,
      },
      store: {
        store: (signal) => {
          stored.push(signal);
          return setting.answerStore(signal);
        },
      },
      goodbyes: {
        store: (goodbye) => {
          goodbyes.push(goodbye);
          return setting.answerGoodbye(goodbye);
        },
      },
      logger,
      metrics,
      clock: { now: () => clock.nowMs, monotonic: () => clock.nowMs },
    },
    { bodyLimitBytes: 65_536, ratePerApplicationPerSecond: 20, rateBurst: 60, ...routerOptions },
  );
  const listener = await listeners.http({ onRequest: router, limits: { ...limits } });
  const port = listener.port();
  return Object.assign(setting, {
    port,
    setWeb: (change: Partial<KnownApplication>) => void applications.set('shop/web', { ...web, ...change }),
    put: (path: string, body: unknown, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'PUT',
        body:
          typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
        ...init,
      }),
  });
}
