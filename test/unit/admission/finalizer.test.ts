import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { admit } from './admission-fixtures.ts';

const SHUTDOWN = 'hooks.krake.dev/shutdown';
const HOOKS = 'hooks.krake.dev/hooks';

interface Held {
  readonly metadata: { readonly finalizers?: readonly string[] };
}

const API_VERSIONS = {
  Deployment: 'apps/v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  ReplicaSet: 'apps/v1',
  ReplicationController: 'v1',
  Job: 'batch/v1',
  CronJob: 'batch/v1',
  Pod: 'v1',
} as const;
type Kind = keyof typeof API_VERSIONS;

/** An object of the kind; it asks for the hooks itself or in its pod template. */
function object(
  kind: Kind,
  hooks: string | undefined,
  finalizers: readonly string[] | undefined,
  place = 'own',
) {
  const annotations = hooks === undefined ? {} : { [HOOKS]: hooks };
  const podSpec = { containers: [{ name: 'app', image: 'x' }] };
  const template = { metadata: { annotations: place === 'template' ? annotations : {} }, spec: podSpec };
  const specs = { Pod: podSpec, CronJob: { jobTemplate: { spec: { template } } } };
  return {
    apiVersion: API_VERSIONS[kind],
    kind,
    metadata: {
      name: 'web',
      annotations: place === 'own' ? annotations : {},
      ...(finalizers === undefined ? {} : { finalizers }),
    },
    spec: kind === 'Pod' || kind === 'CronJob' ? specs[kind] : { template },
  };
}

const finalizersOf = (result: unknown): readonly string[] => (result as Held).metadata.finalizers ?? [];
const others = (list: readonly string[]): readonly string[] => list.filter((name) => name !== SHUTDOWN);

const heldKind = fc.constantFrom<Kind>(
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
);
const freeKind = fc.constantFrom<Kind>('CronJob', 'Pod');
const foreign = fc.oneof(
  fc.string(),
  fc.constantFrom('orphan', 'foregroundDeletion', 'hooks.krake.dev/shutdowns', '/', '~1'),
);
const foreigners = fc.option(fc.uniqueArray(foreign, { maxLength: 5 }), { nil: undefined });
const hooks = fc.constantFrom(undefined, 'complete', 'shutdown', 'complete,shutdown', 'shutdwon');
const place = fc.constantFrom('own', 'template');

describe('the shutdown finalizer', () => {
  it('comes behind those of others, once, however often it is asked', () => {
    fc.assert(
      fc.property(heldKind, foreigners, place, (kind, list, aPlace) => {
        const input = object(kind, 'shutdown', list, aPlace);
        const first = admit({ object: input });
        expect(finalizersOf(first.object)).toEqual([...(list ?? []), SHUTDOWN]);
        const again = admit({ object: first.object, uid: 'another' });
        expect(again.decision.outcome).toBe('unchanged');
      }),
    );
  });

  it('goes with the hook, on the object as the API server has it; those of others stay, in their order', () => {
    const list = fc.array(fc.oneof(foreign, fc.constant(SHUTDOWN)), { maxLength: 6 });
    fc.assert(
      fc.property(heldKind, list, fc.constantFrom('complete', undefined, ''), (kind, before, after) => {
        // As it was stamped while it was asked for.
        const stamped = admit({ object: object(kind, 'complete,shutdown', before) }).object;
        const held = stamped as Held & { metadata: { annotations: object }; spec: object };
        const { annotations } = object(kind, after, undefined).metadata;
        const changed = { ...held, metadata: { ...held.metadata, annotations } };
        const result = admit({ object: changed, oldObject: held, operation: 'UPDATE' }).object;
        expect(finalizersOf(result)).toEqual(others(before));
        expect(admit({ object: result, oldObject: result, operation: 'UPDATE' }).decision.outcome).toBe(
          'unchanged',
        );
      }),
    );
  });

  it('never comes to what is not held: Pods, CronJobs, parts of other workloads', () => {
    fc.assert(
      fc.property(freeKind, foreigners, place, (kind, list, aPlace) => {
        const input = object(kind, 'complete,shutdown', list, aPlace);
        expect(finalizersOf(admit({ object: input }).object)).toEqual(list ?? []);
      }),
    );
    for (const kind of ['ReplicaSet', 'Job', 'StatefulSet'] as const) {
      const { metadata, ...rest } = object(kind, 'shutdown', undefined);
      const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: '1', controller: true };
      const part = { ...rest, metadata: { ...metadata, ownerReferences: [owner] } };
      expect(finalizersOf(admit({ object: part }).object)).toEqual([]);
    }
  });

  it('comes to a workload whose owner we do not know, an operator for example', () => {
    const { metadata, ...rest } = object('StatefulSet', 'shutdown', undefined);
    const owner = { apiVersion: 'example.com/v1', kind: 'Database', name: 'db', uid: '1', controller: true };
    const owned = { ...rest, metadata: { ...metadata, ownerReferences: [owner] } };
    expect(finalizersOf(admit({ object: owned }).object)).toEqual([SHUTDOWN]);
  });

  it('is neither put on nor taken from what is being deleted', () => {
    fc.assert(
      fc.property(heldKind, fc.constantFrom([], [SHUTDOWN]), hooks, (kind, list, asked) => {
        const { metadata, ...rest } = object(kind, asked, list);
        const deleted = { ...rest, metadata: { ...metadata, deletionTimestamp: '2026-11-21T08:00:00Z' } };
        const { decision } = admit({ object: deleted, oldObject: deleted, operation: 'UPDATE' });
        expect(decision).toMatchObject({ outcome: 'unchanged', reason: 'being-deleted' });
      }),
    );
  });

  it.each([['x'], [[1]], [{ 0: SHUTDOWN }]])('refuses finalizers that are no list of strings: %j', (list) => {
    const input = object('Deployment', 'shutdown', list as unknown as string[]);
    expect(() => admit({ object: input })).toThrow('finalizers');
  });
});
