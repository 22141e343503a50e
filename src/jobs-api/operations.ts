import type { IncomingMessage } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { KubeClient, KubeObject, WatchClient } from '../kube/index.ts';
import {
  isUuid,
  JOB_DONE_WATCHERS,
  readJob,
  WATCHER_PHASES,
  WEBHOOKS,
  type JobCaches,
  type JobDoneWatcher,
  type Webhook,
} from '../jobs/index.ts';
import { whyRefused, type UrlCheckDeps } from './check-url.ts';
import { createWatcher, findReplay, type CreateWatcherDeps } from './create-watcher.ts';
import { listPage } from './list-page.ts';
import { answer, problem, type Outcome } from './outcome.ts';
import { readRequest } from './read-request.ts';
import {
  idOf,
  readId,
  toWatcherAnswer,
  toWebhookAnswer,
  watcherRequest,
  webhookRequest,
  type WatcherRequest,
} from './resources.ts';

export interface OperationsDeps extends UrlCheckDeps {
  readonly client: KubeClient & Pick<WatchClient, 'list'>;
  readonly caches: Pick<JobCaches, 'index' | 'webhooks' | 'jobs'>;
}

/** A request whose caller may do it. */
export interface Allowed {
  readonly request: IncomingMessage;
  readonly url: URL;
  readonly namespace: string;
  /** Of the path; empty where there is none. */
  readonly id: string;
}

/** Undefined: the caller has gone. Rejects with what the API server says. */
export type Operation = (allowed: Allowed) => Promise<Outcome | undefined>;
export type OperationName =
  'createWebhook' | 'listWebhooks' | 'getWebhook' | 'createWatcher' | 'listWatchers' | 'getWatcher';

const DNS_1123 = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;
const MAX_KEY = 1_024;
const NO_UUID = 'The id is no UUID.';

