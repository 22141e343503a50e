import type { Application, Conversation, GoingPod, ShutdownStatus } from '../../../src/applications/index.ts';
import type { Asked } from '../../../src/gate/decide-gate.ts';
import type { PodFacts } from '../../../src/gate/pod-facts.ts';
import {
  KubeApiError,
  KubeUnreachableError,
  type KubeClient,
  type KubeObject,
  type ObjectRef,
} from '../../../src/kube/index.ts';
import { createRequire } from 'node:module';
import type { Operation } from 'fast-json-patch';

// CommonJS inside; its named exports are not seen by every loader.
const { applyPatch } = createRequire(import.meta.url)('fast-json-patch') as typeof import('fast-json-patch');

export const RECEIVED = { receivedAt: '2030-01-01T00:00:30Z', provenBy: 'token' } as const;

/** A pod that runs and wants to be asked. */
export function podFacts(more: Partial<PodFacts> = {}): PodFacts {
  return {
    uid: 'uid-a',
    name: 'a',
    resourceVersion: '7',
    createdAtMs: Date.parse('2030-01-01T00:00:00Z'),
    application: 'web',
    asksForShutdown: true,
    isTerminating: false,
    hasEnded: false,
    hasStarted: true,
    ...more,
  };
}

export function asked(more: Partial<PodFacts> = {}, cause: Asked['cause'] = 'deletion'): Asked {
  return { pod: podFacts(more), cause, byEviction: cause === 'eviction' };
}

export function conversation(podUids: readonly string[], more: Partial<Conversation> = {}): Conversation {
  return {
    id: 'c-1',
    scope: 'pods',
    form: 'service',
    reason: 'deletion',
    startedAt: '2030-01-01T00:00:00Z',
    roundStartedAt: '2030-01-01T00:00:00Z',
    deadline: '2030-01-01T00:01:00Z',
    round: 1,
    needed: 1,
    pods: podUids.map((uid) => ({ uid, name: uid })),
    ...more,
  };
}

export interface ApplicationInput {
  readonly spec?: Partial<Application['spec']>;
  readonly conversations?: Conversation[];
  readonly going?: Record<string, GoingPod>;
  readonly status?: Application['status'];
}

export function application(input: ApplicationInput = {}): Application {
  const { conversations = [], going = {}, spec } = input;
  const shutdown: ShutdownStatus = { sequence: conversations.length, going, conversations };
  return {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'Application',
    metadata: { name: 'web', namespace: 'shop', uid: 'uid-web', resourceVersion: '1' },
    spec: {
      workloads: [],
      hooks: ['shutdown'],
      completeAction: 'delete',
      completeWhen: 'any',
      auth: 'token',
      ...spec,
    },
    ...('status' in input
      ? input.status === undefined
        ? {}
        : { status: input.status }
      : { status: { tokenSha256: 'ab'.repeat(32), shutdown } }),
  };
}

/** One pod object as the API server has it. */
export function podObject(more: { metadata?: object; status?: object } = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'a',
      namespace: 'shop',
      uid: 'uid-a',
      resourceVersion: '7',
      creationTimestamp: '2030-01-01T00:00:00Z',
      labels: { 'hooks.krake.dev/application': 'web' },
      annotations: { 'hooks.krake.dev/hooks': 'complete, shutdown' },
      ...more.metadata,
    },
    status: { phase: 'Running', ...more.status },
  } as KubeObject;
}

export type Fault = 'unreachable' | 'hangs' | 'forbidden' | 'conflict' | undefined;

/** A store of one Application and one pod that applies JSON Patch as RFC 6902 has it, with a switch for what goes wrong. */
export interface FakeApi extends Pick<KubeClient, 'get' | 'patch'> {
  application: Application | undefined;
  pod: KubeObject | undefined;
  readonly patches: (readonly unknown[])[];
  reads: number;
  /** What the next calls meet, one for each; when it is empty all goes well. */
  readonly faults: Fault[];
  /** Called before a patch is applied: somebody else writes. */
  meanwhile: (() => void) | undefined;
}

export function createFakeApi(initial: Application | undefined): FakeApi {
  const fail = (ref: ObjectRef): Promise<never> | undefined => {
    switch (api.faults.shift()) {
      case undefined:
        return undefined;
      case 'unreachable':
        return Promise.reject(new KubeUnreachableError(`GET ${ref.name}: connect ECONNREFUSED`));
      case 'forbidden':
        return Promise.reject(new KubeApiError('forbidden', 403, 'Forbidden'));
      case 'conflict':
        return Promise.reject(new KubeApiError('conflict', 409, 'Conflict'));
      case 'hangs':
        return new Promise(() => undefined);
    }
  };
  const api: FakeApi = {
    application: initial,
    pod: podObject(),
    patches: [],
    reads: 0,
    faults: [],
    meanwhile: undefined,
    async get<T extends KubeObject>(ref: ObjectRef) {
      api.reads++;
      await fail(ref);
      const found = ref.resource.plural === 'pods' ? api.pod : api.application;
      return structuredClone(found) as T | undefined;
    },
    async patch<T extends KubeObject>(ref: ObjectRef, { body }: { body: unknown }) {
      await fail(ref);
      api.meanwhile?.();
      api.meanwhile = undefined;
      if (api.application === undefined) throw new KubeApiError('not found', 404, 'NotFound');
      const operations = body as Operation[];
      api.patches.push(operations);
      for (const operation of operations) {
        // Kubernetes takes a test for null as passed where the member is absent.
        if (operation.op === 'test' && operation.value === null) {
          const found = operation.path
            .split('/')
            .slice(1)
            .reduce<unknown>(
              (at, key) => (at as Record<string, unknown> | undefined)?.[key],
              api.application,
            );
          if (found !== undefined) throw new KubeApiError('the test failed', 422, 'Invalid');
          continue;
        }
        try {
          api.application = applyPatch(structuredClone(api.application), [operation], true).newDocument;
        } catch {
          throw new KubeApiError('the server rejected our request', 422, 'Invalid');
        }
      }
      return api.application as unknown as T;
    },
  };
  return api;
}
