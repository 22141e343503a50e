import { describe, expect, it } from '@jest/globals';
import type { Application, Conversation, ShutdownStatus } from '../../../src/applications/index.ts';
import { judgeRequest, showsEffect } from '../../../src/cli/judge-request.ts';
import { parsePersonRequest } from '../../../src/contract/index.ts';
import { application, conversation, shutdownOf } from './request-fixtures.ts';

const judge = (text: string, app: Application) => {
  const request = parsePersonRequest(text);
  if (request === undefined) throw new Error(`no request: ${text}`);
  const verdict = judgeRequest(request, app);
  return verdict.sensible ? verdict.next : `NO: ${verdict.why}`;
};
const ALL = ['retry', 'release', 'cancel', 'migrate'];
const confirmed = conversation({ confirmation: { receivedAt: '2026-11-21T08:00:01Z', provenBy: 'token' } });
const quiet = application({ status: { phase: 'Running', shutdown: shutdownOf() } });
const givenUp = conversation({ givenUpAt: '2026-11-21T08:01:00Z' });

describe('judgeRequest', () => {
  it.each(ALL)('%s: not without the shutdown hook', (text) => {
    expect(judge(text, application({ spec: { hooks: ['complete'] } }))).toContain(
      'NO: its shutdown hook is off',
    );
  });

  it.each(ALL)('%s: not before the controller has looked at it', (text) => {
    const { status, ...app } = application();
    expect(status).toBeDefined();
    expect(judge(text, app)).toContain('NO: the controller has not looked at it yet');
  });

  it.each<[string, Application, string]>([
    ['retry', application(), 'it is asked once more at once; the deadline stays 2026-11-21T08:01:00Z'],
    [
      'retry',
      application({ status: { shutdown: shutdownOf(givenUp) } }),
      'it is asked once more to shut down, with a new deadline',
    ],
    ['release', application(), 'pod web-1 may go without a goodbye; what is not saved by now is lost'],
    ['cancel', application(), 'pod web-1 will not be removed'],
    ['migrate', quiet, 'its pods go and come back where the scheduler puts them'],
    ['migrate:disk=ssd,zone=a', quiet, 'its pods go and come back on nodes with disk=ssd, zone=a'],
  ])('%s makes sense: %#', (text, app, next) => {
    expect(judge(text, app)).toContain(next);
  });

  it.each(['retry', 'release', 'cancel'])('%s: not when nothing is held', (text) => {
    expect(judge(text, quiet)).toBe('NO: nothing of it is held (phase Running)');
    const ended = application({ status: { phase: 'ReadyForAction', shutdown: shutdownOf(confirmed) } });
    expect(judge(text, ended)).toBe('NO: nothing of it is held (phase ReadyForAction)');
  });

  it('says that a hold is about to begin', () => {
    const going = { p1: { name: 'web-1', cause: 'eviction', requestedAt: '2026-11-21T08:00:00Z' } } as const;
    const app = application({ status: { shutdown: { ...shutdownOf(), going } } });
    expect(judge('release', app)).toContain('NO: nothing is held yet');
  });

  it.each([
    ['service', 'its 2 held pods may go'],
    ['pod', 'pod web-1 may go'],
  ] as const)('release counts those that wait behind a conversation of the %s form', (form, next) => {
    const going = { p2: { name: 'web-2', cause: 'eviction', requestedAt: '2026-11-21T08:00:00Z' } } as const;
    const held = conversation({ form });
    expect(judge('release', application({ status: { shutdown: { ...shutdownOf(held), going } } }))).toContain(
      next,
    );
  });

  it('cancel: not when all of it is being deleted', () => {
    const app = application({ status: { shutdown: shutdownOf(conversation({ scope: 'application' })) } });
    expect(judge('cancel', app)).toContain(
      'NO: all of it is being deleted, which Kubernetes cannot take back',
    );
  });

  it('cancel: also what has said goodbye and is to be evicted, as long as it has not gone', () => {
    const wanted = { ...confirmed, pods: [{ uid: 'p1', name: 'web-1', cause: 'eviction' as const }] };
    const freed = (change: Partial<Conversation>) =>
      application({ status: { phase: 'Running', shutdown: shutdownOf({ ...wanted, ...change }) } });
    expect(judge('cancel', freed({}))).toBe('pod web-1 will not be removed');
    expect(judge('release', freed({}))).toContain('NO: nothing of it is held');
    expect(judge('cancel', freed({ doneAt: '2026-11-21T08:00:09Z' }))).toContain('NO: nothing of it is held');
    expect(judge('cancel', freed({ outcome: 'completed' }))).toContain('NO: nothing of it is held');
    const [before, same] = [freed({}).status, freed({ outcome: 'confirmed' }).status];
    expect(showsEffect('cancel', before, freed({ outcome: 'cancelled' }).status)).toBe(true);
    expect(showsEffect('cancel', before, { shutdown: shutdownOf() })).toBe(true);
    expect(showsEffect('cancel', before, same)).toBe(false);
  });

  it('migrate: not during a shutdown', () => {
    expect(judge('migrate', application())).toContain('NO: a shutdown is under way already');
  });

  it.each<['Completed' | 'Failed']>([['Completed'], ['Failed']])('migrate: not when %s', (phase) => {
    expect(judge('migrate', application({ status: { phase, shutdown: shutdownOf() } }))).toContain(
      'NO: it has come to its end',
    );
  });

  it.each([
    ['Pod', 'v1', 'migrate', 'NO: Pod web cannot be moved'],
    ['DaemonSet', 'apps/v1', 'migrate', 'NO: DaemonSet web cannot be moved'],
    ['Job', 'batch/v1', 'migrate:disk=ssd', 'NO: the pod template of Job web cannot be changed'],
    ['Job', 'batch/v1', 'migrate', 'it is asked to shut down'],
    ['StatefulSet', 'apps/v1', 'migrate:disk=ssd', 'it is asked to shut down'],
  ] as const)('%s (%s): %s', (kind, apiVersion, text, expected) => {
    const workloads = [{ apiVersion, kind, name: 'web' }];
    const app = application({ spec: { workloads }, status: { phase: 'Running', shutdown: shutdownOf() } });
    expect(judge(text, app)).toContain(expected);
  });
});

