import { z } from 'zod';
import { WATCHER_PHASES } from '../jobs/index.ts';
import { MAX_PAGE } from './list-page.ts';
import { problemAnswer, watcherAnswer, watcherRequest, webhookAnswer, webhookRequest } from './resources.ts';

type Json = Readonly<Record<string, unknown>>;

const REFERENCE = '#/components/schemas/';
const ref = (name: string): Json => ({ $ref: `${REFERENCE}${name}` });
const json = (schema: Json): Json => ({ 'application/json': { schema } });

const PROBLEMS: Readonly<Record<string, string>> = {
  '400': 'The request is malformed.',
  '401': 'The token is missing or not valid.',
  '403': 'The caller may not do this in the namespace, or it is not opted in.',
  '404': 'There is none with this id, or the namespace has just been deleted.',
  '408': 'The body did not come in time.',
  '409':
    'The first request with this Idempotency-Key is not finished, or something else has changed the same: send it again.',
  '413': 'The body is too large.',
  '415': 'The body is no JSON.',
  '422':
    'The request is understood, and a value in it is refused: url, jobName, webhookId, or a key of another request.',
  '431': 'The header of the request is too large.',
  '429': 'Too much of what came from the same address was refused: wait.',
  '500': 'An error of the service.',
  '503': 'The Kubernetes API cannot be reached: send it again.',
};

function problems(...codes: string[]): Json {
  return Object.fromEntries(
    [...codes, '401', '403', '429', '431', '500', '503'].map((code) => [
      code,
      { description: PROBLEMS[code], content: { 'application/problem+json': { schema: ref('Problem') } } },
    ]),
  );
}

const query = (name: string, schema: Json, description: string): Json => ({
  name,
  in: 'query',
  required: false,
  schema,
  description,
});
const NAMESPACE = query(
  'namespace',
  { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$' },
  "Namespace to act in; default: the caller's own.",
);
const PAGE = [
  query(
    'limit',
    { type: 'integer', minimum: 1, maximum: MAX_PAGE },
    `Objects on one page at most; default ${MAX_PAGE}.`,
  ),
  query(
    'continue',
    { type: 'string', minLength: 1, maxLength: 2_048 },
    'The header Continue of the page before.',
  ),
];
const ID: Json = { name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } };
const NEXT_PAGE: Json = {
  Link: { schema: { type: 'string' }, description: 'rel=next: the next page; absent on the last one.' },
  Continue: { schema: { type: 'string' }, description: 'The value of `continue` for the next page.' },
};
const LOCATION: Json = {
  Location: {
    schema: { type: 'string' },
    description: 'Path of what was created, with the namespace that was asked for.',
  },
};

function body(name: string): Json {
  return { required: true, content: json(ref(name)) };
}

function list(name: string): Json {
  return {
    description: 'A page of the list.',
    headers: NEXT_PAGE,
    content: json({ type: 'array', items: ref(name) }),
  };
}

/** The OpenAPI 3.1 document of the REST API, generated from the schemas that requests are checked with. Pure. */
export function buildOpenApi(): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'krake-hooks: job-done webhooks',
      version: 'v1',
      description:
        'Tells webhooks when Jobs are done. Everything here is a custom resource too: kubectl get webhooks,jobdonewatchers,webhookdeliveries.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ serviceAccount: [] }, {}],
    tags: [{ name: 'Webhooks' }, { name: 'Job Done Watchers' }],
    paths: {
      '/webhooks': {
        post: {
          tags: ['Webhooks'],
          operationId: 'createWebhook',
          summary: 'Create a webhook',
          parameters: [NAMESPACE],
          requestBody: body('WebhookRequest'),
          responses: {
            '201': { description: 'It is stored.', headers: LOCATION, content: json(ref('Webhook')) },
            ...problems('400', '404', '408', '409', '413', '415', '422'),
          },
        },
        get: {
          tags: ['Webhooks'],
          operationId: 'listWebhooks',
          summary: 'List webhooks',
          parameters: [NAMESPACE, ...PAGE],
          responses: { '200': list('Webhook'), ...problems('400', '404') },
        },
      },
      '/webhooks/{id}': {
        get: {
          tags: ['Webhooks'],
          operationId: 'getWebhook',
          summary: 'Get a webhook',
          parameters: [ID, NAMESPACE],
          responses: {
            '200': { description: 'The webhook.', content: json(ref('Webhook')) },
            ...problems('400', '404'),
          },
        },
      },
      '/job-done-watchers': {
        post: {
          tags: ['Job Done Watchers'],
          operationId: 'createJobDoneWatcher',
          summary: 'Call webhooks when a Job is done',
          parameters: [
            {
              name: 'Idempotency-Key',
              in: 'header',
              required: false,
              schema: { type: 'string', minLength: 1, maxLength: 1_024 },
              description:
                'Any text. Requests with the same one make one watcher, however many come at once.',
            },
            NAMESPACE,
          ],
          requestBody: body('JobDoneWatcherRequest'),
          responses: {
            '200': {
              description: 'The watcher that the first request with this key made.',
              content: json(ref('JobDoneWatcher')),
            },
            '201': { description: 'It is stored.', headers: LOCATION, content: json(ref('JobDoneWatcher')) },
            ...problems('400', '404', '408', '409', '413', '415', '422'),
          },
        },
        get: {
          tags: ['Job Done Watchers'],
          operationId: 'listJobDoneWatchers',
          summary: 'List watchers',
          parameters: [
            query('jobName', { type: 'string' }, 'Only those of this Job.'),
            query('status', { type: 'string', enum: WATCHER_PHASES }, 'Only those with this status.'),
            NAMESPACE,
            ...PAGE,
          ],
          responses: { '200': list('JobDoneWatcher'), ...problems('400', '404') },
        },
      },
      '/job-done-watchers/{id}': {
        get: {
          tags: ['Job Done Watchers'],
          operationId: 'getJobDoneWatcher',
          summary: 'Get a watcher',
          parameters: [ID, NAMESPACE],
          responses: {
            '200': { description: 'The watcher.', content: json(ref('JobDoneWatcher')) },
            ...problems('400', '404'),
          },
        },
      },
    },
    components: {
      schemas: schemas(),
      securitySchemes: {
        serviceAccount: {
          type: 'http',
          scheme: 'bearer',
          description: 'A projected service account token with the audience krake-hooks.',
        },
      },
    },
  };
}

function schemas(): Json {
  const registry = z.registry<{ id: string }>();
  // What is asked for may leave out what has a default; what is answered is whole.
  registry.add(webhookRequest, { id: 'WebhookRequest' });
  registry.add(watcherRequest, { id: 'JobDoneWatcherRequest' });
  const asked = z.toJSONSchema(registry, { io: 'input', uri: (id) => `${REFERENCE}${id}` }).schemas;
  const answers = z.registry<{ id: string }>();
  answers.add(webhookAnswer, { id: 'Webhook' });
  answers.add(watcherAnswer, { id: 'JobDoneWatcher' });
  answers.add(problemAnswer, { id: 'Problem' });
  const answered = z.toJSONSchema(answers, { io: 'output', uri: (id) => `${REFERENCE}${id}` }).schemas;
  return Object.fromEntries(
    Object.entries({ ...asked, ...answered }).map(([name, schema]) => {
      const kept: Record<string, unknown> = { ...schema };
      delete kept.$schema;
      delete kept.$id;
      return [name, kept];
    }),
  );
}