export function createOperations(deps: OperationsDeps): Readonly<Record<OperationName, Operation>> {
  const { client, caches } = deps;
  const watcherDeps: CreateWatcherDeps = {
    client,
    job: (namespace, name) => readJob(client, namespace, name),
    mayBeThere: (namespace, name) =>
      !caches.jobs.connected() || caches.jobs.get(`${namespace}/${name}`) !== undefined,
  };

  /** By the id that REST knows it by, or by its name. The cache first: it is nearly always there. */
  async function findWebhook(namespace: string, id: string): Promise<Webhook | undefined> {
    const cached = caches.webhooks.get(`${namespace}/${id}`) ?? caches.index.webhookByUid(id);
    if (cached?.metadata.namespace === namespace) return cached;
    if (!DNS_1123.test(id)) return undefined;
    return client.get<Webhook>({ resource: WEBHOOKS, namespace, name: id });
  }

  const webhookIdIn = (namespace: string) => (name: string) => {
    const metadata = caches.webhooks.get(`${namespace}/${name}`)?.metadata;
    return metadata === undefined ? name : idOf(metadata);
  };

  async function findWebhooks(
    namespace: string,
    request: WatcherRequest,
  ): Promise<readonly string[] | Outcome> {
    const names: string[] = [];
    for (const { webhookId } of request.jobDoneTriggerWebhooks) {
      const webhook = await findWebhook(namespace, webhookId);
      if (webhook === undefined)
        return problem(
          422,
          'webhook-unknown',
          'webhookId: there is no such webhook. Create it with POST /webhooks.',
        );
      names.push(webhook.metadata.name);
    }
    return names;
  }

  return {
    async createWebhook({ request, url: asked, namespace }) {
      const read = await readRequest(request, webhookRequest);
      if (read.kind !== 'request') return read.kind === 'refused' ? read.outcome : undefined;
      const { url, requestBody, description } = read.value;
      const why = await whyRefused(url, namespace, deps);
      if (why !== undefined) return problem(422, 'url-refused', why);
      const webhook = await client.create<Webhook>(WEBHOOKS, namespace, {
        apiVersion: WEBHOOKS.apiVersion,
        kind: 'Webhook',
        metadata: { name: randomUUID(), namespace },
        spec: { url, format: 'verbatim', requestBody, description },
      });
      return created(`/webhooks/${idOf(webhook.metadata)}`, asked, toWebhookAnswer(webhook));
    },

    listWebhooks: ({ url, namespace }) =>
      listPage(client, WEBHOOKS, namespace, { query: pageOf(url), path: url }, (webhook) =>
        toWebhookAnswer(webhook as unknown as Webhook),
      ),

    async getWebhook({ id: given, namespace }) {
      const id = given.toLowerCase();
      if (!isUuid(id)) return problem(400, 'malformed', NO_UUID);
      const webhook = await findWebhook(namespace, id);
      return webhook === undefined ? notFound('webhook') : answer(200, toWebhookAnswer(webhook));
    },

    async createWatcher({ request, url, namespace }) {
      const key = request.headers['idempotency-key'];
      const idempotencyKey = typeof key === 'string' ? key : undefined;
      if (idempotencyKey === '' || (idempotencyKey?.length ?? 0) > MAX_KEY) {
        return problem(400, 'idempotency-key', `Idempotency-Key must have 1 to ${MAX_KEY} characters.`);
      }
      const read = await readRequest(request, watcherRequest);
      if (read.kind !== 'request') return read.kind === 'refused' ? read.outcome : undefined;
      if (!DNS_1123.test(read.value.jobName)) {
        return problem(
          422,
          'job-name-invalid',
          'jobName is no DNS-1123 name: lower-case letters, digits, "-" and ".".',
        );
      }
      const wanted = withReadIds(read.value);
      const webhooks = await findWebhooks(namespace, wanted);
      if ('kind' in webhooks) {
        const replay = await findReplay(watcherDeps, { namespace, request: wanted, idempotencyKey });
        return replay === undefined ? webhooks : answer(200, toWatcherAnswer(replay, webhookIdIn(namespace)));
      }
      const creation = await createWatcher(watcherDeps, {
        namespace,
        request: wanted,
        webhooks,
        idempotencyKey,
      });
      switch (creation.kind) {
        case 'other-request':
          return problem(422, 'idempotency-key-reused', 'This Idempotency-Key belongs to another request.');
        case 'in-flight':
          return problem(
            409,
            'in-flight',
            'The first request with this Idempotency-Key is not finished. Send it again after the time in Retry-After.',
            { 'Retry-After': '1' },
          );
        default: {
          const body = toWatcherAnswer(creation.watcher, webhookIdIn(namespace));
          return creation.kind === 'created'
            ? created(`/job-done-watchers/${body.id}`, url, body)
            : answer(200, body);
        }
      }
    },

    async listWatchers({ url, namespace }) {
      const jobName = url.searchParams.get('jobName');
      const status = url.searchParams.get('status');
      if (status !== null && !(WATCHER_PHASES as readonly string[]).includes(status)) {
        return problem(400, 'malformed', `status must be one of ${WATCHER_PHASES.join(', ')}.`);
      }
      // No Job has such a name, and it would be no field selector.
      if (jobName !== null && !DNS_1123.test(jobName)) return answer(200, []);
      const fieldSelector = [
        ...(jobName === null ? [] : [`spec.jobName=${jobName}`]),
        ...(status === null ? [] : [`status.phase=${status}`]),
      ].join(',');
      const toAnswer = (watcher: KubeObject) =>
        toWatcherAnswer(watcher as unknown as JobDoneWatcher, webhookIdIn(namespace));
      return listPage(
        client,
        JOB_DONE_WATCHERS,
        namespace,
        { query: pageOf(url), path: url, fieldSelector },
        toAnswer,
      );
    },

    async getWatcher({ id: given, namespace }) {
      const id = given.toLowerCase();
      if (!isUuid(id)) return problem(400, 'malformed', NO_UUID);
      const known = caches.index.watcherByUid(id);
      const name = known?.namespace === namespace ? known.name : id;
      const watcher = await client.get<JobDoneWatcher>({ resource: JOB_DONE_WATCHERS, namespace, name });
      return watcher === undefined
        ? notFound('watcher')
        : answer(200, toWatcherAnswer(watcher, webhookIdIn(namespace)));
    },
  };
}

function withReadIds(request: WatcherRequest): WatcherRequest {
  const { jobDoneTriggerWebhooks } = request;
  return {
    ...request,
    jobDoneTriggerWebhooks: jobDoneTriggerWebhooks.map((trigger) => ({
      ...trigger,
      webhookId: readId(trigger.webhookId),
    })),
  };
}

function pageOf(url: URL): { readonly limit: string | undefined; readonly continue: string | undefined } {
  return {
    limit: url.searchParams.get('limit') ?? undefined,
    continue: url.searchParams.get('continue') ?? undefined,
  };
}

/** @param asked the namespace that it names, whoever follows the Location has to name as well */
function created(path: string, asked: URL, body: unknown): Outcome {
  const namespace = asked.searchParams.get('namespace');
  const query = namespace === null ? '' : `?${new URLSearchParams({ namespace }).toString()}`;
  return answer(201, body, { Location: `${path}${query}` });
}

function notFound(what: string): Outcome {
  return problem(404, 'not-found', `There is no such ${what} in this namespace.`);
}
