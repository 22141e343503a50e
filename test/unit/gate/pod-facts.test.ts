import { describe, expect, it } from '@jest/globals';
import { readPodFacts } from '../../../src/gate/pod-facts.ts';
import { MalformedObjectError } from '../../../src/review/index.ts';
import { podFacts, podObject } from './gate-fixtures.ts';

const read = (pod: unknown) => readPodFacts(pod, 'oldObject');

describe('readPodFacts', () => {
  it('reads what decides', () => {
    expect(read(podObject())).toEqual(podFacts());
  });

  it.each<[string, object, object]>([
    ['terminating', { deletionTimestamp: '2030-01-01T00:00:00Z' }, { isTerminating: true }],
    ['without labels', { labels: undefined }, { application: undefined }],
    ['without annotations', { annotations: null }, { asksForShutdown: false }],
    [
      'with another hook',
      { annotations: { 'hooks.krake.dev/hooks': 'complete' } },
      { asksForShutdown: false },
    ],
    [
      'with a hook that is none',
      { annotations: { 'hooks.krake.dev/hooks': 'shutdowns' } },
      { asksForShutdown: false },
    ],
  ])('%s', (_what, metadata, expected) => {
    expect(read(podObject({ metadata }))).toEqual(podFacts(expected));
  });

  it.each<[string, object, object]>([
    ['Succeeded', { phase: 'Succeeded' }, { hasEnded: true }],
    ['Failed', { phase: 'Failed' }, { hasEnded: true }],
    ['Unknown', { phase: 'Unknown' }, {}],
    ['Pending', { phase: 'Pending' }, { hasStarted: false }],
    ['without a phase yet', { phase: undefined }, { hasStarted: false }],
    [
      'Pending, its containers wait',
      { phase: 'Pending', containerStatuses: [{ restartCount: 0, state: { waiting: {} } }] },
      { hasStarted: false },
    ],
    [
      'Pending, only init containers have run',
      { phase: 'Pending', initContainerStatuses: [{ state: { terminated: {} } }] },
      { hasStarted: false },
    ],
    [
      'Pending, one container runs',
      { phase: 'Pending', containerStatuses: [{ state: { waiting: {} } }, { state: { running: {} } }] },
      {},
    ],
    [
      'Pending, one has run',
      { phase: 'Pending', containerStatuses: [{ state: { waiting: {} }, lastState: { terminated: {} } }] },
      {},
    ],
    ['Pending, one was restarted', { phase: 'Pending', containerStatuses: [{ restartCount: 1 }] }, {}],
  ])('a pod that is %s', (_what, status, expected) => {
    expect(read(podObject({ status }))).toEqual(podFacts(expected));
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['a text', 'pod'],
    ['no metadata', {}],
    ['no uid', { metadata: { name: 'a' } }],
    ['labels that are a list', { metadata: { name: 'a', uid: 'u', labels: [] } }],
    ['statuses that are no list', { metadata: { name: 'a', uid: 'u' }, status: { containerStatuses: {} } }],
  ])('refuses %s', (_what, pod) => {
    expect(() => read(pod)).toThrow(MalformedObjectError);
  });
});
