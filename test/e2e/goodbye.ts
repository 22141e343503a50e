import { expect } from '@jest/globals';
import type { Scene } from './shutdown-scene.ts';
import type { JournalEntry } from './state-store.ts';

/** Less than the timeouts of the applications, whatever the machine does meanwhile: whoever waits one out is found. */
const AT_ONCE_MS = 30_000;

/** When somebody's request to remove the pod was let through: earliest by the pod's own timestamps, latest as the watch saw it. */
function removalOf(scene: Scene, pod: string): { readonly requestedAt: number; readonly seenAt: number } {
  const seen = scene.pods.find(
    ({ object }) => object.metadata.name === pod && object.metadata.deletionTimestamp !== undefined,
  );
  if (seen === undefined) throw new Error(`${pod} of ${scene.name} was never seen going`);
  const { deletionTimestamp = '', deletionGracePeriodSeconds = 0 } = seen.object.metadata;
  return {
    requestedAt: Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1_000,
    seenAt: seen.seenAt,
  };
}

/**
 * Each of the pods (that are gone) was asked, saved its state before anybody was let through who wanted to remove it and before its containers
 * got SIGTERM, lost nothing, and went at once. @returns its saved entries
 */
export async function expectGoodbyes(
  scene: Scene,
  pods: readonly string[],
  atOnceMs = AT_ONCE_MS,
): Promise<readonly JournalEntry[]> {
  const journal = await scene.journal();
  return pods.map((pod) => {
    const of = journal.filter((entry) => entry.pod === pod);
    const saved = expectSavedBefore(scene, of, pod, atOnceMs);
    expect(of.map(({ event }) => event).filter((event) => event !== 'confirmed')).toEqual([
      'started',
      'asked',
      'saved',
      'terminated',
    ]);
    expect(of.at(-1)?.count).toBe(saved.count);
    return saved;
  });
}

/** Service form with several pods: one of them was asked, once, and saved for all before any of them went. */
export async function expectGoodbyeOfOne(scene: Scene, pods: readonly string[]): Promise<JournalEntry> {
  const journal = await scene.journal();
  expect(journal.filter(({ event }) => event === 'asked')).toHaveLength(1);
  for (const pod of pods) expectSavedBefore(scene, journal, pod, AT_ONCE_MS);
  const saved = journal.find(({ event }) => event === 'saved');
  if (saved === undefined) throw new Error('nothing was saved');
  return saved;
}

function expectSavedBefore(
  scene: Scene,
  journal: readonly JournalEntry[],
  pod: string,
  atOnceMs: number,
): JournalEntry {
  const saved = journal.find(({ event }) => event === 'saved');
  const terminated = journal.find(({ event, pod: of }) => event === 'terminated' && of === pod);
  const told = journal.map(({ at, event, pod: of }) => `${at} ${of} ${event}`).join('\n');
  if (saved === undefined) throw new Error(`${pod} of ${scene.name} lost its state:\n${told}`);
  const savedAt = Date.parse(saved.at);
  const { requestedAt, seenAt } = removalOf(scene, pod);
  // Kubernetes' timestamps are cut to the second.
  expect(requestedAt).toBeGreaterThanOrEqual(Math.floor(savedAt / 1_000) * 1_000);
  expect(seenAt).toBeGreaterThanOrEqual(savedAt);
  if (terminated !== undefined) expect(journal.indexOf(terminated)).toBeGreaterThan(journal.indexOf(saved));
  expect(seenAt - savedAt).toBeLessThan(atOnceMs);
  process.stderr.write(`${scene.name}: ${pod} was let go ${seenAt - savedAt} ms after its state was saved\n`);
  return saved;
}

/** Each call to one of the pods said this of why they are to go. */
export async function expectReason(scene: Scene, pods: readonly string[], reason: string): Promise<void> {
  const asked = (await scene.journal()).filter(({ event, pod }) => event === 'asked' && pods.includes(pod));
  const said = asked.map(({ body = '{}' }) => (JSON.parse(body) as { readonly reason?: string }).reason);
  expect(new Set(said)).toEqual(new Set([reason]));
}

/** Nobody was asked, and the pods are gone. */
export async function expectNobodyAsked(scene: Scene, pods: readonly string[]): Promise<void> {
  const of = (await scene.journal()).filter(({ pod }) => pods.includes(pod));
  expect(of.filter(({ event }) => event === 'asked' || event === 'saved')).toEqual([]);
}
