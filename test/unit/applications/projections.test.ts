import { describe, expect, it } from '@jest/globals';
import { DEFAULT_SHUTDOWN } from '../../../src/contract/index.ts';
import { createApplicationIndex } from '../../../src/applications/application-index.ts';
import {
  firstLookMs,
  isSettled,
  summarizeApplication,
} from '../../../src/applications/application-summary.ts';
import type { Application, ApplicationStatus } from '../../../src/applications/application.ts';
import { projectPod } from '../../../src/applications/labelled-pod.ts';
import { projectMember } from '../../../src/applications/member.ts';
import type { KubeObject, ObjectMeta } from '../../../src/kube/index.ts';

const HOOKS = 'hooks.krake.dev/hooks';
const LABEL = 'hooks.krake.dev/application';

function object(metadata: Partial<ObjectMeta>): KubeObject {
  return {
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u1',
      resourceVersion: '7',
      generation: 2,
      annotations: { [HOOKS]: 'complete' },
      ...metadata,
    },
  };
}

const controlledBy = (apiVersion: string, kind: string) => [
  { apiVersion, kind, name: 'owner', uid: 'o1', controller: true },
];

describe('projectMember', () => {
  it('keeps what matters', () => {
    expect(projectMember('Deployment', object({}))).toEqual({
      kind: 'Deployment',
      namespace: 'shop',
      name: 'web',
      uid: 'u1',
      application: 'deployment-web',
      hooks: 'complete',
      containers: undefined,
      completeAction: 'delete',
      completeWhen: 'any',
      auth: 'token',
      shutdown: DEFAULT_SHUTDOWN,
      held: false,
      orphaning: false,
      generation: 2,
      deleting: false,
      claimed: false,
      revision: '',
    });
  });

  it('is the same for an object of which only the status has changed, except for Jobs and Pods, whose end stands there', () => {
    const change = { resourceVersion: '8' };
    expect(projectMember('Deployment', object(change))).toEqual(projectMember('Deployment', object({})));
    expect(projectMember('Job', object(change))).not.toEqual(projectMember('Job', object({})));
    expect(projectMember('Pod', object(change))).not.toEqual(projectMember('Pod', object({})));
  });

  it.each<[string, Partial<ObjectMeta>]>([
    ['no hooks annotation', { annotations: {} }],
    ['a label that is no name', { labels: { [LABEL]: 'No_Name' } }],
    ['a Deployment as its controller', { ownerReferences: controlledBy('apps/v1', 'Deployment') }],
  ])('leaves out a workload with %s', (_what, change) => {
    expect(projectMember('ReplicaSet', object(change))).toBeUndefined();
  });

  it.each<[string, Partial<ObjectMeta>]>([
    ['a CronJob', { ownerReferences: controlledBy('batch/v1', 'CronJob') }],
    ['a kind that we do not know', { ownerReferences: controlledBy('example.com/v1', 'Deployment') }],
  ])('keeps a Job that is controlled by %s', (_what, change) => {
    expect(projectMember('Job', object(change))?.application).toBe('job-web');
  });

  it('follows the label to another application, and knows what it annotated itself', () => {
    const annotations = { [HOOKS]: 'shutdown, complete', 'hooks.krake.dev/stamped-from': 'application' };
    expect(projectMember('Deployment', object({ labels: { [LABEL]: 'shop' }, annotations }))).toMatchObject({
      application: 'shop',
      hooks: 'complete,shutdown',
      claimed: true,
    });
  });
});

describe('projectPod', () => {
  const labels = { [LABEL]: 'deployment-web' };

  it('knows the workload that controls it', () => {
    const pod = projectPod(object({ labels, ownerReferences: controlledBy('apps/v1', 'ReplicaSet') }));
    expect(pod).toMatchObject({ ownerKind: 'ReplicaSet', ownerName: 'owner', self: undefined });
  });

  it('is a workload of its own without an owner that we know', () => {
    expect(projectPod(object({ labels }))?.self).toMatchObject({
      kind: 'Pod',
      application: 'deployment-web',
    });
  });

  it('is of no interest without the label', () => {
    expect(projectPod(object({}))).toBeUndefined();
  });
});

describe('createApplicationIndex', () => {
  it('follows a member that moves to another application, and a namesake', () => {
    const index = createApplicationIndex();
    const first = projectMember('Deployment', object({}));
    const moved = projectMember('Deployment', object({ labels: { [LABEL]: 'shop' } }));
    const namesake = projectMember('Deployment', object({ uid: 'u2' }));
    index.changeMember(undefined, first);
    expect(index.members('shop/deployment-web')).toEqual([first]);
    index.changeMember(first, moved);
    expect(index.members('shop/deployment-web')).toEqual([]);
    expect(index.members('shop/shop')).toEqual([moved]);
    index.changeMember(moved, namesake);
    expect(index.members('shop/deployment-web')).toEqual([namesake]);
    index.changeMember(namesake, undefined);
    expect([...index.keys()]).toEqual([]);
  });

  it('holds pods and bare pods', () => {
    const index = createApplicationIndex();
    const pods = ['p1', 'p2', 'p3'].map((uid) =>
      projectPod(object({ uid, name: uid, labels: { [LABEL]: 'a' } })),
    );
    for (const pod of pods) index.changePod(undefined, pod);
    index.changePod(pods[0], undefined);
    expect(index.pods('shop/a').map(({ uid }) => uid)).toEqual(['p3', 'p2']);
    expect(index.members('shop/a').map(({ uid }) => uid)).toEqual(['p3', 'p2']);
  });
});

