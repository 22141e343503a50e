import type { Application } from '../../../src/applications/index.ts';
import { FINALIZER_SHUTDOWN, LABEL_APPLICATION } from '../../../src/contract/index.ts';
import type {
  CallEvent,
  Conversation,
  History,
  HistoryEvent,
  ObjectEvent,
  PutEvent,
  RecordedObject,
} from '../../history/history.ts';

type AppStatus = NonNullable<Application['status']>;

const START_MS = Date.UTC(2030, 0, 1);
export const at = (seconds: number) => new Date(START_MS + seconds * 1_000).toISOString();

/** Tells a history, one event after the other; a second passes with each unless told otherwise. */
export function tell() {
  const events: HistoryEvent[] = [];
  let revision = 100;
  let second = 0;
  const last = new Map<string, RecordedObject>();

  function object(
    type: ObjectEvent['type'],
    given: Omit<RecordedObject, 'metadata'> & { metadata: object },
  ): void {
    revision++;
    const metadata = { ...given.metadata, resourceVersion: String(revision) } as RecordedObject['metadata'];
    const recorded = structuredClone({ ...given, metadata });
    last.set(metadata.uid, recorded);
    events.push({ kind: 'object', atMs: 1_000 * ++second, type, object: recorded });
  }
  const app = 'deployment-web';

  const story = {
    history: (): History => events,
    now: () => START_MS + second * 1_000,
    wait(seconds: number) {
      second += seconds;
    },
    /** The Application, with what is given of its status in place of what it had. */
    application(
      status: Partial<AppStatus> = {},
      more: { readonly spec?: object; readonly metadata?: object } = {},
    ) {
      const before = last.get('app');
      const metadata = { name: app, namespace: 'shop', uid: 'app', ...before?.metadata, ...more.metadata };
      const spec = { hooks: ['shutdown'], ...before?.spec, ...more.spec };
      const merged = {
        workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'web' }],
        ...before?.status,
        ...status,
      };
      object(before === undefined ? 'ADDED' : 'MODIFIED', {
        kind: 'Application',
        metadata,
        spec,
        status: merged,
      });
    },
    conversations(...conversations: readonly Conversation[]) {
      const ids = conversations.map(({ id }) => Number(id));
      const sequence = Math.max(0, ...ids);
      story.application({ shutdown: { sequence, going: {}, conversations: [...conversations] } });
    },
    pod(uid: string, more: { readonly metadata?: object; readonly phase?: string } = {}) {
      const before = last.get(uid);
      const metadata = {
        name: `pod-${uid}`,
        namespace: 'shop',
        uid,
        labels: { [LABEL_APPLICATION]: app },
        ownerReferences: [{ uid: 'web', controller: true }],
        ...before?.metadata,
        ...more.metadata,
      };
      const status = { phase: more.phase ?? 'Running' };
      object(before === undefined ? 'ADDED' : 'MODIFIED', { kind: 'Pod', metadata, status });
    },
    deployment(metadata: object = {}) {
      const before = last.get('web');
      const own = { name: 'web', namespace: 'shop', uid: 'web', finalizers: [FINALIZER_SHUTDOWN] };
      object(before === undefined ? 'ADDED' : 'MODIFIED', {
        kind: 'Deployment',
        metadata: { ...own, ...before?.metadata, ...metadata },
      });
    },
    gone(uid: string) {
      const before = last.get(uid);
      if (before === undefined) throw new Error(`${uid} was never there`);
      object('DELETED', before);
    },
    call(more: Partial<CallEvent> = {}) {
      events.push({
        kind: 'call',
        atMs: 1_000 * ++second,
        namespace: 'shop',
        application: app,
        conversation: '1',
        round: 1,
        attempt: 1,
        deadline: at(60),
        pod: undefined,
        ...more,
      });
    },
    put(more: Partial<PutEvent> = {}) {
      const atMs = 1_000 * ++second;
      const answer = { receivedAt: at(50), conversation: '1' };
      events.push({
        kind: 'put',
        sentAtMs: atMs - 2_500,
        atMs,
        namespace: 'shop',
        application: app,
        pod: undefined,
        status: 200,
        answer,
        ...more,
      });
    },
    removal(uid: string | undefined, more: { readonly resource?: string; readonly name?: string } = {}) {
      events.push({
        kind: 'removal',
        atMs: 1_000 * ++second,
        namespace: 'shop',
        resource: 'pods',
        name: `pod-${uid ?? ''}`,
        uid,
        ...more,
      });
    },
    gap(text: string) {
      events.push({ kind: 'gap', atMs: 1_000 * ++second, text });
    },
  };
  return story;
}
export type Story = ReturnType<typeof tell>;

export const confirmation = (seconds = 50) => ({ receivedAt: at(seconds), provenBy: 'token' }) as const;

export function conversation(more: Partial<Conversation> = {}): Conversation {
  return {
    id: '1',
    scope: 'application',
    form: 'service',
    reason: 'deletion',
    startedAt: at(0),
    roundStartedAt: at(0),
    deadline: at(60),
    round: 1,
    needed: 1,
    ask: { attempts: 1, attemptedAt: at(0) },
    pods: [{ uid: 'a', name: 'pod-a' }],
    ...more,
  };
}

export const ended = (seconds: number) => ({ outcome: 'confirmed', endedAt: at(seconds) }) as const;
export const deleting = { deletionTimestamp: at(0) };

/** A Deployment with one pod is deleted: up to where it is asked. */
export function asked(more: Parameters<typeof conversation>[0] = {}, spec: object = {}): Story {
  const story = tell();
  story.application({}, { spec });
  story.deployment();
  story.pod('a');
  story.deployment(deleting);
  story.conversations(conversation(more));
  story.call();
  return story;
}

/** The rest of it, when all goes well. */
export function goodbye(story: Story): Story {
  story.conversations(conversation({ confirmation: confirmation() }));
  story.put();
  story.conversations(conversation({ confirmation: confirmation(), ...ended(55) }));
  story.deployment({ finalizers: [] });
  story.gone('web');
  story.gone('a');
  story.application({ shutdown: { sequence: 1, going: {}, conversations: [] } });
  return story;
}

/** A conversation with the pod itself. */
export const podForm = (second: object = {}) =>
  conversation({
    form: 'pod',
    scope: 'pods',
    pods: [{ uid: 'a', name: 'pod-a', ask: { attempts: 1, attemptedAt: at(0) }, ...second }],
  });
