import { describe, expect, it } from '@jest/globals';
import { createApiServerAddresses } from '../../../src/cli/api-server-addresses.ts';
import type { KubeClient, KubeObject, ObjectRef } from '../../../src/kube/index.ts';
import { createManualClock, settle } from '../kube/manual-clock.ts';
import { createRecordingLogger } from '../kube/recording-logger.ts';

const SERVICE = { metadata: {}, spec: { clusterIPs: ['10.96.0.1', 'fd00::1'] } };
const SLICE = {
  metadata: {},
  endpoints: [{ addresses: ['10.0.0.7'] }, { addresses: ['10.0.0.8'] }],
  ports: [{ port: 6443 }],
};
const ADDRESSES = [
  { address: '10.96.0.1' },
  { address: 'fd00::1' },
  { address: '10.0.0.7', port: 6443 },
  { address: '10.0.0.8', port: 6443 },
];

/** An API server that says what it is told to say, by plural. */
function setting(serverUrl?: string) {
  const answers = new Map<string, KubeObject | Error | undefined>([
    ['services', SERVICE],
    ['endpointslices', SLICE],
  ]);
  const asked: string[] = [];
  const client: Pick<KubeClient, 'get'> = {
    get: <T extends KubeObject>({ resource, namespace, name }: ObjectRef) => {
      asked.push(`${resource.plural} ${namespace}/${name}`);
      const answer = answers.get(resource.plural);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as T | undefined);
    },
  };
  const clock = createManualClock();
  const logger = createRecordingLogger();
  const addresses = createApiServerAddresses(
    { client, logger, monotonic: () => clock.monotonic() },
    serverUrl,
  );
  return { answers, asked, clock, logger, addresses };
}

describe('where the API server listens', () => {
  it('is read from its Service and its EndpointSlice, once a minute', async () => {
    const { addresses, asked, clock, answers } = setting();
    expect(await addresses()).toEqual(ADDRESSES);
    expect(asked).toEqual(['services default/kubernetes', 'endpointslices default/kubernetes']);
    await clock.advance(59_000);
    answers.set('endpointslices', { ...SLICE, endpoints: [] } as KubeObject);
    expect(await addresses()).toEqual(ADDRESSES);
    expect(asked).toHaveLength(2);
    await clock.advance(1_000);
    await addresses();
    await settle();
    expect(await addresses()).toEqual(ADDRESSES.slice(0, 2));
    expect(asked).toHaveLength(4);
  });

  it.each([
    ['https://10.96.0.1:443', '10.96.0.1'],
    ['https://[fd00::1]:443', 'fd00::1'],
  ])('is at least what the container was told: %s', async (url, address) => {
    const { addresses, answers } = setting(url);
    answers.set('services', new Error('forbidden')).set('endpointslices', undefined);
    expect(await addresses()).toEqual([{ address }]);
  });

  it('stays as it was while it cannot be read, told once, and is tried again soon', async () => {
    const { addresses, answers, asked, clock, logger } = setting();
    await addresses();
    answers.set('services', new Error('away')).set('endpointslices', new Error('away'));
    for (let turn = 0; turn < 3; turn++) {
      await clock.advance(60_000);
      await addresses();
      await settle();
      expect(await addresses()).toEqual(ADDRESSES);
    }
    expect(logger.lines).toMatchObject([{ level: 'warn', fields: { error: 'away' } }]);
    const before = asked.length;
    await clock.advance(5_000);
    await addresses();
    expect(asked).toHaveLength(before + 2);
  });

  it('is waited for by all who ask at first', async () => {
    const { addresses, asked } = setting();
    expect(await Promise.all([addresses(), addresses(), addresses()])).toEqual([
      ADDRESSES,
      ADDRESSES,
      ADDRESSES,
    ]);
    expect(asked).toHaveLength(2);
  });
});
