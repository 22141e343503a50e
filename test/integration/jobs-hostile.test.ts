import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { createKubeClient, type FullKubeClient } from '../../src/kube/index.ts';
import type { ResolveHost } from '../../src/outbound/index.ts';
import { startJobsLeader } from './jobs-leader.ts';
import { answerWith } from './jobs-receiver.ts';
import { useJobsScene } from './jobs-scene.ts';
import { eventually } from './jobs-setting.ts';

// Receivers that do what they should not. None of them holds anybody up, makes the process grow, or gets anywhere.

jest.setTimeout(300_000);
const servers: Server[] = [];
const scene = useJobsScene();
afterAll(() => {
  for (const server of servers) server.close();
});

let n = 0;
async function deliverTo(url: string, spec: object = {}): Promise<() => Promise<Attempts>> {
  n += 1;
  const name = `hostile-${n}`;
  await scene.setting.createWebhook(name, { url, timeoutSeconds: 2, ...spec });
  await scene.setting.createJob(name, { annotations: { 'hooks.krake.dev/on-job-done': name } });
  await scene.setting.finishJob(name);
  return async () => {
    const delivery = (await scene.setting.deliveries()).find(
      ({ spec: { webhook } }) => webhook.name === name,
    );
    return {
      phase: delivery?.status?.phase,
      reason: delivery?.status?.reason,
      last: delivery?.status?.log?.at(-1),
    };
  };
}

interface Attempts {
  readonly phase: string | undefined;
  readonly reason: string | undefined;
  readonly last: { readonly error?: string | undefined; readonly status?: number | undefined } | undefined;
}

/** A server that speaks raw bytes. */
async function raw(
  onConnection: (write: (text: string) => boolean, end: () => void) => void,
): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () =>
      onConnection(
        (text) => socket.write(text),
        () => socket.destroy(),
      ),
    );
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/`;
}

const memory = async () =>
  Number(/^process_resident_memory_bytes (\S+)/m.exec(await scene.replica.metrics())?.[1]);

describe('a receiver that', () => {
  it('answers 200 with a body without end has taken it; nothing of it is kept', async () => {
    // What the first delivery of a process takes by itself is not meant.
    const warm = await deliverTo(scene.receiver.url);
    await eventually('Delivered', async () => (await warm()).phase === 'Delivered');
    const before = await memory();
    let sent = 0;
    const chunk = 'x'.repeat(1 << 20);
    scene.receiver.behave((response) => {
      response.writeHead(200);
      const more = (): void => {
        // A gigabyte, if anybody would read it.
        for (; sent < 1 << 30 && !response.destroyed; sent += chunk.length) {
          if (!response.write(chunk)) {
            response.once('drain', more);
            return;
          }
        }
      };
      more();
    });
    const state = await deliverTo(scene.receiver.url);
    await eventually('Delivered', async () => (await state()).phase === 'Delivered');
    expect(sent).toBeLessThan(64 << 20);
    expect((await memory()) - before).toBeLessThan(64 << 20);
  });

  it('closes half-way through the head, or at once, is tried again', async () => {
    const half = await deliverTo(
      await raw((write, end) => {
        write('HTTP/1.1 200 O');
        end();
      }),
    );
    const none = await deliverTo(await raw((_write, end) => end()));
    for (const state of [half, none]) {
      await eventually('an attempt', async () => (await state()).last?.error !== undefined);
      expect((await state()).phase).toBe('Pending');
    }
  });

  it('speaks no HTTP, or sends a head without end, is tried again', async () => {
    const nonsense = await deliverTo(await raw((write) => write('nonsense\r\n\r\n')));
    const endless = await deliverTo(
      await raw((write) => {
        write('HTTP/1.1 200 OK\r\n');
        for (let i = 0; i < 10_000; i += 1) write(`X-${i}: ${'y'.repeat(100)}\r\n`);
      }),
    );
    for (const state of [nonsense, endless]) {
      await eventually('an attempt', async () => (await state()).last?.error !== undefined);
    }
  });

  it('closes in the middle of its 200 has taken it', async () => {
    const state = await deliverTo(
      await raw((write, end) => {
        write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
        setTimeout(end, 50);
      }),
    );
    await eventually('Delivered', async () => (await state()).phase === 'Delivered');
  });

  it('drips its head byte by byte runs into the time limit', async () => {
    const state = await deliverTo(
      await raw((write) => {
        const timer = setInterval(() => {
          if (!write('H')) clearInterval(timer);
        }, 200).unref();
      }),
      { timeoutSeconds: 1 },
    );
    await eventually('an attempt', async () => (await state()).last?.error !== undefined);
  });

  it('redirects to the metadata service gets nothing further', async () => {
    scene.receiver.behave(
      (response) => void response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
    );
    const state = await deliverTo(scene.receiver.url);
    await eventually('DeadLetter', async () => (await state()).phase === 'DeadLetter');
    expect(await state()).toMatchObject({ reason: 'Refused', last: { status: 302 } });
  });
});

describe('a webhook made with kubectl that leads to', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://[::ffff:a9fe:a9fe]/',
    'http://0.0.0.0:8080/',
    'http://[fe80::1]/',
  ])('%s is refused at the connection and becomes a dead letter', async (url) => {
    const state = await deliverTo(url);
    await eventually('DeadLetter', async () => (await state()).phase === 'DeadLetter');
    expect((await state()).last?.error).toMatch(/address-refused/);
  });

  it('the API server is refused, though loopback is allowed here', async () => {
    // The kubernetes Service of the control plane is known by its address.
    const { stdout } = await scene.setting.controlPlane.kubectl([
      'get',
      'service',
      'kubernetes',
      '-o',
      'jsonpath={.spec.clusterIP}',
    ]);
    const state = await deliverTo(`https://${stdout}/api`);
    await eventually(
      'a refusal',
      async () => (await state()).last?.error?.includes('address-refused') === true,
    );
  });
});

it('nothing of what went on ended the process', async () => {
  expect(await scene.replica.metrics()).toMatch(/krake_hooks_deliveries_ended_total/);
  expect(scene.replica.output()).not.toMatch(/unhandled/);
});

describe('a name that leads elsewhere', () => {
  let client: FullKubeClient;
  beforeAll(async () => {
    await scene.setting.stopReplicas();
    client = createKubeClient({ kubeconfigPath: scene.setting.kubeconfig, userAgent: 'krake-hooks-jobs/0' });
  });
  afterAll(() => client.close());

  it('after the check is not asked for again; at the next attempt it is, and refused', async () => {
    const { port } = new URL(scene.receiver.url);
    let asked = 0;
    const resolveHost: ResolveHost = () => {
      asked += 1;
      // Allowed at the check; whoever asks once more for the connection is led to the metadata service.
      return Promise.resolve({
        kind: 'addresses',
        addresses: [asked === 1 ? '127.0.0.1' : '169.254.169.254'],
      });
    };
    scene.receiver.behave(answerWith(503));
    const leader = await startJobsLeader({ client, resolveHost, maxRefusals: 2 });
    const before = scene.receiver.received.length;
    try {
      const state = await deliverTo(`http://rebind.example:${port}/rebind`);
      await eventually('DeadLetter', async () => (await state()).phase === 'DeadLetter');
      expect(await state()).toMatchObject({
        reason: 'Refused',
        last: { error: expect.stringContaining('address-refused') },
      });
      // One question for each attempt, and the first attempt alone has reached anybody.
      expect([asked, scene.receiver.received.length - before]).toEqual([3, 1]);
    } finally {
      await leader.end();
    }
  });
});
