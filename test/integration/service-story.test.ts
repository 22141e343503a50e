import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { credentialsIn, type ApplicationCredentials } from '../cluster/application-credentials.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../e2e/eventually.ts';
import { cronJob, deployment, job } from '../e2e/workloads.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { applyManifests, pointWebhooksAt, startService, type ServiceProcess } from './service.ts';

// The three parts as three processes, each with the rights of its own service account and no more, on a real control plane.

const NAMESPACE = 'story';
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
/** A review that takes longer than an installation gives it lets a pod in without its injection, which the policy then refuses. */
const PATIENT = { 'admission.deadline': '28s' };
type PartName = 'admission' | 'callbacks' | 'controller';

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly containers: readonly {
      readonly env?: readonly { readonly name: string; readonly value?: string }[];
    }[];
  };
}

describe('the service as three processes', () => {
  let controlPlane: ControlPlane;
  const services: ServiceProcess[] = [];
  const kubectl = async (...args: string[]): Promise<string> =>
    (await controlPlane.kubectl(['-n', NAMESPACE, ...args])).stdout;
  const apply = (object: object) =>
    controlPlane.kubectl(['-n', NAMESPACE, 'apply', '-f', '-'], { input: JSON.stringify(object) });

  beforeAll(async () => {
    controlPlane = await startControlPlane();
    await applyManifests(controlPlane);
    await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
    await controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
    services.push(await start('callbacks'));
    const callbackUrl = `https://127.0.0.1:${services[0]?.callbacksPort}`;
    services.push(await start('admission', { ...PATIENT, 'callbacks.externalEndpoint': callbackUrl }));
    await pointWebhooksAt(controlPlane, services[1]?.admissionPort ?? 0);
    const patience = [0, 1].map((index) => ({
      op: 'replace',
      path: `/webhooks/${index}/timeoutSeconds`,
      value: 30,
    }));
    const flags = ['--type=json', '-p', JSON.stringify(patience)];
    await controlPlane.kubectl(['patch', 'mutatingwebhookconfiguration', 'krake-hooks', ...flags]);
    services.push(await start('controller'));
    for (const service of services) await service.untilReady();
  }, 600_000);

  afterAll(async () => {
    for (const service of services) await service.end('SIGKILL');
    await controlPlane.stop();
  });

  /** With a kubeconfig that holds a token of the part's own service account. */
  async function start(part: PartName, set: Record<string, string> = {}): Promise<ServiceProcess> {
    const kubeconfig = await writeAccountKubeconfig(controlPlane, 'krake-system', `krake-hooks-${part}`);
    return startService(controlPlane, { parts: [part], kubeconfig, set });
  }

  const podOf = (app: string): Promise<Pod> =>
    eventually(`an injected pod of ${app}`, async () => {
      const { items } = JSON.parse(
        await kubectl('get', 'pods', '-l', `hooks.krake.dev/application=${app}`, '-o', 'json'),
      ) as { items: Pod[] };
      return items[0];
    });

  /** Its Secret, once all of it is there. */
  const credentialsOf = (application: string): Promise<ApplicationCredentials> =>
    eventually(`the Secret of ${application}`, async () => {
      const name = `krake-hooks-${application}`;
      const text = await kubectl('get', 'secret', name, '--ignore-not-found', '-o', 'json');
      const found =
        text === '' ? undefined : credentialsIn(JSON.parse(text) as { data: Record<string, string> });
      return found?.token === '' || found?.cert === '' ? undefined : found;
    });

  const untilGone = (object: string): Promise<true> =>
    eventually(`${object} gone`, async () => {
      const { code, stderr } = await controlPlane.kubectl(['-n', NAMESPACE, 'get', object], {
        allowFailure: true,
      });
      return code !== 0 && stderr.includes('NotFound') ? true : undefined;
    });

  it.each([
    ['a Deployment', 'deployment/web', 'deployment-web', deployment('web', 'sleep 3600', { replicas: 3 })],
    ['a Job', 'job/train', 'job-train', job('train', 'sleep 3600')],
  ])(
    'injects %s, takes its PUT and deletes it',
    async (_what, object, application, manifest) => {
      await apply(manifest);
      const pod = await podOf(application);
      const env = Object.fromEntries((pod.spec.containers[0]?.env ?? []).map((e) => [e.name, e.value]));
      expect(Object.keys(env)).toEqual(
        expect.arrayContaining(['KRAKE_TOKEN', 'KRAKE_COMPLETE_TOKEN', 'KRAKE_COMPLETE_URL']),
      );
      const credentials = await credentialsOf(application);
      const answer = await putKnown(env['KRAKE_COMPLETE_URL'] ?? '', credentials);
      expect(answer.status).toBe(200);
      await untilGone(object);
      // Told again after the end: the same answer.
      expect(await put(env['KRAKE_COMPLETE_URL'] ?? '', credentials)).toEqual(answer);
      expect(await kubectl('describe', 'application', application)).toContain('Completed');
    },
    240_000,
  );

  it('hooks the run of a CronJob', async () => {
    await apply(cronJob('nightly', 'sleep 3600'));
    await eventually('the stamp of its template', async () =>
      (await kubectl('get', 'cronjob', 'nightly', '-o', 'jsonpath={.spec.jobTemplate}')).includes('complete')
        ? true
        : undefined,
    );
    await kubectl('create', 'job', '--from=cronjob/nightly', 'nightly-1');
    const url = (await podOf('job-nightly-1')).spec.containers[0]?.env?.find(
      (e) => e.name === 'KRAKE_COMPLETE_URL',
    )?.value;
    expect((await putKnown(url ?? '', await credentialsOf('job-nightly-1'))).status).toBe(200);
    await untilGone('job/nightly-1');
    await kubectl('delete', 'cronjob', 'nightly');
  }, 300_000);

  it('goes on when the leader is killed between the signal and the deletion', async () => {
    await apply(deployment('orphaned', 'sleep 3600'));
    const application = 'deployment-orphaned';
    const url = (await podOf(application)).spec.containers[0]?.env?.find(
      (e) => e.name === 'KRAKE_COMPLETE_URL',
    )?.value;
    const credentials = await credentialsOf(application);
    await services[2]?.end('SIGKILL');
    expect((await putKnown(url ?? '', credentials)).status).toBe(200);
    expect(await kubectl('get', 'deployment', 'orphaned', '-o', 'name')).toContain('orphaned');
    services.push(await start('controller'));
    await untilGone('deployment/orphaned');
  }, 300_000);

  it('repairs a workload that was created while admission was down', async () => {
    const down = services[1];
    await down?.end('SIGTERM');
    await apply(deployment('late', 'sleep 3600'));
    await eventually('the stamp by the controller', async () =>
      (
        await kubectl('get', 'deployment', 'late', '-o', 'jsonpath={.spec.template.metadata.labels}')
      ).includes('deployment-late')
        ? true
        : undefined,
    );
    // Stamped but not injected: the policy refuses such pods while nobody injects.
    await eventually('the refusal in the Events', async () =>
      (await kubectl('get', 'events')).includes('krake-hooks-injected') ? true : undefined,
    );
    const again = await start('admission', {
      ...PATIENT,
      'callbacks.externalEndpoint': `https://127.0.0.1:${services[0]?.callbacksPort}`,
    });
    services.push(again);
    await pointWebhooksAt(controlPlane, again.admissionPort);
    await again.untilReady();
    await kubectl('rollout', 'restart', 'deployment', 'late'); // sooner than the back-off of the ReplicaSet controller
    const pod = await podOf('deployment-late');
    expect(pod.spec.containers[0]?.env?.map((e) => e.name)).toContain('KRAKE_TOKEN');
  }, 300_000);

  /** A Deployment that stays when it is complete, with what its pods have. */
  async function startKept(name: string): Promise<{ readonly url: string; readonly application: string }> {
    const annotations = {
      'hooks.krake.dev/hooks': 'complete',
      'hooks.krake.dev/complete-action': 'none',
    };
    await apply(deployment(name, 'sleep 3600', { annotations }));
    const application = `deployment-${name}`;
    const { env = [] } = (await podOf(application)).spec.containers[0] ?? {};
    return { application, url: env.find((e) => e.name === 'KRAKE_COMPLETE_URL')?.value ?? '' };
  }

  const rotate = (application: string, ...flags: string[]) =>
    promisify(execFile)(process.execPath, [
      ...[MAIN, 'rotate', application, '-n', NAMESPACE, '--kubeconfig', controlPlane.kubeconfig, ...flags],
    ]);

  /** Its Secret, once it has another token than this. */
  const renewedCredentialsOf = (application: string, former: ApplicationCredentials) =>
    eventually(`another token of ${application}`, async () => {
      const found = await credentialsOf(application);
      return found.token === former.token ? undefined : found;
    });

  it('refuses what was there before a rotation at once, or after its time of grace', async () => {
    const { application, url } = await startKept('turned');
    const first = await credentialsOf(application);
    expect((await putKnown(url, first)).status).toBe(200);

    await rotate(application, '--wait', '30s');
    const rotatedAt = Date.now();
    await eventually('401 for what is void', async () =>
      (await put(url, first)).status === 401 ? true : undefined,
    );
    const lagMs = Date.now() - rotatedAt;
    console.log(`void ${lagMs} ms after the rotation was taken up`);
    // Callbacks hear of it by their watch, in milliseconds; the rest is for a busy machine.
    expect(lagMs).toBeLessThan(15_000);
    const second = await renewedCredentialsOf(application, first);
    expect((await put(url, second)).status).toBe(200);
    // Each is void, not only both together.
    expect((await put(url, { ...second, token: first.token })).status).toBe(401);
    expect((await put(url, { ...first, token: second.token })).status).toBe(401);

    await rotate(application, '--wait', '30s', '--grace', '30s');
    const validUntil = Date.parse(
      await kubectl('get', 'application', application, '-o', 'jsonpath={.status.formerTokens[0].validUntil}'),
    );
    let during = 0;
    for (let isTaken = true; isTaken;) {
      const sentAt = Date.now();
      const { status } = await put(url, second);
      const answeredAt = Date.now();
      isTaken = status === 200;
      if (answeredAt < validUntil) {
        expect(status).toBe(200);
        during += 1;
      }
      if (sentAt > validUntil + 15_000) expect(status).toBe(401);
      expect([200, 401]).toContain(status);
      await sleep(100);
    }
    expect(during).toBeGreaterThan(0);
    const third = await renewedCredentialsOf(application, second);
    expect((await putKnown(url, third)).status).toBe(200);
  }, 300_000);

  it('tells until when it can sign', async () => {
    const texts = await Promise.all(
      services
        .filter(({ process }) => process.exitCode === null && process.signalCode === null)
        .map(async (service) => (await service.get('/metrics')).text),
    );
    const ends = texts.flatMap((text) => {
      const found = /^krake_hooks_certificate_expiry_timestamp_seconds\{certificate="signing"\} (\S+)$/m.exec(
        text,
      );
      return found === null ? [] : [Number(found[1])];
    });
    expect(ends).toHaveLength(1); // the controller, and nobody else
    const days = ((ends[0] ?? 0) - Date.now() / 1_000) / 86_400;
    expect(days).toBeGreaterThan(89);
    expect(days).toBeLessThan(91);
  });

  it('keeps every token out of logs, metrics, Events and objects', async () => {
    const { application, url } = await startKept('canary');
    const credentials = await credentialsOf(application);
    const { token } = credentials;
    expect((await put(url, { ...credentials, token: `${token}x` })).status).toBe(401);
    expect((await put(url.replace('canary', 'other'), credentials)).status).toBe(401);
    const accepted = await putKnown(url, credentials);
    expect(accepted.status).toBe(200);
    const running = services.filter(
      (service) => service.process.exitCode === null && service.process.signalCode === null,
    );
    const metrics = await Promise.all(running.map(async (service) => (await service.get('/metrics')).text));
    const objects = await kubectl('get', 'applications,events,deployments,replicasets,pods', '-o', 'yaml');
    const everything = [accepted.text, ...services.map((service) => service.output()), ...metrics, objects];
    expect(everything.join('\n')).toContain(application);
    expect(everything.filter((text) => text.includes(token))).toEqual([]);
    expect(everything.filter((text) => text.includes('PRIVATE KEY'))).toEqual([]);
  }, 300_000);
});

/** The first one of an application: callbacks, another process, may hear of it later than its Secret is there. */
const putKnown = (url: string, credentials: ApplicationCredentials): ReturnType<typeof put> =>
  eventually('callbacks to know it', async () => {
    const answer = await put(url, credentials);
    return answer.status === 401 || answer.status === 503 ? undefined : answer;
  });

/** A PUT as a container sends it, over a connection of its own that trusts the application's bundle only. */
function put(
  url: string,
  { token, ...tls }: ApplicationCredentials,
): Promise<{ status: number; text: string }> {
  const body = JSON.stringify({ token });
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      { method: 'PUT', ...tls, agent: false, headers: { 'Content-Length': body.length } },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}
