import { describe, expect, it } from '@jest/globals';
import { createEventRecorder } from '../../../src/kube/event-recorder.ts';
import type { RecordedEvent } from '../../../src/kube/recorded-event.ts';
import { createRecordingLogger } from './recording-logger.ts';

const eventOf = (index: number): RecordedEvent => ({
  regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: `web-${index}`, uid: `uid-${index}` },
  type: 'Normal',
  reason: 'Reason',
  action: 'Act',
  note: 'it happened',
});

/** An API server that answers when it is told. */
function createScene() {
  const names: string[] = [];
  const answers: (() => void)[] = [];
  let most = 0;
  const logger = createRecordingLogger();
  const recorder = createEventRecorder({
    client: {
      create: <T>(_resource: unknown, _namespace: unknown, body: unknown) => {
        names.push((body as { regarding: { name: string } }).regarding.name);
        return new Promise<T>((resolve) => {
          answers.push(() => resolve({} as T));
          most = Math.max(most, answers.length);
        });
      },
    },
    component: 'krake-hooks-controller',
    instance: 'pod-1',
    logger,
  });
  const answerAll = async (): Promise<void> => {
    while (answers.length > 0) {
      answers.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { recorder, names, answerAll, logger, most: () => most, underWay: () => answers.length };
}

describe('event recorder', () => {
  it('sends a burst a few at a time, in order and all of it', async () => {
    const { recorder, names, answerAll, most, underWay } = createScene();
    for (let i = 0; i < 500; i++) recorder.record(eventOf(i));
    expect(underWay()).toBeGreaterThan(0);
    const flushed = recorder.flush();
    await answerAll();
    await flushed;
    expect(most()).toBeLessThan(10);
    expect(names).toEqual(Array.from({ length: 500 }, (_, i) => `web-${i}`));
  });

  it('sends what comes when the last has just been answered', async () => {
    const { recorder, names, answerAll } = createScene();
    for (let i = 0; i < 20; i++) {
      recorder.record(eventOf(i));
      const answered = answerAll();
      await Promise.resolve();
      recorder.record(eventOf(1_000 + i));
      await answered;
    }
    await answerAll();
    await recorder.flush();
    expect(names).toHaveLength(40);
  });

  it('drops what no API server would ever take, and says so', async () => {
    const { recorder, names, answerAll, logger } = createScene();
    for (let i = 0; i < 6_000; i++) recorder.record(eventOf(i));
    await answerAll();
    await recorder.flush();
    expect(names.length).toBeGreaterThanOrEqual(5_000);
    expect(names.length).toBeLessThan(6_000);
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('dropped') }),
    );
  });
});
