import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  APPLICATIONS,
  createApplicationController,
  type ApplicationController,
} from '../src/applications/index.ts';
import { configSchema } from '../src/config/index.ts';
import { createKubeClient, createReflector, type FullKubeClient, type Resource } from '../src/kube/index.ts';
import { createLogger } from '../src/observability/index.ts';
import { createClientCertificateIssuer, type ClientCertificateIssuer } from '../src/pki/index.ts';
import { startControlPlane } from '../test/cluster/control-plane.ts';
import { eventually } from '../test/e2e/eventually.ts';
import { applyManifests } from '../test/integration/service.ts';
import { annotatedDeployment, DEPLOYMENTS, inParallel } from './many-deployments.ts';
import { median, percentile, printTable, type Verdict } from './report.ts';

const NAMESPACE = 'bench';
const SECRETS = { apiVersion: 'v1', plural: 'secrets' };
const logger = createLogger({ level: 'error' });

interface Burst {
  readonly seconds: number;
  /** How late a timer of the controller's process is, p99. */
  readonly loopDelayMs: number;
}

/**
 * Many new applications at once: the time until all of their Secrets exist, with certificates and without, in turn. The workloads are there when
 * the controller starts, so that it is measured and not whoever creates them.
 */
export async function benchSecretsAtOnce(quick: boolean): Promise<Verdict[]> {
  const count = quick ? 300 : 1_000;
  const controlPlane = await startControlPlane({
    extraControllerManagerArgs: ['--controllers=serviceaccount-controller,serviceaccount-token-controller'],
  });
  const client = createKubeClient({
    kubeconfigPath: controlPlane.kubeconfig,
    userAgent: 'bench/0',
    requestsPerSecond: 10_000,
  });
  const stop = new AbortController();
  const { clientCertificates, trustDelay } = configSchema.parse({}).pki;
  try {
    await applyManifests(controlPlane);
    const issuer = createClientCertificateIssuer(
      { client, logger },
      { ...clientCertificates, namespace: 'krake-system', trustDelay },
    );
    await issuer.start(stop.signal);
    const bursts: Record<'plain' | 'certified', Burst[]> = { plain: [], certified: [] };
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      for (const kind of ['plain', 'certified'] as const) {
        const namespace = `${NAMESPACE}-${kind}-${round}`;
        bursts[kind].push(
          await measure(client, namespace, count, kind === 'certified' ? issuer : undefined, stop.signal),
        );
      }
    }
    await issuer.stop();
    const seconds = (kind: 'plain' | 'certified') => median(bursts[kind].map((burst) => burst.seconds));
    const delayMs = (kind: 'plain' | 'certified') =>
      Math.max(...bursts[kind].map((burst) => burst.loopDelayMs));
    printTable(
      `${count} new applications at once`,
      ['', 'all Secrets, s', 'a second', 'timers late, p99, ms'],
      (['plain', 'certified'] as const).map((kind) => [
        kind === 'plain' ? 'a token alone' : 'token and certificate',
        seconds(kind),
        count / seconds(kind),
        delayMs(kind),
      ]),
    );
    return [
      {
        what: `${count} applications at once: with certificates, as a multiple of without`,
        measured: seconds('certified') / seconds('plain'),
        target: 1.5,
        better: 'lower',
      },
    ];
  } finally {
    stop.abort();
    client.close();
    await controlPlane.stop();
  }
}

async function measure(
  client: FullKubeClient,
  namespace: string,
  count: number,
  issuer: ClientCertificateIssuer | undefined,
  signal: AbortSignal,
): Promise<Burst> {
  const labels = { 'hooks.krake.dev/enabled': 'true' };
  await client.create({ apiVersion: 'v1', plural: 'namespaces' }, undefined, {
    metadata: { name: namespace, labels },
  });
  await inParallel(count, 16, (i) =>
    client.create(DEPLOYMENTS, namespace, annotatedDeployment(`new-${i}`)).then(() => undefined),
  );
  let there = 0;
  const secrets = createReflector<{ name: string }>({
    client,
    resource: SECRETS,
    namespace,
    metadataOnly: true,
    project: ({ metadata }) => ({ name: metadata.name ?? '' }),
    onChange: (_key, before) => void (there += before === undefined ? 1 : 0),
    logger,
  });
  await secrets.start(signal);
  await eventually('the watch', () => Promise.resolve(secrets.ready() ? true : undefined));
  const delays = watchLoop();
  const controller = createController(client, issuer);
  const startedAt = performance.now();
  await controller.start(signal);
  await eventually('all Secrets', () => Promise.resolve(there >= count ? true : undefined), 300_000);
  const seconds = (performance.now() - startedAt) / 1_000;
  const loopDelayMs = delays.stop();
  // The status that follows each Secret must not disturb the next round.
  await sleep(2_000);
  await controller.stop();
  await secrets.stop();
  // The controller of the next round would bring them in its own order.
  await removeAll(client, DEPLOYMENTS, namespace);
  await removeAll(client, APPLICATIONS, namespace);
  return { seconds, loopDelayMs };
}

async function removeAll(client: FullKubeClient, resource: Resource, namespace: string): Promise<void> {
  const { items } = await client.list(resource, namespace, { metadataOnly: true, timeoutMs: 60_000 });
  await inParallel(items.length, 16, async (i) => {
    const { name = '', uid = '' } = items[i]?.metadata ?? {};
    await client.delete({ resource, namespace, name }, { uid });
  });
}

/** The 99th percentile of how much too late a timer of 5 ms is. */
function watchLoop(): { stop(): number } {
  const delays: number[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    delays.push(now - last - 5);
    last = now;
  }, 5);
  return {
    stop() {
      clearInterval(timer);
      return percentile(delays, 99);
    },
  };
}

function createController(
  client: FullKubeClient,
  issuer: ClientCertificateIssuer | undefined,
): ApplicationController {
  return createApplicationController(
    {
      client,
      logger,
      events: { record: () => undefined },
      trustBundle: {
        pem: () => '-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n',
        onChange: () => () => undefined,
        refresh: () => Promise.resolve(),
      },
      certificates: issuer,
      metrics: {
        action: () => undefined,
        signalToAction: () => undefined,
        conversationEnded: () => undefined,
      },
      now: Date.now,
      randomBytes,
      stampPatch: () => undefined,
      callShutdown: () => Promise.resolve({ accepted: true }),
      confirmUrl: () => 'https://callbacks.test',
    },
    {
      workers: 16,
      resyncIntervalMs: 600_000,
      finishedTtlMs: 3_600_000,
      excludedNamespaces: ['krake-system'],
    },
  );
}
