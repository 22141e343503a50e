import { expect, it } from '@jest/globals';
import type { StepDeps } from '../../../src/applications/perform-step.ts';
import { createConversationCalls } from '../../../src/applications/shutdown/conversation-calls.ts';
import { planShutdown } from '../../../src/applications/shutdown/plan-shutdown.ts';
import { performShutdown } from '../../../src/applications/shutdown/shutdown-steps.ts';
import { createScene, situationOf } from './conversation-world.ts';

const PODS = 500;
const TOKEN = Buffer.alloc(32, 7).toString('base64url');

it('reads the Secret once for all pods that are asked together', async () => {
  const scene = createScene({ service: 'pod:8080' }, PODS);
  scene.workloads = scene.workloads.map((workload) => ({ ...workload, deleting: true }));
  const situation = situationOf(scene);
  const step = planShutdown(situation);
  if (step?.do !== 'ask') throw new Error(`the plan says ${String(step?.do)}`);

  let reads = 0;
  const keys: (string | undefined)[] = [];
  const { promise: allAsked, resolve } = Promise.withResolvers<undefined>();
  const client = {
    replace: (_ref: unknown, object: unknown) => Promise.resolve(object),
    get: () => {
      reads += 1;
      const data = { token: Buffer.from(TOKEN).toString('base64') };
      return Promise.resolve({ metadata: {}, data });
    },
  };
  const deps = {
    client,
    calls: createConversationCalls(() => undefined),
    metrics: { action: () => undefined },
    onOwnWrite: () => undefined,
    confirmUrl: () => 'https://callbacks.test',
    callShutdown: ({ key }: { key: Buffer | undefined }) => {
      if (keys.push(key?.toString('base64url')) === PODS) resolve(undefined);
      return Promise.resolve({ accepted: true });
    },
  } as unknown as StepDeps;
  await performShutdown(situation.view, situation.app, step, deps, new AbortController().signal);
  await allAsked;
  expect(new Set(keys)).toEqual(new Set([TOKEN]));
  expect(reads).toBe(1);
});
