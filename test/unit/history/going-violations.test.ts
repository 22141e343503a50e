import { describe, expect, it } from '@jest/globals';
import { ANNOTATION_REQUEST } from '../../../src/contract/index.ts';
import { broken } from './broken.ts';
import {
  asked,
  at,
  confirmation,
  conversation,
  deleting,
  ended,
  goodbye,
  tell,
  type Story,
  podForm,
} from './story.ts';

describe('a history in which something does not hold', () => {
  it.each<[rule: string, name: string, story: () => Story]>([
    [
      'goodbye-first',
      'the pod is gone before the goodbye',
      () => {
        const story = asked();
        story.gone('a');
        return story;
      },
    ],
    [
      'goodbye-first',
      'the pod terminates before the goodbye',
      () => {
        const story = asked();
        story.pod('a', { metadata: deleting });
        return goodbye(story);
      },
    ],
    [
      'goodbye-first',
      'a pod that nobody was asked about',
      () => {
        const story = asked();
        story.conversations(conversation({ scope: 'pods', confirmation: confirmation(), ...ended(55) }));
        story.put();
        story.pod('b');
        story.gone('b');
        return story;
      },
    ],
    [
      'goodbye-first',
      'a pod that came after the complete signal, from which nothing follows',
      () => {
        const spec = { hooks: ['complete', 'shutdown'], completeAction: 'none' };
        const story = tell();
        story.application({ signals: { complete: confirmation(50) } }, { spec });
        story.pod('a', { metadata: { creationTimestamp: at(51) } });
        story.gone('a');
        return story;
      },
    ],
    [
      'goodbye-first',
      'one of two goodbyes',
      () => {
        const story = tell();
        story.application();
        story.pod('a');
        story.conversations({ ...podForm({ confirmation: confirmation() }), needed: 2 });
        story.gone('a');
        return story;
      },
    ],
    [
      'goodbye-first',
      'each pod is asked, and one goes that nobody has asked',
      () => {
        const story = tell();
        story.application();
        story.pod('a');
        story.pod('b');
        story.conversations({ ...podForm({ confirmation: confirmation() }), scope: 'application' });
        story.gone('b');
        return story;
      },
    ],
    [
      'goodbye-first',
      'cancelled, and gone',
      () => {
        const story = asked();
        story.application({}, { metadata: { annotations: { [ANNOTATION_REQUEST]: 'cancel' } } });
        story.conversations(conversation({ outcome: 'cancelled', endedAt: at(9) }));
        story.gone('a');
        return story;
      },
    ],
    [
      'goodbye-first',
      'the workload is let go with its pod',
      () => {
        const story = asked();
        story.deployment({ finalizers: [] });
        return story;
      },
    ],
    [
      'goodbye-first',
      'the workload is gone with its pod',
      () => {
        const story = asked();
        story.gone('web');
        return story;
      },
    ],
    [
      'goodbye-first',
      'the Application went first',
      () => {
        const story = asked();
        story.gone('app');
        story.gone('a');
        return story;
      },
    ],
    [
      'own-removal',
      'without a UID',
      () => {
        const story = goodbye(asked());
        story.removal(undefined, { resource: 'deployments', name: 'web' });
        return story;
      },
    ],
    [
      'own-removal',
      'of a pod that has not said goodbye',
      () => {
        const story = asked();
        story.removal('a');
        return story;
      },
    ],
    [
      'own-removal',
      'of a pod that nobody wanted to go',
      () => {
        const story = asked({ scope: 'pods' });
        story.conversations(conversation({ scope: 'pods', confirmation: confirmation() }));
        story.put();
        story.removal('a');
        return story;
      },
    ],
    [
      'own-removal',
      'of a pod of nobody',
      () => {
        const story = tell();
        story.removal('x');
        return story;
      },
    ],
    [
      'stuck',
      'the deadline has passed long ago',
      () => {
        const story = asked();
        story.wait(200);
        return story;
      },
    ],
    [
      'stuck',
      'the goodbye is there, and nothing follows',
      () => {
        const story = asked();
        story.conversations(conversation({ confirmation: confirmation() }));
        story.put();
        return story;
      },
    ],
    [
      'stuck',
      'ended, and the workload is held on',
      () => {
        const story = asked();
        story.conversations(conversation({ confirmation: confirmation() }));
        story.put();
        story.conversations(conversation({ confirmation: confirmation(), ...ended(55) }));
        story.wait(60);
        return story;
      },
    ],
    [
      'stuck',
      'a pod is to go, and nobody is asked',
      () => {
        const story = tell();
        story.pod('a');
        const going = { a: { name: 'pod-a', cause: 'deletion' as const, requestedAt: at(0) } };
        story.application({ shutdown: { sequence: 0, going, conversations: [] } });
        return story;
      },
    ],
    [
      'stuck',
      'a pod may go, and nobody removes it',
      () => {
        const story = tell();
        story.application();
        story.pod('a');
        story.conversations(podForm({ cause: 'eviction' }));
        story.call({ pod: 'a' });
        story.conversations(podForm({ cause: 'eviction', confirmation: confirmation() }));
        story.put({ pod: 'a', answer: { receivedAt: at(50), conversation: '1', pod: 'pod-a' } });
        return story;
      },
    ],
    [
      'gap',
      'nobody watched for a while',
      () => {
        const story = goodbye(asked());
        story.gap('the watch was broken');
        return story;
      },
    ],
  ])('%s: %s', (rule, _name, story) => {
    expect(broken(story())).toContain(rule);
  });
});
