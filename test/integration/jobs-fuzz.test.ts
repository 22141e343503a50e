import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { watcherAnswer, webhookAnswer, problemAnswer } from '../../src/jobs-api/resources.ts';
import { runCommand } from '../cluster/run-command.ts';
import { ensurePythonTools } from '../tools/python-tools.ts';
import { startJobsSetting, type JobsReplica, type JobsSetting } from './jobs-setting.ts';

// Whatever is sent to the REST listener is answered as its OpenAPI document says, and never with a 5xx.

jest.setTimeout(300_000);
const tools = await ensurePythonTools();
let setting: JobsSetting;
let replica: JobsReplica;
beforeAll(async () => {
  setting = await startJobsSetting();
  replica = await setting.replica();
}, 600_000);
afterAll(() => setting.stop());

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, unknown>> }>>>
  >;
}

const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', 'train', '../..', 'a'.repeat(300), 'http://a.example/', '\u0000', '__proto__'),
);
const anything = fc.oneof({ depthSize: 'small' }, text, fc.anything({ maxDepth: 3 }));
const webhook = fc.record(
  { url: fc.oneof(fc.webUrl(), anything), requestBody: anything, description: anything },
  { requiredKeys: [] },
);
const watcher = fc.record(
  {
    jobName: fc.oneof(fc.constant('train'), anything),
    timeoutSeconds: fc.oneof(fc.nat(), fc.double(), anything),
    jobDoneTriggerWebhooks: fc.oneof(
      fc.array(
        fc.record(
          { webhookId: fc.oneof(fc.constant(UNKNOWN), anything), timeoutSeconds: anything },
          { requiredKeys: [] },
        ),
      ),
      anything,
    ),
  },
  { requiredKeys: [] },
);
const body = fc
  .oneof(webhook, watcher, anything)
  .map((value) => (JSON.stringify(value) as string | undefined) ?? '');
const header = fc.string({ unit: fc.constantFrom(...'abcXYZ0 ,;="/é') }).map((value) => value.trim());
/** Two names are none of a path: whoever sends it leaves them out. */
const id = text.filter((name) => name !== '.' && name !== '..');
const path = fc.oneof(
  fc.constantFrom('/webhooks', '/job-done-watchers', `/webhooks/${UNKNOWN}`, `/job-done-watchers/${UNKNOWN}`),
  id.map((name) => `/webhooks/${encodeURIComponent(name.toWellFormed())}`),
  id.map((name) => `/job-done-watchers/${encodeURIComponent(name.toWellFormed())}`),
);
const query = fc
  .dictionary(fc.constantFrom('jobName', 'status', 'limit', 'continue', 'namespace', 'x'), text)
  .map((parameters) =>
    new URLSearchParams(
      Object.entries(parameters).map(([key, value]): [string, string] => [key, value.toWellFormed()]),
    ).toString(),
  );

describe('whatever is sent', () => {
  it('is answered as the document says', async () => {
    const document = (await (await fetch(`${replica.baseUrl}/openapi.json`)).json()) as Document;
    const documented = (method: string, given: string) => {
      // Without an id it is the list.
      const requested = given.replace(/\/$/, '');
      const template = /^\/(webhooks|job-done-watchers)$/.test(requested)
        ? requested
        : `${requested.split('/').slice(0, 2).join('/')}/{id}`;
      return Object.keys(document.paths[template]?.[method.toLowerCase()]?.responses ?? {});
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST'),
        path,
        query,
        body,
        header,
        async (method, requested, parameters, sent, key) => {
          const response = await fetch(`${replica.baseUrl}${requested}?${parameters}`, {
            method,
            headers: { 'content-type': 'application/json', 'idempotency-key': key },
            ...(method === 'POST' && { body: sent }),
          });
          const answered = await response.text();
          expect(response.status).toBeLessThan(500);
          const codes = documented(method, requested);
          // No such operation: POST to one object.
          expect(codes.length === 0 ? ['405'] : codes).toContain(String(response.status));
          checkBody(requested, response, answered);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  (tools === undefined ? it.skip : it)(
    'schemathesis finds nothing in it (skipped where it cannot be installed)',
    async () => {
      const checks =
        'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method';
      // One worker: Python 3.11 may fail by itself when two threads parse source at once (its issue 106905), which Hypothesis does.
      const limits = ['--max-examples', '60', '--phases', 'coverage,fuzzing', '--workers', '1'];
      const folder = await mkdtemp(join(tmpdir(), 'krake-hooks-fuzz-'));
      try {
        const { stdout } = await runCommand(
          tools?.schemathesis ?? '',
          ['run', `${replica.baseUrl}/openapi.json`, '--checks', checks, ...limits],
          { cwd: folder, timeoutMs: 400_000 },
        );
        console.log(stdout.split('\n').slice(-20).join('\n'));
        // A run that has tested nothing has found nothing either.
        expect(stdout).toMatch(/Operations: +6 /);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );
});

function checkBody(path: string, { status, headers }: Response, text: string): void {
  const type = headers.get('content-type') ?? '';
  if (status >= 400) {
    expect(type).toBe('application/problem+json');
    expect(problemAnswer.safeParse(JSON.parse(text)).success).toBe(true);
    return;
  }
  expect(type).toBe('application/json');
  const value: unknown = JSON.parse(text);
  const schema = path.startsWith('/webhooks') ? webhookAnswer : watcherAnswer;
  for (const each of Array.isArray(value) ? value : [value])
    expect(schema.safeParse(each).success).toBe(true);
}
