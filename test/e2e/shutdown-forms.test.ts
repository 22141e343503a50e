import { describe, expect, it } from '@jest/globals';
import { expectGoodbyes, expectNobodyAsked } from './goodbye.ts';
import { onNode } from './on-node.ts';
import { createStage, STORY_TIMEOUT_MS } from './shutdown-scene.ts';
import { servingSecret } from './test-ca.ts';
import { SIGNAL } from './workloads.ts';

onNode('applications of all kinds say goodbye', () => {
  const stage = createStage();

  describe.each([
    [
      'answers before its work, as services of Krake do',
      'before',
      { service: 'shutdown', env: { ANSWERS: 'before', SAVE_MS: '2000' } },
    ],
    ['answers long after its call', 'slow', { service: 'shutdown', env: { SAVE_MS: '8000' } }],
    [
      'a Service, port and path of its own',
      'named',
      { service: 'keeper', annotations: { 'shutdown-service': 'keeper:80/save' } },
    ],
    ['several containers', 'containers', { service: 'shutdown', sidecars: 2 }],
    ['checks who asks', 'verifies', { service: 'shutdown', env: { CHECKS_SIGNATURE: 'yes' } }],
    [
      'checks who asks, pod form',
      'pod-verifies',
      { replicas: 2, env: { CHECKS_SIGNATURE: 'yes' }, annotations: { 'shutdown-service': 'pod:8080' } },
    ],
    [
      'checks who asks, with a pod identity',
      'identity',
      {
        service: 'shutdown',
        env: { CHECKS_SIGNATURE: 'yes' },
        annotations: { auth: 'pod-identity' },
      },
    ],
    [
      'checks who asks, with a pod identity, pod form',
      'pod-identity',
      {
        replicas: 2,
        env: { CHECKS_SIGNATURE: 'yes' },
        annotations: { auth: 'pod-identity', 'shutdown-service': 'pod:8080' },
      },
    ],
  ])('%s', (_, name, app) => {
    it.concurrent(
      'saves its state first and then goes at once',
      async () => {
        const scene = await stage.scene(name);
        const pods = await scene.start(app);
        await scene.kubectl(['delete', 'deployment', 'counter']);
        await scene.untilGone(pods);
        await expectGoodbyes(scene, pods);
        const asked = (await scene.journal()).filter(({ event }) => event === 'asked');
        expect(asked.map(({ signed }) => signed)).toEqual(pods.map(() => true));
        for (const { body = '' } of asked) {
          expect(JSON.parse(body)).toMatchObject({ reason: 'deletion' });
          expect(body).toContain('deployment-counter');
          expect(body).toContain('deadline');
        }
      },
      STORY_TIMEOUT_MS,
    );
  });

  describe.each([
    ['a Service', 'https', 'https://shutdown', 'shutdown.hooks-e2e-https.svc'],
    ['each pod', 'https-pod', 'https://pod:8080', 'deployment-counter.hooks-e2e-https-pod.pod'],
  ])('https, %s', (_, name, service, certifiedName) => {
    it.concurrent(
      'is called only where the certificate is the right one',
      async () => {
        const scene = await stage.scene(name);
        await scene.apply(await servingSecret(scene.cluster, 'counter-tls', ['some.other.name']));
        const annotations = { 'shutdown-service': service };
        const pods = await scene.start({ service: 'shutdown', tls: 'counter-tls', annotations });
        await scene.kubectl(['delete', 'deployment', 'counter', '--wait=false']);
        await scene.untilApplication('deployment-counter', 'refused by us', ({ status }) => {
          const conversation = status?.shutdown?.conversations.at(-1);
          const ask = conversation?.ask ?? conversation?.pods[0]?.ask;
          return ask?.lastError !== undefined && /certificate|name/i.test(ask.lastError);
        });
        expect((await scene.journal()).map(({ event }) => event)).toEqual(['started']);
        await scene.kubectl([
          'annotate',
          'application',
          'deployment-counter',
          'hooks.krake.dev/request=release',
        ]);
        await scene.untilGone(pods);

        await scene.apply(await servingSecret(scene.cluster, 'counter-tls', [certifiedName]));
        const again = await scene.start({ service: 'shutdown', tls: 'counter-tls', annotations });
        await scene.kubectl(['delete', 'deployment', 'counter']);
        await scene.untilGone(again);
        await expectGoodbyes(scene, again);
      },
      STORY_TIMEOUT_MS,
    );
  });

  it.concurrent(
    'is not shut down by somebody who does not know its token',
    async () => {
      const scene = await stage.scene('stranger');
      const [pod = ''] = await scene.start({ service: 'shutdown', env: { CHECKS_SIGNATURE: 'yes' } });
      // A Service that is a second old: a connection begun before its rules are there goes nowhere for good, a new one arrives.
      const call = [
        'curl',
        '-s',
        '--connect-timeout',
        '3',
        '--retry',
        '9',
        '--retry-connrefused',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        '-X',
        'PUT',
        'http://shutdown/shutdown',
      ];
      const { stdout } = await scene.kubectl(['exec', pod, '-c', 'counter', '--', ...call]);
      expect(stdout).toBe('401');
      expect((await scene.journal()).map(({ event }) => event)).toEqual(['started', 'asked']);
    },
    STORY_TIMEOUT_MS,
  );

  describe.each([
    ['any', 1],
    ['2', 2],
  ])('pod form, shutdown-when: %s', (when, needed) => {
    it.concurrent(
      'goes as soon as so many have said goodbye',
      async () => {
        const scene = await stage.scene(`when-${when}`);
        const annotations = {
          'shutdown-service': 'pod:8080',
          'shutdown-when': when,
          'shutdown-timeout': '180s',
        };
        // Each pod saves; only those that are told to by their name confirm: a StatefulSet's are known.
        const pods = await scene.start({
          kind: 'StatefulSet',
          replicas: 3,
          annotations,
          // Long enough that all are asked before the first is done.
          env: {
            SAVE_MS: '10000',
            CONFIRMS: Array.from({ length: needed }, (__, i) => `counter-${i}`).join(','),
          },
        });
        const began = Date.now();
        await scene.kubectl(['delete', 'statefulset', 'counter']);
        await scene.untilGone(pods);
        // Less than their timeout.
        expect(Date.now() - began).toBeLessThan(120_000);
        const journal = await scene.journal();
        expect(journal.filter(({ event }) => event === 'asked')).toHaveLength(3);
        const { status } = await scene.untilApplication('statefulset-counter', 'confirmed', (application) => {
          return application.status?.shutdown?.conversations.at(-1)?.outcome === 'confirmed';
        });
        const confirmed = status?.shutdown?.conversations
          .at(-1)
          ?.pods.filter((pod) => pod.confirmation !== undefined);
        expect(confirmed).toHaveLength(needed);
      },
      STORY_TIMEOUT_MS,
    );
  });

  it.concurrent(
    'a goodbye of its own accord: the next deletion asks nobody',
    async () => {
      const scene = await stage.scene('voluntary');
      const [pod = ''] = await scene.start({ service: 'shutdown' });
      await scene.kubectl(['exec', pod, '--', 'curl', '-s', '-X', 'PUT', 'http://localhost:8080/goodbye']);
      expect((await scene.journal()).at(-1)?.answer).toContain('HTTP 200');
      await scene.kubectl(['delete', 'deployment', 'counter']);
      await scene.untilGone([pod]);
      const events = (await scene.journal()).map(({ event }) => event);
      expect(events).toEqual(['started', 'saved', 'confirmed', 'terminated']);
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'both hooks: complete removes it without a call; during a shutdown it ends that well',
    async () => {
      const scene = await stage.scene('both');
      const hooks = 'complete,shutdown';
      const [first = ''] = await scene.start({ name: 'first', service: 'first', hooks });
      const [second = ''] = await scene.start({
        name: 'second',
        service: 'second',
        hooks,
        env: { CONFIRMS: 'never' },
        annotations: { 'shutdown-service': 'second', 'shutdown-timeout': '60s' },
      });
      await scene.kubectl(['exec', first, '--', 'sh', '-c', SIGNAL]);
      await scene.untilGone([first]);
      await expectNobodyAsked(scene, [first]);

      await scene.kubectl(['delete', 'deployment', 'second', '--wait=false']);
      await scene.untilApplication('deployment-second', 'WaitingForCleaning', ({ status }) => {
        return status?.phase === 'WaitingForCleaning';
      });
      await scene.kubectl(['exec', second, '--', 'sh', '-c', SIGNAL]);
      await scene.untilGone([second]);
      await scene.untilApplication('deployment-second', 'completed', ({ status }) => {
        return status?.shutdown?.conversations.at(-1)?.outcome === 'completed';
      });
    },
    STORY_TIMEOUT_MS,
  );

  it.concurrent(
    'two at once, one of them slow: no waiting for each other',
    async () => {
      const scene = await stage.scene('two');
      const fast = await scene.start({
        name: 'fast',
        service: 'fast',
        annotations: { 'shutdown-service': 'fast' },
      });
      const slow = await scene.start({
        name: 'slow',
        service: 'slow',
        annotations: { 'shutdown-service': 'slow' },
        env: { SAVE_MS: '20000' },
      });
      await scene.kubectl(['delete', 'deployment', 'slow', 'fast'], { timeoutMs: 190_000 });
      await scene.untilGone([...fast, ...slow]);
      await expectGoodbyes(scene, [...fast, ...slow]);
      const saved = (await scene.journal()).filter(({ event }) => event === 'saved');
      expect(saved.map(({ app }) => app)).toEqual(['fast', 'slow']);
    },
    STORY_TIMEOUT_MS,
  );
});
