import { describe, expect, it } from '@jest/globals';
import { broken } from './broken.ts';
import { asked, at, confirmation, conversation, ended, goodbye, tell, type Story, podForm } from './story.ts';

describe('a history in which something does not hold', () => {
  it.each<[rule: string, name: string, story: () => Story]>([
    [
      'asked-twice',
      'the same attempt comes twice',
      () => {
        const story = asked();
        story.call();
        return goodbye(story);
      },
    ],
    [
      'asked-before-stored',
      'another attempt that nobody knows of',
      () => {
        const story = asked();
        story.call({ attempt: 2 });
        return goodbye(story);
      },
    ],
    [
      'asked-before-stored',
      'asked, then stored',
      () => {
        const story = tell();
        story.application();
        story.pod('a');
        story.call();
        story.conversations(conversation());
        return story;
      },
    ],
    [
      'asked-before-stored',
      'the next round before it was stored',
      () => {
        const story = asked();
        story.call({ round: 2 });
        return story;
      },
    ],
    [
      'asked-before-stored',
      'another pod than the one that was to be asked',
      () => {
        const story = asked();
        story.call({ pod: 'b' });
        return story;
      },
    ],
    [
      'deadline-moved',
      'in the status',
      () => {
        const story = asked();
        story.conversations(conversation({ deadline: at(61) }));
        return story;
      },
    ],
    [
      'deadline-moved',
      'between the status and the call',
      () => {
        const story = tell();
        story.application();
        story.pod('a');
        story.conversations(conversation());
        story.call({ deadline: at(59) });
        return story;
      },
    ],
    [
      'rounds',
      'too early',
      () => {
        const story = asked({}, { shutdown: { retries: 1 } });
        story.conversations(conversation({ round: 2, roundStartedAt: at(5), deadline: at(65) }));
        return story;
      },
    ],
    [
      'rounds',
      'one too many',
      () => {
        const story = asked({}, { shutdown: { retries: 0 } });
        story.wait(60);
        story.conversations(conversation({ round: 2, roundStartedAt: at(60), deadline: at(120) }));
        return story;
      },
    ],
    [
      'too-early',
      'timed out before the deadline',
      () => {
        const story = asked({}, { shutdown: { retries: 0, failure: 'delete' } });
        story.wait(50);
        story.conversations(conversation({ outcome: 'timed-out', endedAt: at(60) }));
        return story;
      },
    ],
    [
      'outcome',
      'timed out with a retry left',
      () => {
        const story = asked({}, { shutdown: { retries: 1, failure: 'delete' } });
        story.wait(60);
        story.conversations(conversation({ outcome: 'timed-out', endedAt: at(60) }));
        return story;
      },
    ],
    [
      'outcome',
      'timed out where a person was to decide',
      () => {
        const story = asked({}, { shutdown: { retries: 0, failure: 'give-up' } });
        story.wait(60);
        story.conversations(conversation({ outcome: 'timed-out', endedAt: at(60) }));
        return story;
      },
    ],
    [
      'outcome',
      'confirmed without a goodbye',
      () => {
        const story = asked();
        story.conversations(conversation(ended(9)));
        return story;
      },
    ],
    [
      'outcome',
      'voluntary without a goodbye',
      () => {
        const story = asked();
        story.conversations(conversation({ outcome: 'voluntary', endedAt: at(9) }));
        return story;
      },
    ],
    [
      'outcome',
      'completed without the signal',
      () => {
        const story = asked();
        story.conversations(conversation({ outcome: 'completed', endedAt: at(9) }));
        return story;
      },
    ],
    [
      'outcome',
      'released by nobody',
      () => {
        const story = asked();
        story.conversations(conversation({ outcome: 'released', endedAt: at(9) }));
        return story;
      },
    ],
    [
      'outcome',
      'nobody left, and somebody is there',
      () => {
        const story = asked();
        story.conversations(conversation({ outcome: 'pods-gone', endedAt: at(9) }));
        return story;
      },
    ],
    [
      'outcome',
      'ended, then open again',
      () => {
        const story = goodbye(asked());
        story.conversations(
          conversation({ id: '2', confirmation: confirmation(), outcome: 'voluntary', endedAt: at(60) }),
        );
        story.conversations(conversation({ id: '2', confirmation: confirmation() }));
        return story;
      },
    ],
    [
      'attempts',
      'an attempt that nobody saw',
      () => {
        const story = asked();
        story.conversations(conversation({ ask: { attempts: 3, attemptedAt: at(9) } }));
        return story;
      },
    ],
    [
      'goodbye-lost',
      'of the service',
      () => {
        const story = asked();
        story.conversations(conversation({ confirmation: confirmation() }));
        story.put();
        story.conversations(conversation());
        return story;
      },
    ],
    [
      'goodbye-lost',
      'of a pod',
      () => {
        const story = tell();
        story.application();
        story.conversations({ ...podForm({ confirmation: confirmation() }), needed: 2 });
        story.conversations({ ...podForm(), needed: 2 });
        return story;
      },
    ],
    [
      'outcome',
      'more goodbyes are needed, and no pod has come',
      () => {
        const story = tell();
        story.application();
        story.conversations({ ...podForm(), needed: 1 });
        story.conversations({ ...podForm(), needed: 2 });
        return story;
      },
    ],
    [
      'one-conversation',
      'lost before its end',
      () => {
        const story = asked();
        story.application({ shutdown: { sequence: 1, going: {}, conversations: [] } });
        return story;
      },
    ],
    [
      'one-conversation',
      'an id comes back',
      () => {
        const story = goodbye(asked());
        story.conversations(conversation({ confirmation: confirmation(), outcome: 'voluntary' }));
        return story;
      },
    ],
    [
      'answered-not-stored',
      '200, and nothing was stored',
      () => {
        const story = asked();
        story.put();
        return story;
      },
    ],
    [
      'answered-not-stored',
      '200 of a voluntary goodbye, and nothing was stored',
      () => {
        const story = tell();
        story.application();
        story.put({ answer: { receivedAt: at(50) } });
        return story;
      },
    ],
    [
      'answered-not-stored',
      '200 for being complete, and only a goodbye was stored',
      () => {
        const story = asked();
        story.conversations(conversation({ confirmation: confirmation() }));
        story.put();
        story.put({ isComplete: true, answer: { receivedAt: at(50) } });
        return story;
      },
    ],
    [
      'goodbye-not-said',
      'a goodbye of one who only said that it is complete',
      () => {
        const story = asked();
        story.application({ signals: { complete: confirmation() } });
        story.put({ isComplete: true, answer: { receivedAt: at(50) } });
        story.put({ status: 0, sentAtMs: 1_000_000 });
        story.conversations(conversation({ confirmation: confirmation() }));
        return story;
      },
    ],
    [
      'goodbye-not-said',
      'a goodbye of one who said nothing',
      () => {
        const story = tell();
        story.application();
        story.pod('a');
        story.put({ pod: 'b', status: 409 });
        story.conversations(podForm({ confirmation: confirmation() }));
        return story;
      },
    ],
  ])('%s: %s', (rule, _name, story) => {
    expect(broken(story())).toContain(rule);
  });
});
