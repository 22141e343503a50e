import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueCa, issueServingCertificate } from '../../src/pki/issue-certificate.ts';
import { JOB_DONE_WATCHERS, WEBHOOKS } from '../../src/jobs/index.ts';
import { createCall } from './jobs-api-call.ts';
import {
  eventually,
  NAMESPACE,
  startJobsSetting,
  type JobsReplica,
  type JobsSetting,
} from './jobs-setting.ts';

// Who may call the REST listener, and what a key is good for, over three replicas.

jest.setTimeout(300_000);
let setting: JobsSetting;
let replicas: JobsReplica[];
beforeAll(async () => {
  setting = await startJobsSetting();
  await setting.createWebhook('target', { url: 'http://receiver.example/' });
  replicas = await Promise.all([setting.replica(), setting.replica(), setting.replica()]);
}, 180_000);
afterAll(() => setting.stop());

const call = createCall(() => replicas);

describe('the Idempotency-Key', () => {
  it('is any text; 50 parallel posts over 3 replicas make one watcher', async () => {
    const body = {
      jobName: 'cron-1234',
      jobDoneTriggerWebhooks: [{ webhookId: 'target', timeoutSeconds: 0 }],
    };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        call('POST', '/job-done-watchers', body, { 'idempotency-key': 'cron-1234' }, n % 3),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(49);
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    const { items } = await setting.admin.list(JOB_DONE_WATCHERS, NAMESPACE, {
      fieldSelector: 'spec.jobName=cron-1234',
    });
    expect(items).toHaveLength(1);
  });

  it('with another request is refused; the order of members does not matter', async () => {
    const key = { 'idempotency-key': 'ключ, any text: 1' };
    const encoded = { 'idempotency-key': Buffer.from(key['idempotency-key']).toString('latin1') };
    const first = await call(
      'POST',
      '/job-done-watchers',
      { jobName: 'key-a', jobDoneTriggerWebhooks: [] },
      encoded,
    );
    expect(first.status).toBe(201);
    const again = await call(
      'POST',
      '/job-done-watchers',
      '{"jobDoneTriggerWebhooks":[],"timeoutSeconds":0,"jobName":"key-a"}',
      encoded,
      1,
    );
    expect(again).toMatchObject({ status: 200, body: first.body });
    const other = await call(
      'POST',
      '/job-done-watchers',
      { jobName: 'key-b', jobDoneTriggerWebhooks: [] },
      encoded,
    );
    expect(other.status).toBe(422);
  });

  it('is answered as before although its Webhook is gone by now; another key is not', async () => {
    const ref = { resource: WEBHOOKS, namespace: NAMESPACE, name: 'passing' };
    await setting.createWebhook('passing', { url: 'http://receiver.example/' });
    const { metadata } = (await setting.admin.get(ref)) ?? {};
    const body = {
      jobName: 'replayed',
      jobDoneTriggerWebhooks: [{ webhookId: 'passing', timeoutSeconds: 0 }],
    };
    const post = (key: string, replica?: number) =>
      call('POST', '/job-done-watchers', body, { 'idempotency-key': key }, replica);
    const first = await post('replayed');
    expect(first.status).toBe(201);
    await setting.admin.delete(ref, { uid: metadata?.uid ?? '' });
    // As soon as the caches of the replicas know; a key that was posted before that is answered as it was then.
    let posted = 0;
    await eventually(
      'the Webhook to be unknown',
      async () => (await post(`another-${++posted}`, 1)).status === 422,
    );
    const again = await post('replayed', 1);
    expect(again).toMatchObject({ status: 200, body: { id: (first.body as { id: string }).id } });
  });

  it('of a Job that was recreated means the new one', async () => {
    const key = { 'idempotency-key': 'again' };
    const body = { jobName: 'again', jobDoneTriggerWebhooks: [] };
    await setting.createJob('again');
    const post = () => call('POST', '/job-done-watchers', body, key);
    // The cache of the replica has to have seen the Job.
    await eventually('the first watcher', async () => [200, 201].includes((await post()).status));
    await setting.finishJob('again');
    const first = (await post()).body as { id: string };
    await eventually(
      'COMPLETED',
      async () => ((await post()).body as { status: string }).status === 'COMPLETED',
    );
    await setting.deleteJob('again');
    const uid = await setting.createJob('again');
    await eventually('a new watcher', async () => ((await post()).body as { id: string }).id !== first.id);
    const second = (await post()).body as { id: string };
    expect((await setting.watcher(second.id))?.spec.jobUid).toBe(uid);
  });
});

