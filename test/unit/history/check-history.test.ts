import { describe, expect, it } from '@jest/globals';
import { ANNOTATION_REQUEST } from '../../../src/contract/index.ts';
import { checkHistory } from '../../history/check-history.ts';
import { broken } from './broken.ts';
import { asked, at, confirmation, conversation, ended, goodbye, tell } from './story.ts';

describe('a history in which all holds', () => {
  it('a deletion', () => {
    expect(checkHistory(goodbye(asked()).history())).toEqual([]);
    expect(broken(goodbye(asked()))).toEqual([]);
  });

  it('ended and forgotten in one write, once its pods are gone', () => {
    const story = asked();
    story.conversations(conversation({ confirmation: confirmation() }));
    story.put();
    story.gone('a');
    story.application({ shutdown: { sequence: 1, going: {}, conversations: [] } });
    story.gone('web');
    expect(broken(story)).toEqual([]);
  });

  it('complete, said during the conversation', () => {
    const story = asked();
    story.application({ signals: { complete: confirmation() } });
    story.put({ isComplete: true, answer: { receivedAt: at(50) } });
    story.conversations(conversation({ outcome: 'completed', endedAt: at(55) }));
    story.deployment({ finalizers: [] });
    story.gone('web');
    story.gone('a');
    expect(broken(story)).toEqual([]);
  });

  it('another attempt, seen before it was made', () => {
    const story = asked();
    story.conversations(conversation({ ask: { attempts: 2, attemptedAt: at(3) } }));
    story.call({ attempt: 2 });
    story.conversations(
      conversation({ ask: { attempts: 2, attemptedAt: at(3) }, confirmation: confirmation() }),
    );
    story.put();
    expect(checkHistory(story.history())).toEqual([]);
  });

  it('a retry, then a time-out', () => {
    const story = asked({}, { shutdown: { retries: 1, failure: 'delete' } });
    story.wait(60);
    const second = { round: 2, roundStartedAt: at(60), deadline: at(120) };
    story.conversations(conversation(second));
    story.call({ round: 2, deadline: at(120) });
    story.wait(60);
    story.conversations(conversation({ ...second, outcome: 'timed-out', endedAt: at(121) }));
    story.deployment({ finalizers: [] });
    story.gone('a');
    expect(broken(story)).toEqual([]);
  });

  it('given up is held for ever, and retried by a person', () => {
    const story = asked({}, { shutdown: { retries: 0, failure: 'give-up' } });
    story.wait(60);
    story.conversations(conversation({ givenUpAt: at(61) }));
    expect(broken(story, 3_600_000)).toEqual([]);
    story.application({}, { metadata: { annotations: { [ANNOTATION_REQUEST]: 'retry' } } });
    story.conversations(conversation({ round: 2, roundStartedAt: at(100), deadline: at(160) }));
    expect(broken(story)).toEqual([]);
  });

  it.each(['release', 'cancel'])('%s by a person', (request) => {
    const story = asked();
    story.application({}, { metadata: { annotations: { [ANNOTATION_REQUEST]: request } } });
    const outcome = request === 'release' ? 'released' : 'cancelled';
    story.conversations(conversation({ outcome, endedAt: at(9) }));
    expect(broken(story)).toEqual([]);
  });

  it('complete lets all go; what has not started or has ended goes anyway; so does what is exempt', () => {
    const story = asked();
    const spec = { hooks: ['complete', 'shutdown'], completeAction: 'delete' };
    story.application({ signals: { complete: confirmation() } }, { spec });
    story.gone('a');
    story.pod('pending', { phase: 'Pending' });
    story.gone('pending');
    story.pod('done', { phase: 'Succeeded' });
    story.gone('done');
    expect(broken(story)).toEqual([]);
    const scaled = tell();
    scaled.application();
    scaled.pod('a');
    scaled.gone('a');
    expect(checkHistory(scaled.history())).toHaveLength(1);
    expect(checkHistory(scaled.history(), { exempt: new Set(['a']) })).toEqual([]);
  });

  it('pod form: a pod that was refused is removed afterwards', () => {
    const pods = [
      { uid: 'a', name: 'pod-a', cause: 'eviction' as const, ask: { attempts: 1, attemptedAt: at(0) } },
    ];
    const of = { form: 'pod' as const, scope: 'pods' as const };
    const story = tell();
    story.application();
    story.pod('a');
    story.conversations(conversation({ ...of, pods }));
    story.call({ pod: 'a' });
    const said = pods.map((pod) => ({ ...pod, confirmation: confirmation() }));
    story.conversations(conversation({ ...of, pods: said }));
    story.put({ pod: 'a', answer: { receivedAt: at(50), conversation: '1', pod: 'pod-a' } });
    story.conversations(conversation({ ...of, pods: said, ...ended(55) }));
    story.removal('a');
    story.gone('a');
    expect(broken(story)).toEqual([]);
  });
});