describe('judgeRequest, rotate', () => {
  const running = (changes: Parameters<typeof application>[0] = {}) =>
    application({ spec: { hooks: ['complete'] }, status: { tokenSha256: 'a'.repeat(64) }, ...changes });

  it.each<[string, Application, string]>([
    ['rotate', running(), 'void at once and replaced'],
    ['rotate:0s', running(), 'void at once and replaced'],
    ['rotate:90m', running(), 'taken for 90m more'],
    [
      'rotate',
      running({ spec: { auth: 'pod-identity' } }),
      'NO: its pods prove themselves by their identity',
    ],
    ['rotate', running({ status: {} }), 'NO: it has no token'],
  ])('%s: %#', (text, app, next) => {
    expect(judge(text, app)).toContain(next);
  });
});

describe('showsEffect', () => {
  const ask = (attempts: number) => ({ attempts, attemptedAt: '2026-11-21T08:00:00Z' });
  const before = shutdownOf(conversation({ ask: ask(2) }));

  it.each<['retry' | 'release' | 'cancel' | 'migrate', ShutdownStatus | undefined, boolean]>([
    ['retry', before, false],
    ['retry', shutdownOf(conversation({ ask: ask(3) })), true],
    ['retry', shutdownOf(conversation({ round: 2, ask: ask(1) })), true],
    ['retry', shutdownOf(confirmed), true],
    ['release', before, false],
    ['release', shutdownOf(conversation({ outcome: 'released' })), true],
    ['release', shutdownOf(), true],
    ['release', undefined, true],
    ['cancel', before, false],
    ['cancel', shutdownOf(conversation({ ask: ask(3) })), false],
    ['cancel', shutdownOf(conversation({ outcome: 'cancelled' })), true],
    ['migrate', before, false],
    ['migrate', { ...before, sequence: 2 }, true],
  ])('%s: %#', (request, after, expected) => {
    expect(showsEffect(request, { shutdown: before }, after && { shutdown: after })).toBe(expected);
  });

  it('sees that the token is another one', () => {
    const held = (tokenSha256: string) => ({ tokenSha256 });
    expect(showsEffect('rotate', held('a'), held('a'))).toBe(false);
    expect(showsEffect('rotate', held('a'), held('b'))).toBe(true);
    expect(showsEffect('rotate', held('a'), {})).toBe(true);
  });

  it('counts the attempts at pods', () => {
    const pods = (attempts: number) => [{ uid: 'p1', name: 'web-1', ask: ask(attempts) }];
    const asked = (attempts: number) => shutdownOf(conversation({ form: 'pod', pods: pods(attempts) }));
    expect(showsEffect('retry', { shutdown: asked(1) }, { shutdown: asked(1) })).toBe(false);
    expect(showsEffect('retry', { shutdown: asked(1) }, { shutdown: asked(2) })).toBe(true);
  });
});
