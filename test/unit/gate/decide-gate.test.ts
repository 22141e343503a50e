import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OUTCOMES, type Application } from '../../../src/applications/index.ts';
import { SHUTDOWN_CAUSES, type CompleteAction } from '../../../src/contract/index.ts';
import { decideGate, type Asked } from '../../../src/gate/decide-gate.ts';
import { gateApplicationOf, projectGateApplication } from '../../../src/gate/gate-application.ts';
import { application, asked, conversation, RECEIVED } from './gate-fixtures.ts';

const decide = (what: Asked, of = application()) => decideGate(what, gateApplicationOf(of));
const passes = (reason: string) => ({ outcome: 'passes', reason });
const holds = (cause: string) => ({ outcome: 'holds', cause });
const on = (...causes: ('deletion' | 'eviction' | 'scale-down')[]) =>
  application({
    spec: {
      shutdown: {
        service: 'shutdown',
        timeoutSeconds: 60,
        retries: 0,
        failure: 'delete',
        causes,
        when: 'all',
      },
    },
  });

const LATER = '2030-01-01T00:01:00Z';
const completeApplication = (completeAction: CompleteAction) =>
  application({
    spec: { hooks: ['complete', 'shutdown'], completeAction },
    status: { signals: { complete: RECEIVED } },
  });

describe('decideGate', () => {
  it.each<[string, Asked, string]>([
    ['is being deleted', asked({ isTerminating: true }), 'terminating'],
    ['has ended', asked({ hasEnded: true }), 'ended'],
    ['has not started', asked({ hasStarted: false }), 'not-started'],
    ['does not ask', asked({ asksForShutdown: false }), 'no-hook'],
    ['belongs to no application', asked({ application: undefined }), 'no-hook'],
    ['is cleared away', asked({}, 'unstoppable'), 'unstoppable'],
  ])('a pod passes that %s, whatever its application says', (_what, what, reason) => {
    expect(decide(what)).toEqual(passes(reason));
    expect(decideGate(what, undefined)).toEqual(passes(reason));
  });

  it.each<[string, Application | undefined, string]>([
    ['there is no Application', undefined, 'no-application'],
    ['the hook is off', application({ spec: { hooks: ['complete'] } }), 'hook-off'],
    ['it is complete', completeApplication('delete'), 'complete'],
    ['it was complete before nothing follows from it', completeApplication('none'), 'complete'],
    [
      'its goodbye is there',
      application({ conversations: [conversation(['uid-a'], { confirmation: RECEIVED })] }),
      'free',
    ],
    [
      'the whole application may go',
      application({ conversations: [conversation([], { scope: 'application', outcome: 'timed-out' })] }),
      'free',
    ],
    [
      'enough pods have confirmed',
      application({
        conversations: [
          conversation([], {
            form: 'pod',
            needed: 1,
            pods: [
              { uid: 'uid-a', name: 'a' },
              { uid: 'uid-b', name: 'b', confirmation: RECEIVED },
            ],
          }),
        ],
      }),
      'free',
    ],
  ])('a pod passes when %s', (_what, of, reason) => {
    expect(decideGate(asked(), of && gateApplicationOf(of))).toEqual(passes(reason));
  });

  it.each<[CompleteAction, string, string]>([
    ['none', LATER, 'holds'],
    ['delete', LATER, 'passes'],
    ['scale-to-zero', LATER, 'passes'],
  ])('complete with the action %s, and the pod came %s: it %s', (action, createdAt, outcome) => {
    const late = asked({ createdAtMs: Date.parse(createdAt) });
    expect(decideGate(late, gateApplicationOf(completeApplication(action)))).toMatchObject({ outcome });
  });

  it.each<[string, Application]>([
    ['nobody has asked yet', application()],
    [
      'it was complete before the complete hook was switched off',
      application({ status: { signals: { complete: RECEIVED } } }),
    ],
    ['the Application has no status yet', application({ status: undefined })],
    ['it is being asked', application({ conversations: [conversation(['uid-a'])] })],
    [
      'it was given up',
      application({ conversations: [conversation(['uid-a'], { givenUpAt: '2030-01-01T00:01:00Z' })] }),
    ],
    [
      'its conversation was cancelled',
      application({
        conversations: [conversation(['uid-a'], { outcome: 'cancelled', confirmation: RECEIVED })],
      }),
    ],
    [
      'another pod has said goodbye',
      application({ conversations: [conversation(['uid-b'], { outcome: 'confirmed' })] }),
    ],
    [
      'too few pods have confirmed',
      application({
        conversations: [
          conversation([], {
            form: 'pod',
            needed: 2,
            pods: [
              { uid: 'uid-a', name: 'a', confirmation: RECEIVED },
              { uid: 'uid-b', name: 'b' },
            ],
          }),
        ],
      }),
    ],
    [
      'an unasked goodbye waits for its conversation',
      application({ status: { signals: { shutdown: RECEIVED } } }),
    ],
  ])('a pod is held while %s', (_what, of) => {
    expect(decide(asked(), of)).toEqual(holds('deletion'));
  });

  it.each(SHUTDOWN_CAUSES)('%s: asked before it by what is chosen, and not otherwise', (cause) => {
    const others = SHUTDOWN_CAUSES.filter((other) => other !== cause);
    expect(decide(asked({}, cause), on(cause))).toEqual(holds(cause));
    expect(decide(asked({}, cause), on(...others))).toEqual(passes('cause-not-chosen'));
  });

  it('deletion and eviction are chosen by default', () => {
    expect(SHUTDOWN_CAUSES.map((cause) => decide(asked({}, cause)).outcome)).toEqual([
      'holds',
      'holds',
      'passes',
    ]);
  });

  it('a scale-down does not cut short what the pod is being asked', () => {
    const about = (uid: string) => application({ conversations: [conversation([uid])] });
    expect(decide(asked({}, 'scale-down'), about('uid-a'))).toEqual(holds('scale-down'));
    expect(decide(asked({}, 'scale-down'), about('uid-b'))).toEqual(passes('cause-not-chosen'));
    const all = application({ conversations: [conversation(['uid-b'], { scope: 'application' })] });
    expect(decide(asked({}, 'scale-down'), all)).toEqual(holds('scale-down'));
  });
});

