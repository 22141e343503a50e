import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { APPLICATIONS, type Application } from '../../src/applications/index.ts';
import {
  createApplicationCache,
  createCallbacks,
  type CallbacksOptions,
  type ClientCertificates,
} from '../../src/callbacks/index.ts';
import type { Hook } from '../../src/contract/index.ts';
import {
  createHttpListener,
  createHttpsListener,
  type HttpsListenerOptions,
  type Listener,
  type ListenerLimits,
} from '../../src/http/index.ts';
import {
  createEventRecorder,
  createKubeClient,
  systemClock,
  type FullKubeClient,
} from '../../src/kube/index.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { untilEstablished } from '../cluster/until-established.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { createRecordingLogger, createRecordingMetrics } from '../unit/callbacks/recorders.ts';

export const NAMESPACE = 'shop';

export const SYSTEM_NAMESPACE = 'krake-system';
const ACCOUNT = 'krake-hooks-callbacks';

/** How a replica differs from one over plain HTTP, without certificates. */
export interface ReplicaOptions extends Partial<CallbacksOptions> {
  /** Serves TLS, and asks for client certificates unless they are off. */
  readonly https?: Pick<HttpsListenerOptions, 'tls' | 'clients'>;
  readonly certificates?: ClientCertificates;
  readonly limits?: Partial<ListenerLimits>;
  /** Stands between the callbacks and the API server. */
  readonly client?: FullKubeClient;
}

export interface CallbacksReplica {
  readonly baseUrl: string;
  readonly port: number;
  readonly logger: ReturnType<typeof createRecordingLogger>;
  readonly metrics: ReturnType<typeof createRecordingMetrics>;
  readonly cache: ReturnType<typeof createApplicationCache>;
  put(name: string, hook: Hook, token: string | undefined): Promise<PutAnswer>;
  /** PUT …/shutdown, from this address of the loopback network. */
  sayGoodbye(name: string, body: object, from?: string): Promise<PutAnswer>;
  stop(): Promise<void>;
}

export interface PutAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
}

export interface CallbacksSetting {
  readonly controlPlane: ControlPlane;
  /** The administrator's. */
  readonly admin: FullKubeClient;
  /** A client with the rights of the callbacks alone. */
  readonly callbacksClient: FullKubeClient;
  replica(options?: ReplicaOptions): Promise<CallbacksReplica>;
  /** Makes an Application as the controller would and returns its token. */
  createApplication(name: string, options?: ApplicationOptions): Promise<string>;
  /** Writes status.shutdown as the controller would, over whatever is there. */
  writeShutdown(name: string, shutdown: ShutdownStatus): Promise<Application>;
  read(name: string): Promise<Application>;
  stop(): Promise<void>;
}

export type ShutdownStatus = NonNullable<NonNullable<Application['status']>['shutdown']>;

export interface ApplicationOptions {
  readonly hooks?: readonly Hook[];
  /** False: the status has no `signals` yet. */
  readonly signals?: boolean;
  readonly shutdownService?: string;
  readonly spec?: object;
  readonly status?: object;
}

export async function startCallbacksSetting(): Promise<CallbacksSetting> {
  const controlPlane = await startControlPlane();
  const replicas: CallbacksReplica[] = [];
  const admin = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'test-admin/0' });
  await controlPlane.kubectl(['apply', '--server-side', '-f', 'manifests/crd/applications.yaml']);
  await untilEstablished(controlPlane, 'applications.hooks.krake.dev');
  await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
  const callbacksClient = createKubeClient({
    kubeconfigPath: await grantRights(controlPlane),
    userAgent: `${ACCOUNT}/0`,
  });

  return {
    controlPlane,
    admin,
    callbacksClient,
    async replica({ client = callbacksClient, ...options } = {}) {
      const replica = await startReplica(client, options);
      replicas.push(replica);
      return replica;
    },
    async createApplication(
      name,
      { hooks = ['complete'], signals = true, shutdownService: service, spec, status: more } = {},
    ) {
      const token = randomBytes(32).toString('base64url');
      await admin.create(APPLICATIONS, NAMESPACE, {
        apiVersion: APPLICATIONS.apiVersion,
        kind: 'Application',
        metadata: { name, namespace: NAMESPACE },
        spec: { hooks, ...(service === undefined ? {} : { shutdown: { service } }), ...spec },
      });
      const status = { tokenSha256: sha256(token), ...(signals ? { signals: {} } : {}), ...more };
      await admin.patch(
        { resource: APPLICATIONS, namespace: NAMESPACE, name, subresource: 'status' },
        { type: 'merge', body: { status } },
      );
      return token;
    },
    async writeShutdown(name, shutdown) {
      const ref = { resource: APPLICATIONS, namespace: NAMESPACE, name, subresource: 'status' } as const;
      return admin.patch<Application>(ref, { type: 'merge', body: { status: { shutdown } } });
    },
    async read(name) {
      const application = await admin.get<Application>({
        resource: APPLICATIONS,
        namespace: NAMESPACE,
        name,
      });
      if (application === undefined) throw new Error(`${name} is not there`);
      return application;
    },
    async stop() {
      for (const replica of replicas) await replica.stop();
      admin.close();
      callbacksClient.close();
      await controlPlane.stop();
    },
  };
}

