import express, { type Router } from 'express';

/** One thing that must hold before the process is ready. */
export interface ReadinessCheck {
  readonly name: string;
  ready(): boolean;
}

export interface HealthDeps {
  readonly checks: () => readonly ReadinessCheck[];
  /** The metrics in Prometheus' text format with their content type. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

/**
 * `GET /healthz`: 200 while the event loop turns. `GET /readyz`: 200 when every check holds, else 503 with the names of those that do
 * not, one a line. `GET /metrics`: Prometheus. Plain HTTP, nothing secret in it.
 */
export function createHealthRouter(deps: HealthDeps): Router {
  const router = express.Router();
  router.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok\n');
  });
  router.get('/readyz', (_request, response) => {
    const lines = deps.checks().map((check) => ({ ok: check.ready(), name: check.name }));
    const ready = lines.every((line) => line.ok);
    response
      .status(ready ? 200 : 503)
      .type('text/plain')
      .send(
        lines.map((line) => `[${line.ok ? '+' : '-'}] ${line.name}\n`).join('') +
          (ready ? 'ready\n' : 'not ready\n'),
      );
  });
  router.get('/metrics', async (_request, response) => {
    const { contentType, text } = await deps.metrics();
    response.set('Content-Type', contentType).send(text);
  });
  return router;
}