describe('what the cache keeps', () => {
  const confirmation = fc.option(fc.constant(RECEIVED), { nil: undefined });
  const pod = fc.record({ uid: fc.constantFrom('uid-a', 'uid-b', 'uid-c'), confirmation });
  const conversations = fc.array(
    fc
      .record({
        scope: fc.constantFrom('application', 'pods'),
        form: fc.constantFrom('service', 'pod'),
        needed: fc.integer({ min: 1, max: 3 }),
        outcome: fc.option(fc.constantFrom(...OUTCOMES), { nil: undefined }),
        confirmation,
        pods: fc.uniqueArray(pod, { selector: ({ uid }) => uid }),
      })
      .map(({ pods, outcome, confirmation: said, ...rest }) =>
        conversation([], {
          ...rest,
          ...(outcome && { outcome }),
          ...(said && { confirmation: said }),
          pods: pods.map(({ uid, confirmation: own }) => ({
            uid,
            name: uid,
            ...(own && { confirmation: own }),
          })),
        }),
      ),
  );

  it('decides as the Application itself does, and holds nothing of it', () => {
    fc.assert(
      fc.property(conversations, fc.constantFrom(...SHUTDOWN_CAUSES), (of, cause) => {
        const live = application({ conversations: of });
        const kept = projectGateApplication(live);
        expect(decideGate(asked({}, cause), kept)).toEqual(decide(asked({}, cause), live));
        expect(JSON.stringify(kept)).not.toContain('"name"');
      }),
    );
  });
});