export function sha256(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Waits until the replica's cache shows the token of this Application. */
export async function waitUntilKnown(replica: CallbacksReplica, name: string, token: string): Promise<void> {
  await waitFor(`${name} in the cache, and its watch open`, () => {
    const { cache } = replica;
    const isKnown = cache.connected() && cache.get(NAMESPACE, name)?.tokenSha256 === sha256(token);
    return Promise.resolve(isKnown ? true : undefined);
  });
}

/** Knows nobody. */
const NO_CERTIFICATES: ClientCertificates = {
  ready: () => true,
  verify: () => ({ ok: false, reason: 'unknown-issuer' }),
  onChange: () => () => undefined,
};

async function startReplica(
  client: FullKubeClient,
  { https, certificates = NO_CERTIFICATES, limits, ...options }: Omit<ReplicaOptions, 'client'>,
): Promise<CallbacksReplica> {
  const logger = createRecordingLogger();
  const metrics = createRecordingMetrics();
  const cache = createApplicationCache({ client, logger });
  const events = createEventRecorder({ client, component: ACCOUNT, instance: 'test', logger });
  const { router, audit } = createCallbacks(
    { client, applications: cache, certificates, events, logger, metrics, clock: systemClock },
    {
      bodyLimitBytes: 65_536,
      ratePerApplicationPerSecond: 20,
      rateBurst: 60,
      clientCertificate: 'off',
      trustedProxies: [],
      forwardedCertificateHeader: 'ssl-client-cert',
      podIdentity: { audience: 'hooks.krake.dev', cacheTtlMs: 10_000, reviewsPerSecond: 50 },
      ...options,
    },
  );
  const listenerOptions = {
    name: 'callbacks',
    host: https === undefined ? '127.0.0.1' : '0.0.0.0',
    port: 0,
    onRequest: router,
    limits: { idleGraceMs: 100, drainTimeoutMs: 2_000, ...limits },
  };
  const listener: Listener =
    https === undefined
      ? createHttpListener(listenerOptions)
      : createHttpsListener({ ...listenerOptions, ...https });
  const ended = new AbortController();
  await cache.start(ended.signal);
  await listener.start(ended.signal);
  await waitFor('the cache', () => Promise.resolve(cache.connected() ? true : undefined));
  const baseUrl = `http://127.0.0.1:${listener.port()}`;
  const urlOf = (name: string, hook: Hook) =>
    `${baseUrl}/kubernetes/namespaces/${NAMESPACE}/applications/${name}/${hook}`;
  return {
    baseUrl,
    port: listener.port(),
    logger,
    metrics,
    cache,
    async put(name, hook, token) {
      const response = await fetch(urlOf(name, hook), { method: 'PUT', body: JSON.stringify({ token }) });
      return {
        status: response.status,
        text: await response.text(),
        retryAfter: response.headers.get('retry-after'),
      };
    },
    // Said again as the contract wants it, when it could not be stored in time.
    sayGoodbye: (name, body, from = '127.0.0.1') =>
      waitFor('an answer of the store', async () => {
        const answer = await putFrom(from, urlOf(name, 'shutdown'), body);
        return answer.status === 503 ? undefined : answer;
      }),
    async stop() {
      await listener.stop();
      await audit.stop();
      await cache.stop();
      await events.flush();
      ended.abort();
    },
  };
}

function putFrom(localAddress: string, url: string, body: object): Promise<PutAnswer> {
  return new Promise((resolve, reject) => {
    request(url, { method: 'PUT', localAddress, agent: false }, (response) => {
      text(response)
        .then((content) =>
          resolve({
            status: response.statusCode ?? 0,
            text: content,
            retryAfter: response.headers['retry-after'] ?? null,
          }),
        )
        .catch(reject);
    })
      .on('error', reject)
      .end(JSON.stringify(body));
  });
}

/** The service account of the callbacks with the rights that the manifests grant it, and no others; returns the path of its kubeconfig. */
async function grantRights(controlPlane: ControlPlane): Promise<string> {
  await controlPlane.kubectl(['create', 'namespace', SYSTEM_NAMESPACE]);
  const rights = await readFile('manifests/base/rbac/callbacks.yaml', 'utf8');
  await controlPlane.kubectl(['apply', '-f', '-'], { input: rights });
  return writeAccountKubeconfig(controlPlane, SYSTEM_NAMESPACE, ACCOUNT);
}
