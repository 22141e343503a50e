import { describe, expect, it } from '@jest/globals';
import { shutdownWakeUp } from '../../../src/applications/shutdown/plan-shutdown.ts';
import { decideGoodbye } from '../../../src/callbacks/decide-goodbye.ts';
import { projectShutdown } from '../../../src/callbacks/project-shutdown.ts';
import {
  answerCalls,
  callsOf,
  confirm,
  conversationsOf,
  createScene,
  look,
  situationOf,
  want,
  type Scene,
} from './conversation-world.ts';

const MINUTE_MS = 60_000;

/** What a goodbye that names nothing comes to now. */
function sayGoodbye(scene: Scene): string {
  const shutdown = projectShutdown({ shutdown: scene.spec }, scene.status);
  const sender = { pod: undefined, conversation: undefined, address: '10.0.0.1' };
  const decision = decideGoodbye({ signals: {}, shutdown }, sender);
  return decision.kind === 'refused' ? decision.reason : decision.kind;
}

/** pod-0 of two was asked, and took the call. */
function asked(change: Parameters<typeof createScene>[0] = {}): Scene {
  const scene = createScene(change, 2);
  want(scene, 'pod-0', 'eviction');
  look(scene);
  answerCalls(scene, { accepted: true });
  look(scene);
  return scene;
}

function request(scene: Scene, text: string): void {
  scene.request = text;
  look(scene);
}

function pass(scene: Scene, ms: number): void {
  scene.now += ms;
  look(scene);
}

describe('a goodbye that comes late', () => {
  it.each<[string, (scene: Scene) => void, string]>([
    ['timed out, and gone', (scene) => pass(scene, MINUTE_MS), 'goodbye-too-late'],
    ['released, and gone', (scene) => request(scene, 'release'), 'goodbye-too-late'],
    ['cancelled, its deadline passed', (scene) => request(scene, 'cancel'), 'shutdown-cancelled'],
  ])('%s: is refused, and nobody goes without a call upon it', (_how, end, answer) => {
    const scene = asked();
    end(scene);
    pass(scene, 2 * MINUTE_MS);
    expect(sayGoodbye(scene)).toBe(answer);
    // The next one is asked as ever, and a goodbye is its own then.
    want(scene, 'pod-1', 'eviction');
    look(scene);
    expect(callsOf(scene).map(({ conversation }) => conversation.pods[0]?.uid)).toEqual(['pod-0', 'pod-1']);
    expect(sayGoodbye(scene)).toBe('confirm');
  });

  it.each<[string, number, number]>([
    ['five minutes at least', 10, 5 * MINUTE_MS],
    ['as long again as the round was', 1_800, 30 * MINUTE_MS],
  ])('is awaited for %s', (_time, timeoutSeconds, lingeringMs) => {
    const scene = asked({ timeoutSeconds });
    pass(scene, 1_000 * timeoutSeconds);
    expect(conversationsOf(scene)).toMatchObject([{ outcome: 'timed-out', doneAt: expect.any(String) }]);
    expect(shutdownWakeUp(situationOf(scene))).toBe(scene.now + lingeringMs);
    pass(scene, lingeringMs - 1);
    expect(sayGoodbye(scene)).toBe('goodbye-too-late');
    pass(scene, 1);
    expect(conversationsOf(scene)).toEqual([]);
    expect(sayGoodbye(scene)).toBe('volunteer');
  });

  it('the condition and the phase say nothing of it any more', () => {
    const scene = asked();
    pass(scene, MINUTE_MS);
    expect(scene.status.phase).toBe('Running');
    expect(scene.status.conditions).toMatchObject([{ type: 'Held', status: 'False', reason: 'NotHeld' }]);
  });

  it('is forgotten of the oldest when there are many, or many pods', () => {
    const scene = createScene({}, 20);
    for (let index = 0; index < 20; index++) {
      want(scene, `pod-${index}`, 'deletion');
      look(scene);
      request(scene, 'release');
    }
    expect(conversationsOf(scene).map(({ id }) => id)).toEqual(
      Array.from({ length: 16 }, (_, index) => `app-${index + 5}`),
    );
    const large = createScene({}, 3_000);
    for (const first of [0, 1_500]) {
      for (let index = first; index < first + 1_500; index++) want(large, `pod-${index}`, 'deletion');
      look(large);
      request(large, 'release');
    }
    expect(conversationsOf(large).map(({ id }) => id)).toEqual(['app-2']);
  });

  it('one that is heard in time is a repeat for a minute, as ever', () => {
    const scene = asked({ timeoutSeconds: 600 });
    confirm(scene);
    look(scene);
    pass(scene, MINUTE_MS - 1);
    expect(sayGoodbye(scene)).toBe('already');
    pass(scene, 1);
    expect(conversationsOf(scene)).toEqual([]);
  });
});
