import { describe, expect, it } from '@jest/globals';
import { hasEnded, hasStarted, type PodProgress } from '../../../src/applications/pod-progress.ts';

describe('what a pod’s status tells', () => {
  it.each<[string, PodProgress, { started: boolean; ended: boolean }]>([
    ['nothing yet', {}, { started: false, ended: false }],
    [
      'Pending',
      { phase: 'Pending', containerStatuses: [{ restartCount: 0, state: { waiting: {} } }] },
      { started: false, ended: false },
    ],
    [
      'Pending, and one of two containers runs',
      { phase: 'Pending', containerStatuses: [{ state: { running: {} } }, { state: { waiting: {} } }] },
      { started: true, ended: false },
    ],
    [
      'Pending, and one has run before',
      { phase: 'Pending', containerStatuses: [{ state: null, lastState: { terminated: {} } }] },
      { started: true, ended: false },
    ],
    [
      'Pending, and one was restarted',
      { phase: 'Pending', containerStatuses: [{ restartCount: 2, state: { waiting: {} } }] },
      { started: true, ended: false },
    ],
    ['Running', { phase: 'Running' }, { started: true, ended: false }],
    ['Unknown', { phase: 'Unknown' }, { started: true, ended: false }],
    ['Succeeded', { phase: 'Succeeded' }, { started: true, ended: true }],
    ['Failed', { phase: 'Failed' }, { started: true, ended: true }],
  ])('%s', (_what, status, expected) => {
    expect({ started: hasStarted(status), ended: hasEnded(status) }).toEqual(expected);
  });
});
