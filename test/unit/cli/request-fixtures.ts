import type { Application, Conversation, ShutdownStatus } from '../../../src/applications/index.ts';
import type { SendRequestDeps } from '../../../src/cli/send-request.ts';
import { KubeApiError } from '../../../src/kube/index.ts';

const AT = '2026-11-21T08:00:00Z';
export const REQUEST = 'hooks.krake.dev/request';

export function conversation(changes: Partial<Conversation> = {}): Conversation {
  return {
    id: 'c1',
    scope: 'pods',
    form: 'service',
    reason: 'eviction',
    startedAt: AT,
    roundStartedAt: AT,
    deadline: '2026-11-21T08:01:00Z',
    round: 1,
    needed: 1,
    pods: [{ uid: 'p1', name: 'web-1' }],
    ...changes,
  };
}

export function shutdownOf(...conversations: readonly Conversation[]): ShutdownStatus {
  return { sequence: conversations.length, going: {}, conversations: [...conversations] };
}

interface ApplicationChanges {
  readonly name?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly resourceVersion?: string;
  readonly spec?: Partial<Application['spec']>;
  readonly status?: Partial<Application['status']>;
}

export function application(changes: ApplicationChanges = {}): Application {
  const { name = 'deployment-web', annotations, resourceVersion = '1', spec, status } = changes;
  return {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'Application',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      resourceVersion,
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: {
      workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }],
      hooks: ['shutdown'],
      completeAction: 'delete',
      completeWhen: 'any',
      auth: 'token',
      ...spec,
    },
    status: { phase: 'WaitingForCleaning', shutdown: shutdownOf(conversation()), ...status },
  };
}

/** Applications in memory, and a controller that does on each look what the test wants. */
export interface RequestWorld extends SendRequestDeps {
  readonly lines: string[];
  /** Texts that were written into the annotation. */
  readonly written: string[];
  elapsedMs(): number;
}

export interface RequestWorldOptions {
  readonly applications: readonly Application[];
  /** What the API server has after so many looks; default: always the same. */
  readonly after?: (app: Application, looks: number) => Application | undefined;
  /** How many writes end in a conflict first. */
  readonly conflicts?: number;
  readonly events?: readonly string[] | 'forbidden';
  /** Label selectors that some node has. */
  readonly nodes?: readonly string[] | 'forbidden';
}

export function requestWorld({
  applications,
  after,
  conflicts = 0,
  events = [],
  nodes = 'forbidden',
}: RequestWorldOptions): RequestWorld {
  const lines: string[] = [];
  const written: string[] = [];
  const stored = new Map(applications.map((app) => [app.metadata.name, app]));
  let ms = 0;
  let looks = 0;
  let conflictsLeft = conflicts;
  return {
    lines,
    written,
    elapsedMs: () => ms,
    now: () => ms,
    pause: (pauseMs) => {
      ms += pauseMs;
      return Promise.resolve();
    },
    print: (line) => lines.push(line),
    client: {
      get: ({ name }: { readonly name: string }) => {
        const app = stored.get(name);
        looks++;
        const next = app === undefined || after === undefined ? app : after(app, looks);
        if (next === undefined) stored.delete(name);
        else stored.set(name, next);
        return Promise.resolve(next);
      },
      list: (
        resource: { readonly plural: string },
        _namespace: string | undefined,
        { labelSelector = '' }: { readonly labelSelector?: string } = {},
      ) => {
        if (resource.plural === 'nodes') {
          if (nodes === 'forbidden') return Promise.reject(new KubeApiError('no', 403, 'Forbidden'));
          return Promise.resolve({ items: nodes.includes(labelSelector) ? [{}] : [], resourceVersion: '1' });
        }
        if (resource.plural === 'events') {
          if (events === 'forbidden') return Promise.reject(new KubeApiError('no', 403, 'Forbidden'));
          return Promise.resolve({
            items: events.map((message) => ({ message })),
            resourceVersion: '1',
          });
        }
        return Promise.resolve({ items: [...stored.values()], resourceVersion: '1' });
      },
      patch: ({ name }: { readonly name: string }, patch: { readonly body: unknown }) => {
        const app = stored.get(name);
        const { metadata } = patch.body as Application;
        if (app === undefined) return Promise.reject(new KubeApiError('gone', 404, 'NotFound'));
        if (conflictsLeft-- > 0 || metadata.resourceVersion !== app.metadata.resourceVersion) {
          return Promise.reject(new KubeApiError('changed', 409, 'Conflict'));
        }
        written.push(metadata.annotations?.[REQUEST] ?? '');
        const { annotations } = metadata;
        stored.set(name, { ...app, metadata: { ...app.metadata, ...(annotations && { annotations }) } });
        return Promise.resolve(app);
      },
    } as unknown as SendRequestDeps['client'],
  };
}
