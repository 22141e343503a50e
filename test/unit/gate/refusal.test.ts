import { describe, expect, it } from '@jest/globals';
import { explainHold, explainUndecided, type HeldPod } from '../../../src/gate/refusal.ts';
import { application, conversation } from './gate-fixtures.ts';

const explain = (more: Partial<HeldPod> = {}) =>
  explainHold({
    namespace: 'shop',
    podName: 'web-0',
    podUid: 'uid-a',
    application: application(),
    reason: 'stored',
    cause: 'eviction',
    ...more,
  });
const OUT =
  'To let it go at once: krake-hooks release web -n shop, or kubectl annotate applications.hooks.krake.dev web -n shop hooks.krake.dev/request=release';

describe('what a person reads', () => {
  it.each<[string, Partial<HeldPod>, string]>([
    [
      'who is the first to ask',
      {},
      `pod web-0 is kept until the application web has saved its state. It is asked to shut down now; it has 60 seconds to confirm. The pod is removed by itself then; nothing needs to be done. ${OUT}`,
    ],
    [
      'whose application is being asked',
      { application: application({ conversations: [conversation(['uid-a'])] }), reason: 'stored-before' },
      `pod web-0 is kept until the application web has saved its state. It was asked to shut down; its confirmation is awaited until 2030-01-01T00:01:00Z. The pod is removed by itself then; nothing needs to be done. ${OUT}`,
    ],
    [
      'in a further round',
      { application: application({ conversations: [conversation(['uid-a'], { round: 2 })] }) },
      `pod web-0 is kept until the application web has saved its state. It was asked to shut down; its confirmation is awaited until 2030-01-01T00:01:00Z (round 2). The pod is removed by itself then; nothing needs to be done. ${OUT}`,
    ],
    [
      'while the service is asked about another pod',
      { application: application({ conversations: [conversation(['uid-b'])] }) },
      `pod web-0 is kept until the application web has saved its state. It is asked once the goodbye that is awaited until 2030-01-01T00:01:00Z has come; it has 60 seconds to confirm. The pod is removed by itself then; nothing needs to be done. ${OUT}`,
    ],
    [
      'of a pod that came while the whole application was asked',
      { application: application({ conversations: [conversation(['uid-b'], { scope: 'application' })] }) },
      `pod web-0 is kept until the application web has saved its state. It was asked to shut down; its confirmation is awaited until 2030-01-01T00:01:00Z. The pod is removed by itself then; nothing needs to be done. ${OUT}`,
    ],
    [
      'while another pod is asked by itself',
      { application: application({ conversations: [conversation(['uid-b'], { form: 'pod' })] }) },
      `pod web-0 is kept until the application web has saved its state. It is asked to shut down now; it has 60 seconds to confirm. The pod is removed by itself then; nothing needs to be done. ${OUT}`,
    ],
    [
      'after it was given up',
      {
        application: application({
          conversations: [conversation(['uid-a'], { givenUpAt: '2030-01-01T00:01:00Z' })],
        }),
      },
      `pod web-0 is kept until the application web has saved its state. It did not confirm until 2030-01-01T00:01:00Z, so a person has to decide. To ask it again: krake-hooks retry web -n shop. ${OUT}`,
    ],
    [
      'in a dry run',
      { reason: 'dry-run' },
      `pod web-0 would be kept until the application web has saved its state. It would be asked to shut down and have 60 seconds to confirm. This was a dry run: nobody was asked. ${OUT}`,
    ],
    [
      'whose eviction a person has cancelled',
      {
        application: application({ conversations: [conversation(['uid-a'], { outcome: 'cancelled' })] }),
        reason: 'cancelled',
      },
      `pod web-0 is kept: a person has cancelled its removal. Until 2030-01-01T00:01:00Z each eviction of it is refused; deleting it asks the application web anew. ${OUT}`,
    ],
    [
      'when too many wait',
      { reason: 'too-many' },
      `pod web-0 is kept until the application web has saved its state. It is asked to shut down now; it has 60 seconds to confirm. Too many of its pods wait already, so this request is not remembered: ask again later. ${OUT}`,
    ],
  ])('%s', (_who, more, message) => {
    expect(explain(more)).toBe(message);
  });

  it('names nothing secret: not even the hash of the token', () => {
    expect(explain()).not.toContain('abab');
  });

  it('says so when it could not be decided, and what to do', () => {
    expect(explainUndecided('web-0', 'web')).toContain('could not be read from the API server in time');
  });
});
