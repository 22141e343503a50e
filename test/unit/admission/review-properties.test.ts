import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Decision } from '../../../src/admission/index.ts';
import { admit, settingsOf } from './admission-fixtures.ts';

const APPLICATION = 'hooks.krake.dev/application';
const HOOKS = 'hooks.krake.dev/hooks';
const AUTH = 'hooks.krake.dev/auth';
/** Default of `injection.fsGroup`. */
const OUR_GROUP = 65_532;
const settings = settingsOf();

interface Named {
  readonly name: string;
}
interface Container extends Named {
  readonly env?: readonly Named[];
  readonly volumeMounts?: readonly (Named & { readonly mountPath: string })[];
}
interface Pod {
  readonly metadata: {
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly spec: {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly Named[];
    readonly securityContext?: Record<string, unknown>;
  };
}

const optional = { requiredKeys: ['name'] as ['name'] };
const unknownFields = fc.dictionary(
  fc.constantFrom('fieldOfTomorrow', 'x', '__proto__', 'constructor'),
  fc.jsonValue({ maxDepth: 2 }),
  {
    noNullPrototype: true,
  },
);
const withUnknown = <T extends object>(known: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc
    .tuple(unknownFields, known)
    .map(([unknown, value]) => Object.assign(JSON.parse(JSON.stringify(unknown)) as object, value));
// The user's own names, now and then one of ours.
const envName = fc.oneof(
  { weight: 30, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.constantFrom('KRAKE_TOKEN', 'KRAKE_COMPLETE_URL', 'KRAKE_TOKEN_FILE') },
);
const mountPath = fc.oneof(
  fc.constantFrom(
    '/data',
    '/etc',
    '/',
    '/etc/krake_cert',
    '/etc/krake_cert/x',
    '/var/run/secrets/hooks.krake.dev',
    '',
  ),
  fc.string(),
);
const securityContext = (numbers: string) =>
  withUnknown(
    fc.dictionary(fc.constantFrom('runAsUser', numbers), fc.constantFrom(0, 1000), { noNullPrototype: true }),
  );
const container = withUnknown(
  fc.record(
    {
      name: fc.string(),
      env: fc.array(withUnknown(fc.record({ name: envName, value: fc.string() })), { maxLength: 4 }),
      volumeMounts: fc.array(withUnknown(fc.record({ name: fc.string(), mountPath })), { maxLength: 2 }),
      securityContext: securityContext('runAsGroup'),
    },
    optional,
  ),
);
const volumeName = fc.oneof(
  { weight: 20, arbitrary: fc.string() },
  { weight: 1, arbitrary: fc.constantFrom('krake-hooks', 'krake-hooks-token') },
);
const volume = fc.record(
  { name: volumeName, emptyDir: fc.constant({}), persistentVolumeClaim: fc.constant({ claimName: 'data' }) },
  optional,
);
const spec = withUnknown(
  fc.record(
    {
      containers: fc.array(container, { maxLength: 4 }),
      initContainers: fc.array(container, { maxLength: 2 }),
      volumes: fc.array(withUnknown(volume), { maxLength: 3 }),
      securityContext: securityContext('fsGroup'),
    },
    { requiredKeys: ['containers'] },
  ),
);
const map = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true });
const auth = fc.constantFrom('token', 'pod-identity');
const metadata = fc
  .tuple(fc.record({ labels: map, annotations: map }, { requiredKeys: [] }), auth)
  .map(([meta, proof]) => ({
    ...meta,
    generateName: 'web-',
    labels: { ...meta.labels, [APPLICATION]: 'deployment-web' },
    annotations: { ...meta.annotations, [HOOKS]: 'complete', [AUTH]: proof },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: '1', controller: true }],
  }));
const pod = fc.record({ apiVersion: fc.constant('v1'), kind: fc.constant('Pod'), metadata, spec });