describe('isSettled', () => {
  const member = projectMember('Deployment', object({}));
  if (member === undefined) throw new Error('no member');
  const cached = {
    members: [member],
    pods: [],
    namespaceState: 'enabled' as const,
    caBundleSha256: 'c'.repeat(64),
    issuerSha256: undefined,
    issuerNotAfter: undefined,
  };
  const condition = (type: string, reason = 'Test') => ({
    type,
    status: 'True' as const,
    reason,
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  const status: ApplicationStatus = {
    phase: 'Running',
    observedGeneration: 1,
    tokenSha256: 't'.repeat(64),
    caBundleSha256: 'c'.repeat(64),
    workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u1' }],
    conditions: ['SecretReady', 'Stamped', 'PodsInjected'].map((type) => condition(type)),
  };
  const application = (change: Partial<ApplicationStatus>): Application => ({
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'Application',
    metadata: {
      name: 'deployment-web',
      namespace: 'shop',
      uid: 'a1',
      generation: 1,
      labels: { 'app.kubernetes.io/managed-by': 'krake-hooks' },
    },
    spec: {
      workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }],
      hooks: ['complete'],
      completeAction: 'delete',
      completeWhen: 'any',
      auth: 'token',
    },
    status: { ...status, ...change },
  });
  const complete = { receivedAt: '2026-01-01T00:00:00Z', provenBy: 'token' as const };

  it('is true for an application that is in order', () => {
    expect(isSettled(summarizeApplication(application({})), cached)).toBe(true);
    const told = { ...condition('PodsInjected', 'TokenRenewed'), status: 'False' as const };
    const conditions = [condition('SecretReady'), condition('Stamped'), told];
    expect(isSettled(summarizeApplication(application({ conditions })), cached)).toBe(true);
  });

  it.each<[string, Partial<ApplicationStatus>]>([
    ['a signal waits', { signals: { complete } }],
    ['it speaks of another workload', { workloads: [] }],
    ['its Secret has another CA bundle', { caBundleSha256: 'd'.repeat(64) }],
    ['it is not running', { phase: 'Degraded' }],
    ['its spec was changed since', { observedGeneration: 0 }],
    ['its pods are not injected', { conditions: [condition('SecretReady'), condition('Stamped')] }],
  ])('is false when %s', (_what, change) => {
    expect(isSettled(summarizeApplication(application(change)), cached)).toBe(false);
  });

  it.each([
    ['its workload asks for something else', { members: [{ ...member, completeAction: 'none' as const }] }],
    ['its workload is another one', { members: [{ ...member, uid: 'u2' }] }],
    ['its workload is gone', { members: [] }],
    ['its namespace is not opted in', { namespaceState: 'disabled' as const }],
  ])('is false when %s', (_what, change) => {
    expect(isSettled(summarizeApplication(application({})), { ...cached, ...change })).toBe(false);
  });

  const certificate = {
    sha256: 'a'.repeat(64),
    issuerSha256: 'b'.repeat(64),
    notBefore: '2026-01-01T00:00:00Z',
    notAfter: '2026-01-02T00:00:00Z',
  };

  it('is false without a certificate where there should be one; one that is old or of another issuer can wait', () => {
    const withIssuer = { ...cached, issuerSha256: 'c'.repeat(64) };
    expect(isSettled(summarizeApplication(application({})), withIssuer)).toBe(false);
    const certified = summarizeApplication(application({ certificates: [certificate] }));
    expect(isSettled(certified, withIssuer)).toBe(true);
    const end = Date.parse(certificate.notAfter);
    expect(firstLookMs(certified, end - 86_400_000, 600_000)).toBe(600_000);
    expect(firstLookMs(certified, end - 1_000, 600_000)).toBe(500);
    expect(firstLookMs(certified, end + 1_000, 600_000)).toBe(0);
    expect(firstLookMs(summarizeApplication(application({})), end, 600_000)).toBe(600_000);
  });

  it('is true for one that is over and whose Secret is removed', () => {
    const over: Partial<ApplicationStatus> = {
      phase: 'Completed',
      finishedAt: '2026-01-01T00:00:00Z',
      conditions: [{ ...condition('SecretReady', 'Retired'), status: 'False' }, condition('Completed')],
    };
    expect(isSettled(summarizeApplication(application(over)), { ...cached, members: [] })).toBe(true);
  });
});
