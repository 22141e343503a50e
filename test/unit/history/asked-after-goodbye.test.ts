import { describe, expect, it } from '@jest/globals';
import { broken } from './broken.ts';
import { asked, at, confirmation, conversation, ended, podForm, tell, type Story } from './story.ts';

const again = { ask: { attempts: 2, attemptedAt: at(52) } };
const said = { confirmation: confirmation() };

describe('asked-after-goodbye', () => {
  it.each<[name: string, story: () => Story]>([
    [
      'the service is called again, although its goodbye is there',
      () => {
        const story = asked();
        story.conversations(conversation(said));
        story.put();
        story.conversations(conversation({ ...said, ...again }));
        story.call({ attempt: 2 });
        return story;
      },
    ],
    [
      'a pod is called again, although its goodbye is there, and others are awaited',
      () => {
        const story = tell();
        story.application();
        story.pod('a');
        story.conversations({ ...podForm(), needed: 2 });
        story.call({ pod: 'a' });
        story.conversations({ ...podForm(said), needed: 2 });
        story.put({ pod: 'a' });
        story.conversations({ ...podForm({ ...said, ...again }), needed: 2 });
        story.call({ pod: 'a', attempt: 2 });
        return story;
      },
    ],
    [
      'the conversation is over',
      () => {
        const over = { outcome: 'timed-out', endedAt: at(60) } as const;
        const story = asked();
        story.wait(60);
        story.conversations(conversation(over));
        story.conversations(conversation({ ...over, ...again }));
        story.call({ attempt: 2 });
        return story;
      },
    ],
  ])('%s', (_name, story) => {
    expect(broken(story())).toContain('asked-after-goodbye');
  });

  it('not so a call that was under way when the goodbye came, and comes after it', () => {
    const story = asked();
    story.conversations(conversation(again));
    story.put();
    story.conversations(conversation({ ...said, ...again }));
    story.call({ attempt: 2 });
    story.conversations(conversation({ ...said, ...again, ...ended(55) }));
    story.deployment({ finalizers: [] });
    story.gone('web');
    story.gone('a');
    expect(broken(story)).toEqual([]);
  });
});
