import { describe, expect, it } from '@jest/globals';
import { createDeadlines } from '../../../src/applications/shutdown/deadlines.ts';
import { T0 } from './conversation-world.ts';

describe('deadlines', () => {
  const conversation = {
    ...({ id: 'c', round: 1 } as const),
    roundStartedAt: new Date(T0).toISOString(),
    deadline: new Date(T0 + 60_000).toISOString(),
  };
  const about = (c: object) => c as Parameters<ReturnType<typeof createDeadlines>['remainingMs']>[0];

  it.each([
    ['forward', 86_400_000],
    ['back', -86_400_000],
  ])('are measured by a clock that is never set: the wall clock jumps %s', (_title, jumpMs) => {
    let wall = T0 + 10_000;
    let steady = 500;
    const deadlines = createDeadlines(
      () => wall,
      () => steady,
    );
    expect(deadlines.remainingMs(about(conversation))).toBe(50_000);
    wall += jumpMs;
    steady += 20_000;
    expect(deadlines.remainingMs(about(conversation))).toBe(30_000);
  });

  it('are never longer than a whole round, whatever the clock of a new leader says', () => {
    const deadlines = createDeadlines(
      () => T0 - 86_400_000,
      () => 0,
    );
    expect(deadlines.remainingMs(about(conversation))).toBe(60_000);
  });
});