describe('any pod', () => {
  it('is injected or refused; twice is once; what was there stays, in its order', () => {
    const seen = { patched: 0, denied: 0 };
    fc.assert(
      fc.property(pod, (input) => {
        const before = JSON.stringify(input);
        const { decision, object } = admit({ object: input }, settings);
        expect(JSON.stringify(input)).toBe(before);
        expect(decision.outcome).not.toBe('unchanged');
        seen[decision.outcome as 'patched' | 'denied']++;
        if (decision.outcome !== 'patched') return;

        expect(decision.operations.every(({ op }) => op === 'add')).toBe(true);
        expect(JSON.stringify(withoutOurs(object as Pod, input))).toBe(before);
        expect(admit({ object, uid: 'other' }, settings).decision).toMatchObject({ reason: 'up-to-date' });
      }),
      { numRuns: 500 },
    );
    expect(seen.patched).toBeGreaterThan(100);
    expect(seen.denied).toBeGreaterThan(5);
  });

  it('gets what another webhook adds injected too, and nothing twice', () => {
    fc.assert(
      fc.property(pod, container, (input, added) => {
        const first = admit({ object: input }, settings);
        fc.pre(first.decision.outcome === 'patched');
        const both = { ...(first.object as Pod) };
        const changed = { ...both, spec: { ...both.spec, containers: [added, ...both.spec.containers] } };
        const second = admit({ object: changed, uid: 'other' }, settings);
        if (second.decision.outcome === 'denied') return; // the added one has a conflict of its own
        const containers = (second.object as Pod).spec.containers;
        const isToken = input.metadata.annotations[AUTH] === 'token';
        for (const { env = [] } of containers) {
          const names = env.map(({ name }) => name);
          expect(
            names.filter((name) => name === (isToken ? 'KRAKE_TOKEN' : 'KRAKE_TOKEN_FILE')),
          ).toHaveLength(1);
        }
        const volumes = (second.object as Pod).spec.volumes?.map(({ name }) => name) ?? [];
        for (const name of isToken ? ['krake-hooks'] : ['krake-hooks', 'krake-hooks-token']) {
          expect(volumes.filter((other) => other === name)).toHaveLength(1);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('hostile annotations', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom(
      'complete',
      '${env}',
      '{{ .Values }}',
      "'; rm -rf /",
      '__proto__',
      'complete,'.repeat(500),
      '\u0000',
      '\ud800',
    ),
  );
  const key = fc.oneof(
    fc.constantFrom(
      HOOKS,
      'hooks.krake.dev/containers',
      AUTH,
      'hooks.krake.dev/complete-action',
      'hooks.krake.dev/complete-when',
      'hooks.krake.dev/stamped-from',
    ),
    hostile,
  );
  const annotations = fc
    .array(fc.tuple(key, hostile), { maxLength: 6 })
    .map((entries) => Object.fromEntries(entries));
  const kind = fc.constantFrom('Deployment', 'Job', 'CronJob', 'Pod');

  it('never throw, and nothing of them reaches a path of the patch', () => {
    fc.assert(
      fc.property(kind, annotations, annotations, hostile, (aKind, own, inTemplate, label) => {
        const podSpec = { containers: [{ name: 'app', image: 'x' }] };
        const template = { metadata: { annotations: inTemplate }, spec: podSpec };
        const specs: Record<string, unknown> = {
          Pod: podSpec,
          CronJob: { jobTemplate: { metadata: { annotations: inTemplate }, spec: { template } } },
        };
        const meta = { name: 'x', annotations: own, labels: { [APPLICATION]: label } };
        const object = {
          apiVersion: apiVersionOf(aKind),
          kind: aKind,
          metadata: meta,
          spec: specs[aKind] ?? { template },
        };
        const { decision } = admit({ object }, settings);
        for (const path of pathsOf(decision)) expect(path).toMatch(/^[A-Za-z0-9/.~-]+$/);
      }),
      { numRuns: 500 },
    );
  });
});

function apiVersionOf(kind: string): string {
  return { Deployment: 'apps/v1', Pod: 'v1' }[kind] ?? 'batch/v1';
}

function pathsOf(decision: Decision): readonly string[] {
  return decision.outcome === 'patched' ? decision.operations.map(({ path }) => path) : [];
}

/** The injected pod with exactly what we add taken out again. */
function withoutOurs(injected: Pod, original: Pod): unknown {
  const copy = JSON.parse(JSON.stringify(injected)) as {
    spec: {
      volumes?: Named[] | undefined;
      securityContext?: Record<string, unknown> | undefined;
      readonly containers: Container[];
    };
  };
  const take = (
    list: readonly Named[] | undefined,
    before: readonly Named[] | undefined,
  ): Named[] | undefined => (before === undefined ? undefined : list?.slice(0, before.length));
  copy.spec.volumes = take(copy.spec.volumes, original.spec.volumes);
  const context = copy.spec.securityContext;
  if (context?.fsGroup === OUR_GROUP) {
    copy.spec.securityContext = original.spec.securityContext && { ...context, fsGroup: undefined };
  }
  copy.spec.containers.forEach((injectedContainer, i) => {
    const was = original.spec.containers[i];
    const target = injectedContainer as { env: unknown; volumeMounts: unknown };
    target.env = take(injectedContainer.env, was?.env);
    target.volumeMounts = take(injectedContainer.volumeMounts, was?.volumeMounts);
  });
  return copy;
}
