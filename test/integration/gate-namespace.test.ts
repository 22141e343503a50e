import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { callApi } from './call-api.ts';
import { running } from './gate-setting.ts';
import { applyManifests, pointWebhooksAt, startService, type ServiceProcess } from './service.ts';

// The namespace controller deletes pods as one collection and ends at the first that is refused: those behind it would wait with it.

jest.setTimeout(360_000);
const NAMESPACE = 'leaving';
let controlPlane: ControlPlane;
let service: ServiceProcess;
beforeAll(async () => {
  controlPlane = await startControlPlane();
  await applyManifests(controlPlane);
  service = await startService(controlPlane);
  await pointWebhooksAt(controlPlane, service.admissionPort, service.gatePort);
  await service.untilReady(60_000);
  // In one write: an API server whose cache knows the namespace knows the label, too.
  const metadata = { name: NAMESPACE, labels: { 'hooks.krake.dev/enabled': 'true' } };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata };
  await controlPlane.kubectl(['create', '-f', '-'], { input: JSON.stringify(namespace) });
}, 600_000);
afterAll(async () => {
  await service.end('SIGKILL');
  await controlPlane.stop();
});

const pods = async () => {
  const { body } = await callApi(controlPlane, 'GET', `/api/v1/namespaces/${NAMESPACE}/pods`);
  const { items } = body as unknown as { items: { metadata: { name: string } }[] };
  return items.map(({ metadata }) => metadata.name);
};
/** A Pod of its own: no owner whose deletion would bring the garbage collector. Its Application's name. */
const start = async (name: string, timeout: string): Promise<string> => {
  const annotations = {
    'hooks.krake.dev/hooks': 'shutdown',
    'hooks.krake.dev/shutdown-timeout': timeout,
  };
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, annotations },
    spec: { containers: [{ name: 'main', image: 'example.invalid/main' }] },
  };
  await waitFor(`the pod ${name} to be let in`, async () => {
    const input = JSON.stringify(object);
    const { code } = await controlPlane.kubectl(['apply', '-f', '-'], { input, allowFailure: true });
    return code === 0 ? true : undefined;
  });
  const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}/status`;
  await callApi(controlPlane, 'PATCH', path, { status: running });
  const application = `pod-${name}`;
  await waitFor(`the Application ${application} to speak of its pod`, async () => {
    const args = ['-n', NAMESPACE, 'get', 'application', application, '-o', 'jsonpath={.status.phase}'];
    return (await controlPlane.kubectl(args)).stdout === 'Running' ? true : undefined;
  });
  return application;
};

it('an application that keeps silent delays no other one of its namespace', async () => {
  // Nobody says goodbye here: one is waited for for ten minutes, the other for two seconds.
  const silent = await start('a-silent', '10m');
  await start('b-other', '2s');
  await controlPlane.kubectl(['delete', 'namespace', NAMESPACE, '--wait=false']);
  await waitFor('the other pod to go', async () => ((await pods()).includes('b-other') ? undefined : true), {
    // Nobody would let it go before those ten minutes are over.
    timeoutMs: 60_000,
  });
  expect(await pods()).toEqual(['a-silent']);

  const annotate = ['annotate', 'application', silent, 'hooks.krake.dev/request=release'];
  await controlPlane.kubectl(['-n', NAMESPACE, ...annotate]);
  await waitFor(
    'the namespace to go',
    async () => {
      const args = ['get', 'namespace', NAMESPACE];
      return (await controlPlane.kubectl(args, { allowFailure: true })).code === 0 ? undefined : true;
    },
    // Its controller comes again later and later.
    { timeoutMs: 120_000 },
  );
});
