import { createHash } from 'node:crypto';
import {
  createCallbackRouter,
  type AuditedAnswer,
  type CallbackRouterOptions,
  type KnownApplication,
  type GoodbyeResult,
  type ProvenGoodbye,
  type IdentityCheck,
  type PodReading,
  type ProvenSignal,
  type ShownCertificate,
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
/** What is known of an application that proves itself by a token and has nothing behind it. */
export const BLANK: Omit<KnownApplication, 'uid' | 'tokenSha256' | 'hooks'> = {
  auth: 'token',
  formerTokens: [],
  certificates: [],
  workloadUids: [],
  signals: {},
  countsPods: false,
  completeFrom: undefined,
  shutdown: NO_SHUTDOWN,
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
  readonly audited: AuditedAnswer[];
  /** The client certificate of all requests; default: none. */
  certificate: ShownCertificate;
  trustReady: boolean;
  /** What is found out about a bearer token, and then of its pod; default: refused, gone. */
  identify: (token: string, namespace: string) => IdentityCheck;
  readPod: (uid: string) => PodReading;
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
    ...BLANK,
    uid: 'uid-web',
    tokenSha256: sha256(TOKEN),
    hooks: ['complete', 'shutdown'],
  };
  const applications = new Map<string, KnownApplication>([
    ['shop/web', web],
    ['shop/other', { ...web, uid: 'uid-other', tokenSha256: sha256('of other'), hooks: ['complete'] }],
    ['shop/void', { ...web, uid: 'uid-void', tokenSha256: undefined, hooks: [] }],
  ]);
  const setting: Omit<RouterSetting, 'port' | 'setWeb' | 'put'> = {
    applications,
    stored,
    goodbyes,
    logger,
    metrics,
    clock,
    cache: { ready: true, connected: true },
    audited: [] as AuditedAnswer[],
    certificate: { kind: 'none' },
    trustReady: true,
    identify: (): IdentityCheck => ({ kind: 'refused', reason: 'identity-refused' }),
    readPod: (): PodReading => ({ kind: 'gone' }),
    answerStore: ({ value }: ProvenSignal): Promise<StoreResult> =>
      Promise.resolve({ kind: 'stored', receivedAt: value.receivedAt, already: false }),
    answerGoodbye: ({ value }: ProvenGoodbye): Promise<GoodbyeResult> =>
      Promise.resolve({ kind: 'stored', receivedAt: value.receivedAt, already: false }),
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
      certificates: { ready: () => setting.trustReady },
      identity: {
        check: (token, namespace) => Promise.resolve(setting.identify(token, namespace)),
      },
      pods: { read: ({ uid }) => Promise.resolve(setting.readPod(uid)) },
      shownCertificate: () => setting.certificate,
      audit: { answered: (answer) => void setting.audited.push(answer) },
      logger,
      metrics,
      clock: { now: () => clock.nowMs, monotonic: () => clock.nowMs },
    },
    {
      bodyLimitBytes: 65_536,
      ratePerApplicationPerSecond: 20,
      rateBurst: 60,
      clientCertificate: 'optional',
      ...routerOptions,
    },
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
