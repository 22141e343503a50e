import { describe, expect, it } from '@jest/globals';
import { causeOf } from '../../../src/gate/cause-of.ts';

const account = (name: string, namespace = 'kube-system') => `system:serviceaccount:${namespace}:${name}`;

describe('causeOf', () => {
  it.each([
    ['a person', 'jane@example.com', 'deletion'],
    ['nobody', '', 'deletion'],
    ['the garbage collector', account('generic-garbage-collector'), 'deletion'],
    ['the namespace controller', account('namespace-controller'), 'deletion'],
    ['a controller manager without accounts of its own', 'system:kube-controller-manager', 'deletion'],
    ['our own controller', account('krake-hooks-controller', 'krake-system'), 'deletion'],
    ['the scheduler, preempting', 'system:kube-scheduler', 'eviction'],
    ['the taint controller', account('taint-eviction-controller'), 'eviction'],
    ['the taint controller for devices', account('device-taint-eviction-controller'), 'eviction'],
    ['the node controller', account('node-controller'), 'eviction'],
    ['Deployments', account('deployment-controller'), 'scale-down'],
    ['ReplicaSets', account('replicaset-controller'), 'scale-down'],
    ['ReplicationControllers', account('replication-controller'), 'scale-down'],
    ['StatefulSets', account('statefulset-controller'), 'scale-down'],
    ['DaemonSets', account('daemon-set-controller'), 'scale-down'],
    ['Jobs', account('job-controller'), 'scale-down'],
    ['the pod garbage collector', account('pod-garbage-collector'), 'unstoppable'],
    ['a kubelet', 'system:node:worker-1', 'unstoppable'],
    ['a namesake in another namespace', account('replicaset-controller', 'shop'), 'deletion'],
    ['a namesake of a kubelet', 'system:nodes', 'deletion'],
    ['a property of every object', account('constructor'), 'deletion'],
  ])('%s', (_who, username, cause) => {
    expect(causeOf(username, false)).toBe(cause);
  });

  it.each(['jane@example.com', account('replicaset-controller'), account('pod-garbage-collector')])(
    'an eviction is one, whoever asks: %s',
    (username) => {
      expect(causeOf(username, true)).toBe('eviction');
    },
  );
});
