import { checkHistory } from '../../history/check-history.ts';
import type { Story } from './story.ts';

const PATIENCE_MS = 30_000;

/** The rules that a story breaks, each once, with the checks of a history that has come to its end. */
export function broken(story: Story, later = 0): string[] {
  const end = { now: story.now() + later, patienceMs: PATIENCE_MS };
  return [...new Set(checkHistory(story.history(), { end }).map(({ rule }) => rule))].sort();
}
