import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../e2e/eventually.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { boundToken, forbidTokenReviews } from './canary-identity.ts';
import { createEncryptedIntermediate } from './canary-intermediate.ts';
import { APPLICATIONS_OF_EACH_KIND, LATE, jobWithWebhook } from './canary-objects.ts';
import { requestsWith } from './canary-requests.ts';
import { findCanaries, type Canary } from './canary-search.ts';
import { allObjects, keysOf, readSecret, send, shownBy } from './canary-setting.ts';
import { startReceiver, type Receiver } from './jobs-receiver.ts';
import { applyManifests, pointWebhooksAt, startService, type ServiceProcess } from './service.ts';

// Every secret that there is goes through every path of the whole service, each part a process with the rights of its own account, at log level
// debug. Then everything that anybody may read is searched for it, but for the few places that are meant to hold it.

jest.setTimeout(600_000);
const NAMESPACE = 'birds';
const SYSTEM = 'krake-system';
const PARTS = ['callbacks', 'admission', 'gate', 'controller', 'jobs'] as const;
type PartName = (typeof PARTS)[number];

describe('the whole service', () => {
  let controlPlane: ControlPlane;
  let receiver: Receiver;
  const services = new Map<PartName, ServiceProcess>();
  const canaries: Canary[] = [];
  const answers = new Map<string, string>();
  const urlKey = randomBytes(24).toString('hex');
  const signingKey = randomBytes(24);

  const kubectl = async (...args: string[]): Promise<string> =>
    (await controlPlane.kubectl(['-n', NAMESPACE, ...args])).stdout;
  const apply = (object: object) =>
    controlPlane.kubectl(['-n', NAMESPACE, 'apply', '-f', '-'], { input: JSON.stringify(object) });
  const service = (part: PartName): ServiceProcess => {
    const found = services.get(part);
    if (found === undefined) throw new Error(`${part} does not run`);
    return found;
  };
  const addText = (name: string, text: string, ...holders: string[]) =>
    canaries.push({ name, bytes: Buffer.from(text), holders });

  beforeAll(async () => {
    receiver = await startReceiver((response, { headers, path }) => {
      // It tells what it was told: what we keep of its answer must not be that.
      response.writeHead(500).end(`${path} ${JSON.stringify(headers)}`);
    });
    controlPlane = await startControlPlane();
    await applyManifests(controlPlane);
    await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
    await controlPlane.kubectl(['label', 'namespace', NAMESPACE, 'hooks.krake.dev/enabled=true']);
    for (const part of PARTS) services.set(part, await start(part));
    await pointWebhooksAt(controlPlane, service('admission').admissionPort, service('gate').gatePort);
    for (const one of services.values()) await one.untilReady();
  }, 600_000);

  afterAll(async () => {
    for (const one of services.values()) await one.end('SIGKILL');
    await receiver.stop();
    await controlPlane.stop();
  });

  async function start(part: PartName, set: Record<string, string> = {}): Promise<ServiceProcess> {
    const kubeconfig = await writeAccountKubeconfig(controlPlane, SYSTEM, `krake-hooks-${part}`);
    const { users } = JSON.parse(await readFile(kubeconfig, 'utf8')) as {
      users: { user: { token: string } }[];
    };
    addText(`service account token of ${part}`, users[0]?.user.token.split('.').at(-1) ?? '');
    const callbacks = services.get('callbacks');
    return startService(controlPlane, {
      parts: [part],
      kubeconfig,
      set: {
        logLevel: 'debug',
        'admission.secretPath': 'true',
        'gate.secretPath': 'true',
        'outbound.allowCidrs': '127.0.0.0/8',
        'jobs.host': '127.0.0.1',
        'jobs.port': '0',
        'jobs.retryBase': '200ms',
        'pki.trustDelay': '1s',
        ...set,
        ...(callbacks !== undefined && {
          'callbacks.externalEndpoint': `https://127.0.0.1:${callbacks.callbacksPort}`,
        }),
      },
    });
  }

  const runCli = (...args: string[]): Promise<string> =>
    new Promise((resolve) => {
      const main = join(import.meta.dirname, '../../src/cli/main.ts');
      execFile(process.execPath, [main, ...args], { timeout: 30_000 }, (_error, out, err) =>
        resolve(out + err),
      );
    });

  /** The applications' Secrets, all keys of the service, and the paths of the webhooks. */
  async function collect(applications: readonly string[]): Promise<void> {
    for (const application of applications) {
      const name = `krake-hooks-${application}`;
      const holder = `Secret ${NAMESPACE}/${name}`;
      const data = await eventually(`the Secret of ${application}`, async () => {
        const read = await readSecret(controlPlane, NAMESPACE, name);
        return read?.['token'] === undefined ? undefined : read;
      });
      addText(`token of ${application}`, data['token'] ?? '', holder);
      canaries.push(...keysOf(name, data, [holder]));
    }
    for (const name of ['krake-hooks-ca', 'krake-hooks-signing']) {
      const data = await readSecret(controlPlane, SYSTEM, name);
      if (data !== undefined) canaries.push(...keysOf(name, data, [`Secret ${SYSTEM}/${name}`]));
    }
    for (const [kind, name, path] of [
      ['MutatingWebhookConfiguration', 'krake-hooks', '/mutate/'],
      ['ValidatingWebhookConfiguration', 'krake-hooks-gate', '/validate/'],
    ] as const) {
      const segment = await eventually(`the path of ${name}`, async () => {
        const url = await kubectl('get', kind, name, '-o', 'jsonpath={.webhooks[0].clientConfig.url}');
        const found = url.split(path)[1] ?? '';
        return found.length === 64 ? found : undefined;
      });
      addText(`path of ${name}`, segment, `${kind} /${name}`);
    }
  }

  const tell = async (what: string, answer: Promise<string>): Promise<string> => {
    const text = await answer;
    answers.set(`answer to ${what}`, text);
    return text;
  };

  async function sendEverywhere(what: string, port: number, good: string, secret: string): Promise<void> {
    for (const [name, path, options] of requestsWith(good, secret)) {
      await tell(`${what}: ${name}`, send(port, path, options));
    }
  }

  const identityOf = async (application: string): Promise<string> => {
    const token = await boundToken(controlPlane, NAMESPACE, application);
    addText(`identity ${canaries.length} of a pod of ${application}`, token.split('.').at(-1) ?? '');
    return token;
  };

  /** A pod's identity: accepted, at another's application, and when the API server does not say whose it is. */
  async function sendIdentities(port: number, pathOf: (application: string) => string): Promise<void> {
    const sendAs = async (what: string, application: string, token: string): Promise<string> => {
      const headers = { Authorization: `Bearer ${token}` };
      return tell(`identity, ${what}`, send(port, pathOf(application), { headers, body: '{}' }));
    };
    const token = await identityOf('deployment-seal');
    await eventually('the identity to be accepted', async () =>
      (await sendAs('accepted', 'deployment-seal', token)).startsWith('200') ? true : undefined,
    );
    expect(await sendAs('of another', 'deployment-otter', token)).toMatch(/^403/);
    expect(await sendAs('where a token is wanted', 'deployment-web', token)).toMatch(/^401/);
    await sendEverywhere('callbacks, identity', port, pathOf('deployment-seal'), token);
    await forbidTokenReviews(controlPlane);
    await eventually('a review that fails', async () =>
      (await sendAs('unreviewed', 'deployment-seal', await identityOf('deployment-seal'))).startsWith('503')
        ? true
        : undefined,
    );
  }

  /** The controller with an operator's intermediate, whose passphrase is wrong, and then right. */
  async function replaceController(): Promise<void> {
    const intermediate = await createEncryptedIntermediate(controlPlane.dir);
    canaries.push(...intermediate.canaries);
    const wrong = await start('controller', intermediate.settings('wrong'));
    await eventually('it to give up', () => Promise.resolve(wrong.process.exitCode ?? undefined));
    expect(wrong.process.exitCode).not.toBe(0);
    expect(wrong.output()).toContain('the passphrase is wrong');
    answers.set('output of a controller with a wrong passphrase', wrong.output());

    const former = service('controller');
    await former.end('SIGTERM');
    answers.set('output of the first controller', former.output());
    services.set('controller', await start('controller', intermediate.settings('right')));
    await service('controller').untilReady(60_000);
    await apply(LATE);
    await eventually('a certificate by the operator’s intermediate', async () =>
      (await kubectl('get', 'application', 'deployment-late', '--ignore-not-found', '-o', 'yaml')).includes(
        `issuerSha256: ${intermediate.sha256}`,
      )
        ? true
        : undefined,
    );
    await collect(['deployment-late']);
  }

  it('shows none of its secrets', async () => {
    // 1. Applications of every kind of hook and proof, a webhook that fails, and all that belongs to them.
    for (const each of APPLICATIONS_OF_EACH_KIND) await apply(each);
    for (const each of jobWithWebhook(`${receiver.url}/hook?key=${urlKey}`, signingKey)) await apply(each);
    const holder = `Secret ${NAMESPACE}/krake-hooks-webhooks`;
    canaries.push({ name: 'signing key', bytes: signingKey, holders: [holder] });
    addText('key in the URL of the Webhook', urlKey, `Webhook ${NAMESPACE}/hook`);
    await collect(['deployment-web', 'deployment-db']);

    // 2. Accepted, refused, malformed, everywhere.
    const data = (await readSecret(controlPlane, NAMESPACE, 'krake-hooks-deployment-web')) ?? {};
    const { token = '' } = data;
    const proof = { cert: data['cert.pem'], key: data['key.pem'] };
    const { callbacksPort, admissionPort, gatePort } = service('callbacks');
    expect([callbacksPort, admissionPort, gatePort]).toHaveLength(3);
    const put = `/kubernetes/namespaces/${NAMESPACE}/applications/deployment-web/complete`;
    const accepted = await eventually('the token to be accepted', async () => {
      const text = await tell(
        'accepted',
        send(callbacksPort, put, { ...proof, body: JSON.stringify({ token }) }),
      );
      return text.startsWith('200') ? text : undefined;
    });
    expect(accepted).toContain('200');
    const db = put.replace('deployment-web', 'deployment-db').replace('complete', 'shutdown');
    await tell(
      'the token of another',
      send(callbacksPort, db, { ...proof, body: JSON.stringify({ token }) }),
    );
    await tell('without certificate', send(callbacksPort, put, { body: JSON.stringify({ token }) }));
    await sendEverywhere('callbacks', callbacksPort, put, token);
    const paths = canaries
      .filter(({ name }) => name.startsWith('path of'))
      .map(({ bytes }) => bytes.toString());
    const [admissionSecret = '', gateSecret = ''] = paths;
    const listeners = [
      ['admission', service('admission').admissionPort, '/mutate', admissionSecret],
      ['gate', service('gate').gatePort, '/validate', gateSecret],
    ] as const;
    for (const [name, port, path, secret] of listeners) {
      await sendEverywhere(`${name}, path`, port, `${path}/${secret}`, secret);
      await sendEverywhere(`${name}, token`, port, path, token);
    }
    const account = canaries.find(({ name }) => name.includes('callbacks'))?.bytes.toString() ?? '';
    await sendEverywhere('callbacks, service account', callbacksPort, put, account);

    await replaceController();
    await sendIdentities(callbacksPort, (application) => put.replace('deployment-web', application));

    // 3. Deliveries that fail, a shutdown that is asked for, the API server away.
    await eventually('attempts at the receiver', () =>
      Promise.resolve(receiver.received.length > 1 || undefined),
    );
    await kubectl('delete', 'deployment', 'db', '--wait=false');
    await eventually('the shutdown in the status', async () =>
      (await kubectl('get', 'application', 'deployment-db', '-o', 'jsonpath={.status.shutdown}')) === ''
        ? undefined
        : true,
    );
    const identity = await identityOf('deployment-otter');
    await controlPlane.killApiserver();
    await tell(
      'API server away, identity',
      send(callbacksPort, put.replace('web', 'otter'), {
        headers: { Authorization: `Bearer ${identity}` },
        body: '{}',
      }),
    );
    await tell(
      'API server away',
      send(callbacksPort, put, { ...proof, body: JSON.stringify({ token: `${token.slice(0, -1)}A` }) }),
    );
    await tell('API server away, db', send(callbacksPort, db, { ...proof, body: JSON.stringify({ token }) }));
    for (const [name, port, path, secret] of listeners)
      await tell(`${name} alone`, send(port, `${path}/${secret.slice(1)}`, { method: 'POST' }));
    await controlPlane.startApiserver();

    // 4. The command, well and badly used.
    const flags = ['--kubeconfig', controlPlane.kubeconfig, '-n', NAMESPACE];
    for (const args of [
      ['explain', 'deployment/web', ...flags],
      ['explain', 'application/nobody', ...flags],
      ['rotate', 'deployment-web', ...flags],
      ['explain', 'deployment/web', '--kubeconfig', join(controlPlane.dir, 'tokens.csv')],
      [
        'serve',
        '--kubeconfig',
        controlPlane.kubeconfig,
        '--set',
        'pki.mode=files',
        `pki.keyFile=${controlPlane.dir}/service-account.key`,
      ],
    ]) {
      answers.set(`krake-hooks ${args[0]} (${answers.size})`, await runCli(...args));
    }

    // 5. What is searched: it holds what it ought to hold, so that nothing is found for another reason than that nothing is there.
    await collect(['deployment-web']);
    const objects = await eventually('all objects', async () => {
      const all = await allObjects(controlPlane);
      return all.has(`Secret ${NAMESPACE}/krake-hooks-deployment-web`) ? all : undefined;
    });
    const shown = await shownBy(services);
    const texts = new Map([...objects, ...shown, ...answers]);
    expect(canaries.every(({ bytes }) => bytes.length >= 24)).toBe(true);
    for (const canary of canaries.filter(
      ({ holders, name }) => holders.length > 0 && !/token of|key .* of krake-hooks-deployment/.test(name),
    )) {
      expect(findCanaries(texts, [{ ...canary, holders: [] }])).not.toEqual([]);
    }
    expect([...shown.keys()].filter((name) => name.startsWith('log of'))).toHaveLength(PARTS.length);
    expect(shown.get('log of callbacks')).toContain('deployment-web');
    expect([...objects.keys()].some((name) => name.startsWith('Event '))).toBe(true);
    expect(findCanaries(texts, canaries)).toEqual([]);
  });

  it('writes no report of itself, which would hold its environment and heap', async () => {
    for (const one of services.values()) {
      const shown =
        (await readFile(`/proc/${one.process.pid}/cmdline`, 'latin1')) +
        (await readFile(`/proc/${one.process.pid}/environ`, 'latin1'));
      expect(shown).not.toMatch(/--report-|--heapsnapshot|--abort-on-uncaught/);
    }
    const root = join(import.meta.dirname, '..', '..');
    const { stdout } = await controlPlane.kubectl(['kustomize', join(root, 'manifests')]);
    for (const text of [await readFile(join(root, 'Dockerfile'), 'utf8'), stdout]) {
      expect(text).not.toMatch(/NODE_OPTIONS|--report-|--heapsnapshot|--inspect/);
    }
  });
});
