import type { FullKubeClient, KubeObject, WatchEvent } from '../../src/kube/index.ts';

/** A real client whose watches of some resources can be made to lag: connected, and silent. */
export interface StalledClient {
  readonly client: FullKubeClient;
  /** From now on these bring nothing. */
  stall(...plurals: readonly string[]): void;
  /** What has happened meanwhile comes. */
  release(): void;
}

export function createStalledClient(real: FullKubeClient): StalledClient {
  let stalled = new Set<string>();
  let wake: () => void = () => undefined;
  let woken: Promise<void> = Promise.resolve();

  async function* held<T extends KubeObject>(
    plural: string,
    events: AsyncIterable<WatchEvent<T>>,
  ): AsyncGenerator<WatchEvent<T>> {
    for await (const event of events) {
      while (stalled.has(plural)) await woken;
      yield event;
    }
  }

  return {
    client: {
      ...real,
      watch: async <T extends KubeObject>(...args: Parameters<FullKubeClient['watch']>) =>
        held(args[0].plural, await real.watch<T>(...args)),
    },
    stall(...plurals) {
      stalled = new Set(plurals);
      woken = new Promise((resolve) => {
        wake = resolve;
      });
    },
    release() {
      stalled = new Set();
      wake();
    },
  };
}
