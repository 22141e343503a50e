import express, { type NextFunction, type Request, type Response } from 'express';
import { sendProblem, sendProblemAndClose, sourceOf } from '../http/index.ts';
import type { JobCaches } from '../jobs/index.ts';
import type { Logger } from '../observability/index.ts';
import { API_PAGE } from './api-page.ts';
import type { Access, Authorize } from './authorize.ts';
import { buildOpenApi } from './openapi.ts';
import { createOperations, type OperationName, type OperationsDeps } from './operations.ts';
import { outcomeOfError, problem, unavailable, type Outcome } from './outcome.ts';

export interface JobsApiMetrics {
  answered(operation: string, status: number, seconds: number): void;
}

export interface JobsRouterDeps extends OperationsDeps {
  readonly caches: OperationsDeps['caches'] & Pick<JobCaches, 'isOptedIn' | 'ready'>;
  readonly authorize: Authorize;
  readonly logger: Logger;
  readonly metrics: JobsApiMetrics;
  readonly monotonic: () => number;
}

interface Route {
  readonly path: string;
  readonly operations: Readonly<Partial<Record<'get' | 'post', OperationName>>>;
}

const ROUTES: readonly Route[] = [
  { path: '/webhooks', operations: { get: 'listWebhooks', post: 'createWebhook' } },
  { path: '/webhooks/:id', operations: { get: 'getWebhook' } },
  { path: '/job-done-watchers', operations: { get: 'listWatchers', post: 'createWatcher' } },
  { path: '/job-done-watchers/:id', operations: { get: 'getWatcher' } },
];

const ACCESS: Readonly<Record<OperationName, Pick<Access, 'verb' | 'resource'>>> = {
  createWebhook: { verb: 'create', resource: 'webhooks' },
  listWebhooks: { verb: 'list', resource: 'webhooks' },
  getWebhook: { verb: 'get', resource: 'webhooks' },
  createWatcher: { verb: 'create', resource: 'jobdonewatchers' },
  listWatchers: { verb: 'list', resource: 'jobdonewatchers' },
  getWatcher: { verb: 'get', resource: 'jobdonewatchers' },
};

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** The REST API of webhooks and job-done watchers, its OpenAPI document and a page for it. Errors are problem+json. */
export function createJobsRouter(deps: JobsRouterDeps): express.Express {
  const { logger, metrics, monotonic } = deps;
  const operations = createOperations(deps);
  const document = JSON.stringify(buildOpenApi());

  /** Who may not act in the namespace hears nothing about what is in it. */
  async function run(name: OperationName, request: Request): Promise<Outcome | undefined> {
    if (!deps.caches.ready()) return unavailable();
    const url = URL.parse(request.originalUrl, 'http://service');
    if (url === null) return problem(400, 'malformed', 'The path of the request is malformed.');
    const named = url.searchParams.get('namespace') ?? undefined;
    if (named !== undefined && !NAMESPACE.test(named))
      return problem(400, 'malformed', 'namespace is no name of a namespace.');
    const { authorization } = request.headers;
    const source = sourceOf(request.socket.remoteAddress);
    const authorized = await deps.authorize({ ...ACCESS[name], namespace: named, authorization, source });
    if (authorized.kind === 'refused') return authorized.outcome;
    const { namespace } = authorized;
    if (!deps.caches.isOptedIn(namespace)) {
      return problem(
        403,
        'namespace-not-opted-in',
        'The namespace is not opted in: kubectl label namespace NAME hooks.krake.dev/enabled=true.',
      );
    }
    const { id } = request.params;
    return operations[name]({ request, url, namespace, id: typeof id === 'string' ? id : '' });
  }

  async function handle(name: OperationName, request: Request, response: Response): Promise<void> {
    const startedAt = monotonic();
    let outcome: Outcome | undefined;
    try {
      outcome = await run(name, request);
    } catch (error) {
      outcome = outcomeOfError(error);
      if (outcome === undefined) logger.error('a request failed', { operation: name, error: String(error) });
      else logger.debug('the API server did not do it', { operation: name, error: String(error) });
      outcome ??= problem(500, 'internal-error', 'The request could not be handled.');
    }
    if (outcome === undefined) return;
    send(request, response, outcome);
    const status = outcome.kind === 'answer' ? outcome.status : outcome.problem.status;
    metrics.answered(name, status, (monotonic() - startedAt) / 1_000);
    logger.debug('answered', {
      operation: name,
      status,
      reason: outcome.kind === 'answer' ? undefined : outcome.problem.reason,
    });
  }

  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', false);
  for (const { path, operations: byMethod } of ROUTES) {
    const route = app.route(path);
    for (const method of ['get', 'post'] as const) {
      const name = byMethod[method];
      if (name !== undefined)
        route[method]((request: Request, response: Response) => handle(name, request, response));
    }
    route.all(methodNotAllowed(Object.keys(byMethod)));
  }
  for (const [path, file] of Object.entries({
    ...API_PAGE,
    '/openapi.json': { type: 'application/json', text: document },
  })) {
    app
      .route(path)
      .get((_request, response) => {
        response.set(
          'Content-Security-Policy',
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
        );
        response.set('X-Content-Type-Options', 'nosniff').type(file.type).send(file.text);
      })
      .all(methodNotAllowed(['get']));
  }
  app.get('/', (_request, response) => response.redirect(302, '/docs'));
  app.use((request: Request, response: Response) => {
    send(
      request,
      response,
      problem(
        404,
        'no-such-path',
        'There is nothing at this path; /openapi.json and /docs tell what there is.',
      ),
    );
  });
  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    // express reports a path that it cannot decode.
    const malformed = error instanceof URIError;
    if (!malformed) logger.error('a request failed', { error: String(error) });
    send(
      request,
      response,
      malformed
        ? problem(400, 'malformed', 'The path of the request is malformed.')
        : problem(500, 'internal-error', 'The request could not be handled.'),
    );
  });
  return app;
}

function methodNotAllowed(methods: readonly string[]) {
  const allow = methods.map((method) => method.toUpperCase());
  if (allow.includes('GET')) allow.push('HEAD');
  return (request: Request, response: Response): void => {
    const refusal = problem(405, 'method-not-allowed', `Allowed here: ${allow.join(', ')}.`, {
      Allow: allow.join(', '),
    });
    send(request, response, refusal);
  };
}

function send(request: Request, response: Response, outcome: Outcome): void {
  if (outcome.kind === 'answer') {
    const body = JSON.stringify(outcome.body);
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      ...outcome.headers,
    };
    if (!response.headersSent)
      response.writeHead(outcome.status, headers).end(request.method === 'HEAD' ? undefined : body);
  } else if (outcome.unread === true) sendProblemAndClose(request, response, outcome.problem);
  else sendProblem(response, outcome.problem);
}
