import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  createEventRecorder,
  createKubeClient,
  type EventRecorder,
  type FullKubeClient,
  type KubeObject,
  type Regarding,
} from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { createRecordingLogger, type RecordingLogger } from '../unit/kube/recording-logger.ts';

const CONFIG_MAPS = { apiVersion: 'v1', plural: 'configmaps' } as const;
const EVENTS = { apiVersion: 'events.k8s.io/v1', plural: 'events' } as const;

jest.setTimeout(300_000);
let controlPlane: ControlPlane;
let client: FullKubeClient;
let logger: RecordingLogger;
let recorder: EventRecorder;
let regarding: Regarding;

beforeAll(async () => {
  controlPlane = await startControlPlane();
  client = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'krake-hooks-test/1' });
  logger = createRecordingLogger();
  recorder = createEventRecorder({ client, component: 'krake-hooks-controller', instance: 'pod-0', logger });
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'described' } };
  const { metadata } = await client.create(CONFIG_MAPS, 'default', object);
  regarding = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: 'described',
    namespace: 'default',
    uid: metadata.uid ?? '',
  };
}, 600_000);

afterAll(async () => {
  client.close();
  await controlPlane.stop();
});

describe('event recorder', () => {
  it('writes Events that kubectl describe shows, the same one once', async () => {
    const event = {
      regarding,
      type: 'Normal',
      reason: 'SignalReceived',
      action: 'Complete',
      note: 'it is done',
    } as const;
    for (let i = 0; i < 5; i++) recorder.record(event);
    recorder.record({ ...event, type: 'Warning', reason: 'DeletionFailed', note: `ä${'ö'.repeat(5_000)}` });
    await recorder.flush();
    // A flush waits for five seconds at most.
    const ours = await waitFor('both Events', async () => {
      const { items } = await client.list<KubeObject & { note: string; reason: string }>(EVENTS, 'default');
      const found = items.filter(({ metadata }) => metadata.name?.startsWith('described.'));
      return found.length >= 2 ? found : undefined;
    });
    expect(ours.map(({ reason }) => reason).sort()).toEqual(['DeletionFailed', 'SignalReceived']);

    const { stdout } = await controlPlane.kubectl(['describe', 'configmap', 'described']);
    expect(stdout).toMatch(/Normal +SignalReceived +\S+ +krake-hooks-controller +it is done/);
    expect(stdout).toMatch(/Warning +DeletionFailed/);
  });

  it('takes cluster-scoped objects and the longest names', async () => {
    const namespace = await client.get({
      resource: { apiVersion: 'v1', plural: 'namespaces' },
      name: 'kube-system',
    });
    const uid = namespace?.metadata.uid ?? '';
    const event = { type: 'Normal', reason: 'Seen', action: 'Look', note: 'cluster-scoped' } as const;
    recorder.record({
      ...event,
      regarding: { apiVersion: 'v1', kind: 'Namespace', name: 'kube-system', uid },
    });
    recorder.record({ ...event, regarding: { ...regarding, uid: 'other', name: 'x'.repeat(253) } });
    await recorder.flush();
    await waitFor('both Events', async () => {
      const { items } = await client.list<KubeObject & { note: string }>(EVENTS, 'default');
      return items.filter(({ note }) => note === 'cluster-scoped').length === 2 ? true : undefined;
    });
    expect(logger.lines).toEqual([]);
  });

  it('only logs what cannot be written', async () => {
    recorder.record({
      regarding: { ...regarding, namespace: 'no-such-namespace', uid: 'another' },
      type: 'Normal',
      reason: 'Lost',
      action: 'Lose',
      note: 'nobody will read this',
    });
    await recorder.flush();
    await waitFor('the line', () => (logger.lines.length > 0 ? true : undefined));
    expect(logger.lines.map(({ message }) => message)).toEqual(['an Event could not be written']);
  });
});