describe('who may call', () => {
  let strict: JobsReplica;
  const as = async (account: string, audience = 'krake-hooks') => {
    const { stdout } = await setting.controlPlane.kubectl([
      '-n',
      NAMESPACE,
      'create',
      'token',
      account,
      `--audience=${audience}`,
    ]);
    return { authorization: `Bearer ${stdout.trim()}` };
  };
  const get = async (headers: Record<string, string>, query = '') => {
    const response = await fetch(`${strict.baseUrl}/webhooks${query}`, { headers });
    return response.status;
  };
  beforeAll(async () => {
    strict = await setting.replica({ 'jobs.anonymousNamespaces': '' });
    for (const account of ['allowed', 'watchers', 'abroad', 'nobody']) {
      await setting.controlPlane.kubectl(['-n', NAMESPACE, 'create', 'serviceaccount', account]);
    }
    await setting.controlPlane.kubectl(['create', 'namespace', 'elsewhere']);
    await setting.controlPlane.kubectl(['label', 'namespace', 'elsewhere', 'hooks.krake.dev/enabled=true']);
    await bind(NAMESPACE, 'allowed', 'krake-hooks-job-webhooks');
    await bind(NAMESPACE, 'watchers', 'krake-hooks-job-watchers');
    await bind('elsewhere', 'abroad', 'krake-hooks-job-webhooks');
  }, 300_000);
  /** Resolves when the API server acts by it. */
  const bind = async (namespace: string, account: string, role: string): Promise<void> => {
    const { controlPlane } = setting;
    await controlPlane.kubectl([
      ...['-n', namespace, 'create', 'rolebinding', account],
      `--clusterrole=${role}`,
      `--serviceaccount=${NAMESPACE}:${account}`,
    ]);
    const canI = ['auth', 'can-i', 'create', 'jobdonewatchers.hooks.krake.dev', '-n', namespace];
    const as = `--as=system:serviceaccount:${NAMESPACE}:${account}`;
    await eventually(`the rights of ${account}`, async () => {
      const { code } = await controlPlane.kubectl([...canI, as], { allowFailure: true });
      return code === 0;
    });
  };

  it('nobody without a token', async () => {
    expect(await get({})).toBe(401);
    expect(await get({ authorization: 'Bearer nonsense' })).toBe(401);
    expect(await get({ authorization: 'Basic dTpw' })).toBe(401);
  });

  it('a service account with the rights, in its own namespace and in no other', async () => {
    const headers = await as('allowed');
    expect(await get(headers)).toBe(200);
    expect(await get(headers, `?namespace=${NAMESPACE}`)).toBe(200);
    expect(await get(headers, '?namespace=elsewhere')).toBe(403);
  });

  it('another namespace where the rights reach, and there alone', async () => {
    const headers = await as('abroad');
    expect(await get(headers, '?namespace=elsewhere')).toBe(200);
    expect(await get(headers)).toBe(403);
    const posted = await fetch(`${strict.baseUrl}/webhooks?namespace=elsewhere`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ url: 'http://reports:8080/' }),
    });
    expect(posted.status).toBe(201);
    const { id } = (await posted.json()) as { id: string };
    const { stdout } = await setting.controlPlane.kubectl([
      ...['-n', 'elsewhere', 'get', 'webhooks.hooks.krake.dev', id, '-o', 'jsonpath={.spec.url}'],
    ]);
    expect(stdout).toBe('http://reports:8080/');
    const location = posted.headers.get('location');
    expect(location).toBe(`/webhooks/${id}?namespace=elsewhere`);
    await eventually('what the Location leads to', async () => {
      const found = await fetch(`${strict.baseUrl}${location}`, { headers });
      return found.status === 200 && ((await found.json()) as { id: string }).id === id;
    });
  });

  it('the narrow role is enough for watchers, and for nothing else', async () => {
    const headers = await as('watchers');
    const posted = await fetch(`${strict.baseUrl}/job-done-watchers`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ jobName: 'narrow', jobDoneTriggerWebhooks: [{ webhookId: 'target' }] }),
    });
    expect(posted.status).toBe(201);
    const { id } = (await posted.json()) as { id: string };
    const seen = await fetch(`${strict.baseUrl}/job-done-watchers/${id}`, { headers });
    expect(seen.status).toBe(200);
    expect(await get(headers)).toBe(403);
  });

  it('none without the rights, and no token of another audience', async () => {
    expect(await get(await as('nobody'))).toBe(403);
    expect(await get(await as('allowed', 'https://kubernetes.default.svc'))).toBe(401);
  });
});

describe('with jobs.tls', () => {
  it('HTTPS and nothing else is served, with the certificate of the files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'krake-hooks-tls-'));
    const fileOf = (name: string) => join(folder, name);
    try {
      const validity = { now: Date.now(), lifetimeMs: 3_600_000 };
      const ca = await issueCa(validity);
      const names = { dnsNames: ['krake-hooks-jobs.krake-system.svc'], ipAddresses: ['127.0.0.1'] };
      const leaf = await issueServingCertificate(ca, names, validity);
      await writeFile(fileOf('tls.crt'), leaf.cert);
      await writeFile(fileOf('tls.key'), leaf.key);
      await writeFile(fileOf('ca.crt'), ca.cert);
      const { baseUrl } = await setting.replica({
        'jobs.tls': 'true',
        'pki.mode': 'files',
        'pki.certFile': fileOf('tls.crt'),
        'pki.keyFile': fileOf('tls.key'),
        'pki.caFile': fileOf('ca.crt'),
      });
      const path = '/webhooks?limit=1';
      const sent = request(`${baseUrl.replace('http:', 'https:')}${path}`, { ca: ca.cert, agent: false });
      sent.end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      response.resume();
      expect(response.statusCode).toBe(200);
      await expect(fetch(`${baseUrl}${path}`)).rejects.toThrow();
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
