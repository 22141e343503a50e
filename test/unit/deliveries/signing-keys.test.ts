import { describe, expect, it } from '@jest/globals';
import { createSigningKeys } from '../../../src/deliveries/index.ts';
import { KubeUnreachableError, type KubeClient } from '../../../src/kube/index.ts';

const SECRET = Buffer.from(`whsec_${Buffer.alloc(32, 7).toString('base64')}`).toString('base64');
const REFS = [{ name: 'krake-hooks-webhooks', key: 'reports' }];

function start(data: Record<string, string> = { reports: SECRET }) {
  const world = { now: 0, away: false, asked: 0 };
  const client = {
    get: () => {
      world.asked += 1;
      if (world.away) return Promise.reject(new KubeUnreachableError('away'));
      return Promise.resolve({ metadata: {}, data });
    },
  } as unknown as Pick<KubeClient, 'get'>;
  return { world, keys: createSigningKeys(client, () => world.now) };
}

describe('createSigningKeys', () => {
  it('reads a Secret once in half a minute', async () => {
    const { world, keys } = start();
    for (world.now = 0; world.now < 30_000; world.now += 1_000)
      expect(await keys.keysFor('shop', REFS)).toMatchObject({ kind: 'keys', keys: [{ type: 'hmac' }] });
    expect(world.asked).toBe(1);
    await keys.keysFor('shop', REFS);
    expect(world.asked).toBe(2);
  });

  it('forgets what nobody has needed for as long', async () => {
    const { world, keys } = start();
    for (let n = 0; n < 100; n += 1) await keys.keysFor(`ns-${n}`, REFS);
    expect(keys.remembered()).toBe(100);
    world.now = 30_000;
    await keys.keysFor('shop', REFS);
    expect(keys.remembered()).toBe(1);
  });

  it('asks again for what could not be read', async () => {
    const { world, keys } = start();
    world.away = true;
    await expect(keys.keysFor('shop', REFS)).rejects.toThrow(KubeUnreachableError);
    world.away = false;
    expect(await keys.keysFor('shop', REFS)).toMatchObject({ kind: 'keys' });
  });

  it.each([
    ['no such key', { another: SECRET }, 'has no key reports'],
    ['no secret of Standard Webhooks', { reports: Buffer.from('hunter2').toString('base64') }, 'key reports'],
  ])('%s is said without a part of it', async (_what, data, words) => {
    const result = await start(data).keys.keysFor('shop', REFS);
    expect(result).toMatchObject({ kind: 'problem', problem: expect.stringContaining(words) });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});
