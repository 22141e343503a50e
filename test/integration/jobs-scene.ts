import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { WebhookDelivery } from '../../src/jobs/index.ts';
import { ok, startReceiver, type Received, type Receiver } from './jobs-receiver.ts';
import {
  CALM_LEASE,
  eventually,
  startJobsSetting,
  type JobsReplica,
  type JobsSetting,
} from './jobs-setting.ts';

/** One API server, one replica, one receiver for a test file; after each test the receiver answers 200 again and all objects are gone. */
export interface JobsScene {
  readonly setting: JobsSetting;
  readonly receiver: Receiver;
  readonly replica: JobsReplica;
  /** What the receiver got at a path. */
  readonly at: (path: string) => readonly Received[];
  /** Waits for so many at a path. */
  readonly came: (path: string, count?: number) => Promise<void>;
  /** The CloudEvent of the nth request at a path. */
  readonly event: (
    path: string,
    n?: number,
  ) => {
    readonly type: string;
    readonly subject: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
  /** Waits for a delivery of which the check holds. */
  readonly deliveryThat: (
    what: string,
    check: (delivery: WebhookDelivery) => boolean,
  ) => Promise<WebhookDelivery>;
}

/** Registers the hooks of the file. The scene can be looked into from `beforeAll` on. */
export function useJobsScene(settings: Readonly<Record<string, string>> = {}): JobsScene {
  let started: { setting: JobsSetting; receiver: Receiver; replica: JobsReplica } | undefined;
  const now = () => {
    if (started === undefined) throw new Error('the scene is set in beforeAll');
    return started;
  };
  beforeAll(async () => {
    const [setting, receiver] = await Promise.all([startJobsSetting(), startReceiver()]);
    started = { setting, receiver, replica: await setting.replica({ ...CALM_LEASE, ...settings }) };
  }, 600_000);
  afterAll(async () => {
    await started?.setting.stop();
    await started?.receiver.stop();
  });
  afterEach(async () => {
    now().receiver.behave(ok);
    await now().setting.clean();
  });

  const at = (path: string) => now().receiver.received.filter((request) => request.path === path);
  return {
    get setting() {
      return now().setting;
    },
    get receiver() {
      return now().receiver;
    },
    get replica() {
      return now().replica;
    },
    at,
    came: (path, count = 1) => eventually(`${count} at ${path}`, () => at(path).length >= count),
    event: (path, n = 0) => JSON.parse(at(path)[n]?.body ?? '{}') as ReturnType<JobsScene['event']>,
    deliveryThat: async (what, check) => {
      let found: WebhookDelivery | undefined;
      await eventually(what, async () => {
        found = (await now().setting.deliveries()).find(check);
        return found !== undefined;
      });
      if (found === undefined) throw new Error('not found');
      return found;
    },
  };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
