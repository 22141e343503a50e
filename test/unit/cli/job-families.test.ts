import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keepFamilies } from '../../../src/cli/job-families.ts';
import type { Webhook } from '../../../src/jobs/index.ts';
import { webhookOf } from '../deliveries/delivery-fixtures.ts';
import { createManualClock } from '../kube/manual-clock.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';

const ROUND_MS = 10_000;
let folder: string;
let ended: AbortController;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'krake-hooks-families-'));
  ended = new AbortController();
});
afterEach(async () => {
  ended.abort();
  await rm(folder, { recursive: true });
});

/** The API server as the client of the families sees it. */
async function start(families: string) {
  const file = join(folder, 'families.yaml');
  await writeFile(file, families);
  const stored = new Map<string, Webhook>();
  const calls: string[] = [];
  const client = {
    list: (_resource: unknown, namespace: string, { labelSelector }: { labelSelector: string }) => {
      calls.push(`list ${namespace} ${labelSelector}`);
      return Promise.resolve({ items: [...stored.values()] });
    },
    create: (_resource: unknown, _namespace: unknown, { metadata, spec }: Webhook) => {
      calls.push(`create ${metadata.name}`);
      stored.set(metadata.name, webhookOf(spec, { ...metadata, uid: metadata.name }));
      return Promise.resolve({});
    },
    patch: ({ name }: { name: string }, { body }: { body: { spec: Webhook['spec'] } }) => {
      calls.push(`patch ${name}`);
      stored.set(name, webhookOf(body.spec, stored.get(name)?.metadata));
      return Promise.resolve({});
    },
  };
  const clock = createManualClock();
  const shared = {
    config: { jobs: { familiesFile: file, familiesNamespace: 'shop', anonymousNamespaces: [] } },
    client,
    logger: createRecordingLogger(),
  } as unknown as Parameters<typeof keepFamilies>[0];
  await new Promise<void>((resolve) => void keepFamilies(shared, ended.signal, resolve, clock));
  return { file, stored, clock, callsSince: () => calls.splice(0) };
}

describe('keepFamilies', () => {
  const LIST = 'list shop hooks.krake.dev/job-family=true';
  const NIGHTLY = '[{jobFamily: nightly, url: "http://reports/"}]';

  it('looks at its Webhooks each round, and writes nothing where nothing differs', async () => {
    const { clock, callsSince } = await start(NIGHTLY);
    expect(callsSince()).toEqual([LIST, 'create family-nightly-1']);
    await clock.advance(2 * ROUND_MS);
    expect(callsSince()).toEqual([LIST, LIST]);
  });

  it('puts back what somebody deleted or changed, and follows the file', async () => {
    const { file, stored, clock, callsSince } = await start(NIGHTLY);
    stored.clear();
    callsSince();
    await clock.advance(ROUND_MS);
    expect(callsSince()).toEqual([LIST, 'create family-nightly-1']);
    const made = stored.get('family-nightly-1');
    stored.set('family-nightly-1', webhookOf({ ...made?.spec, url: 'http://mine/' }, made?.metadata));
    await clock.advance(ROUND_MS);
    expect(callsSince()).toEqual([LIST, 'patch family-nightly-1']);
    expect(stored.get('family-nightly-1')).toEqual(made);
    await writeFile(file, NIGHTLY.replace('reports', 'moved'));
    await clock.advance(ROUND_MS);
    expect(callsSince()).toEqual([LIST, 'patch family-nightly-1']);
    expect(stored.get('family-nightly-1')?.spec.url).toBe('http://moved/');
  });
});
