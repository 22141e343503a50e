import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { untilEstablished } from '../cluster/until-established.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { conversation, podPath, shutdown, startGateSetting, type GateSetting } from './gate-setting.ts';

jest.setTimeout(300_000);
let setting: GateSetting;
let namespace: string;
beforeAll(async () => {
  setting = await startGateSetting();
}, 600_000);
afterAll(() => setting.stop());
beforeEach(async () => {
  namespace = await setting.namespace();
  await setting.application(namespace, 'web');
});

const remove = (name: string, ...flags: string[]) =>
  setting.kubectl('-n', namespace, 'delete', 'pod', name, '--wait=false', ...flags);
const going = async () => (await setting.get(namespace, 'web')).status?.shutdown?.going;
const confirmed = { confirmation: { receivedAt: '2026-01-01T00:00:30Z', provenBy: 'token' } };
/** The gate passes from its cache; what a test has just written has to be there first. */
const untilGone = (name: string) =>
  waitFor(`the pod ${name} to be let go`, async () => {
    await remove(name);
    return (await setting.exists(namespace, name)) ? undefined : true;
  });

describe('a pod that has something to save', () => {
  it('is not deleted, the caller learns why and how to go on, and its removal is remembered', async () => {
    const uid = await setting.pod(namespace, 'a');
    const { status, headers, body } = await setting.call('DELETE', podPath(namespace, 'a'));
    expect({ status, reason: body.reason, retryAfter: headers['retry-after'] }).toEqual({
      status: 409,
      reason: 'Conflict',
      retryAfter: undefined,
    });
    expect(body.message).toContain('pod a is kept until the application web has saved its state');
    expect(body.message).toContain('it has 60 seconds to confirm');
    expect(body.message).toContain(`krake-hooks release web -n ${namespace}`);
    expect(body.message).toContain(
      `kubectl annotate applications.hooks.krake.dev web -n ${namespace} hooks.krake.dev/request=release`,
    );
    expect(await going()).toEqual({
      [uid]: { name: 'a', cause: 'deletion', requestedAt: expect.any(String) },
    });
    expect(await setting.exists(namespace, 'a')).toBe(true);
  });

  it('is told a command that works as it stands, also beside Argo CD, which has applications too', async () => {
    const names = { plural: 'applications', singular: 'application', kind: 'Application' };
    const schema = { openAPIV3Schema: { type: 'object' } };
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'applications.argoproj.io' },
      spec: {
        group: 'argoproj.io',
        scope: 'Namespaced',
        names,
        versions: [{ name: 'v1alpha1', served: true, storage: true, schema }],
      },
    };
    await setting.controlPlane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(crd) });
    try {
      await untilEstablished(setting.controlPlane, crd.metadata.name);
      await waitFor('kubectl to take the short name for the other', async () => {
        await setting.kubectl('api-resources'); // asks anew which kinds there are
        const { stderr } = await setting.kubectl('-n', namespace, 'get', 'application', 'web');
        return stderr.includes('applications.argoproj.io "web" not found') ? true : undefined;
      });
      await setting.pod(namespace, 'a');
      const { stderr } = await remove('a');
      const [, command = ''] = /or kubectl (annotate \S+ \S+ -n \S+ \S+=release)/.exec(stderr) ?? [];
      expect(await setting.kubectl(...command.split(' '))).toMatchObject({ code: 0 });
      const { metadata } = await setting.get(namespace, 'web');
      expect(metadata.annotations).toMatchObject({ 'hooks.krake.dev/request': 'release' });
    } finally {
      await setting.controlPlane.kubectl(['delete', 'crd', crd.metadata.name]);
    }
  });

  it('is written down once, however often it is asked for', async () => {
    await setting.pod(namespace, 'a');
    await remove('a');
    const before = await setting.get(namespace, 'web');
    for (let i = 0; i < 3; i++) expect((await remove('a')).code).toBe(1);
    expect(await setting.get(namespace, 'web')).toEqual(before);
  });

  it.each([
    ['a phase only', { phase: 'Running' }],
    [
      'another pod',
      {
        shutdown: {
          sequence: 3,
          going: { x: { name: 'x', cause: 'eviction', requestedAt: '2026-01-01T00:00:00Z' } },
          conversations: [],
        },
      },
    ],
  ])('is stored beside what is there: %s', async (_what, status) => {
    await setting.setStatus(namespace, 'web', status);
    const uid = await setting.pod(namespace, 'a');
    expect((await remove('a')).code).toBe(1);
    const found = (await setting.get(namespace, 'web')).status;
    expect(found).toMatchObject(status);
    expect(Object.keys(found?.shutdown?.going ?? {})).toContain(uid);
  });

  it('is held with --force --grace-period=0 too', async () => {
    await setting.pod(namespace, 'a');
    const { code, stderr } = await remove('a', '--force', '--grace-period=0');
    expect(code).toBe(1);
    expect(stderr).toContain('pod a is kept until');
    expect(await setting.exists(namespace, 'a')).toBe(true);
  });

  it('is told until when it is awaited while it is asked, and is not written down again with a cause', async () => {
    const uid = await setting.pod(namespace, 'a');
    const asked = { pods: [{ uid, name: 'a', cause: 'deletion' }] };
    await setting.setStatus(namespace, 'web', shutdown(conversation([uid], asked)));
    const { stderr } = await remove('a');
    expect(stderr).toContain('its confirmation is awaited until 2026-01-01T00:01:00Z');
    expect(await going()).toEqual({});
  });

  it('goes once its goodbye is stored, and others stay', async () => {
    const uid = await setting.pod(namespace, 'a');
    await setting.pod(namespace, 'b');
    expect((await remove('a')).code).toBe(1);
    await setting.setStatus(namespace, 'web', shutdown(conversation([uid], confirmed)));
    // Before it refuses, the gate reads live: the very next request passes, however late its cache is.
    expect((await remove('a')).code).toBe(0);
    expect((await remove('b')).code).toBe(1);
  });

  it.each(['voluntary', 'released', 'timed-out', 'completed'])(
    'goes once its conversation ended: %s',
    async (outcome) => {
      const uid = await setting.pod(namespace, 'a');
      const ended = { outcome, endedAt: '2026-01-01T00:01:00Z' };
      await setting.setStatus(namespace, 'web', shutdown(conversation([uid], ended)));
      expect((await remove('a')).code).toBe(0);
    },
  );

  it('stays when its conversation was cancelled, and asks anew', async () => {
    const uid = await setting.pod(namespace, 'a');
    const ended = { outcome: 'cancelled', endedAt: '2026-01-01T00:00:30Z' };
    await setting.setStatus(namespace, 'web', shutdown(conversation([uid], ended)));
    expect((await remove('a')).code).toBe(1);
    expect(Object.keys((await going()) ?? {})).toEqual([uid]);
  });

  it.each([
    ['delete', -60_000, 0],
    ['none', 60_000, 0],
    ['none', -60_000, 1],
  ])(
    'complete with the action %s, said %d ms after the pod came: exit code %d',
    async (completeAction, afterMs, code) => {
      const spec = { hooks: ['complete', 'shutdown'], completeAction };
      await setting.application(namespace, 'done', spec);
      await setting.pod(namespace, 'a', { application: 'done' });
      const complete = { provenBy: 'token', receivedAt: new Date(Date.now() + afterMs).toISOString() };
      await setting.setStatus(namespace, 'done', { signals: { complete } });
      expect((await remove('a')).code).toBe(code);
    },
  );

  it('stays and stores nothing in a dry run', async () => {
    await setting.pod(namespace, 'a');
    const { code, stderr } = await remove('a', '--dry-run=server');
    expect(code).toBe(1);
    expect(stderr).toContain('This was a dry run');
    expect(await going()).toBeUndefined();
  });

  it('of a kubectl delete of many, each is remembered, with few writes', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `p${i}`);
    await Promise.all(names.map((name) => setting.pod(namespace, name)));
    const before = await setting.writes();
    // It stands still while they come: how far apart they would reach it is up to the machine.
    const { process: gate } = setting.gate();
    gate.kill('SIGSTOP');
    const deletions = names.map((name) => setting.call('DELETE', podPath(namespace, name)));
    await sleep(2_000);
    gate.kill('SIGCONT');
    const answers = await Promise.all(deletions);
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 409));
    const stored = Object.values((await going()) ?? {}).map(({ name }) => name);
    expect(stored.sort()).toEqual([...names].sort());
    expect((await setting.writes()) - before).toBeLessThan(names.length / 2);
  });

  it('is refused and not stored when too many wait already', async () => {
    const entry = { name: 'x', cause: 'deletion', requestedAt: '2026-01-01T00:00:00Z' };
    const full = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`uid-${i}`, entry]));
    await setting.setStatus(namespace, 'web', { shutdown: { sequence: 0, going: full, conversations: [] } });
    const uid = await setting.pod(namespace, 'a');
    const { code, stderr } = await remove('a');
    expect(code).toBe(1);
    expect(stderr).toContain('Too many of its pods wait already');
    expect((await going())?.[uid]).toBeUndefined();
  });
});

describe('what has nothing to save passes', () => {
  it('a pod that is terminating: the last delete of its kubelet, or a forced one', async () => {
    await setting.call('POST', '/api/v1/nodes', { metadata: { name: `node-${namespace}` } });
    const uid = await setting.pod(namespace, 'a', { node: `node-${namespace}` });
    await setting.setStatus(namespace, 'web', shutdown(conversation([uid], confirmed)));
    expect((await remove('a')).code).toBe(0);
    expect(await setting.exists(namespace, 'a')).toBe(true);
    await setting.setStatus(namespace, 'web', { shutdown: null });
    expect((await remove('a', '--force', '--grace-period=0')).code).toBe(0);
    expect(await setting.exists(namespace, 'a')).toBe(false);
  });

  it.each(['Pending', 'Succeeded', 'Failed'] as const)('a pod that is %s', async (phase) => {
    await setting.pod(namespace, 'a', { phase });
    expect((await remove('a')).code).toBe(0);
    expect(await going()).toBeUndefined();
  });

  it('a pod whose Application is gone, or never was', async () => {
    await setting.pod(namespace, 'a', { application: 'nobody' });
    expect((await remove('a')).code).toBe(0);
  });

  it('a pod whose application does not want to be asked any more', async () => {
    await setting.pod(namespace, 'a');
    await setting.call('PATCH', `/apis/hooks.krake.dev/v1alpha1/namespaces/${namespace}/applications/web`, {
      spec: { hooks: ['complete'] },
    });
    await untilGone('a');
  });

  it.each([
    ['without the label', { application: '', hooks: '' }],
    ['without a hook', { hooks: '' }],
    ['with the complete hook only', { hooks: 'complete' }],
  ])('a pod %s: it never meets the gate', async (_what, options) => {
    await setting.pod(namespace, 'a', options);
    const before = await setting.asked('deletion');
    expect((await remove('a')).code).toBe(0);
    expect(await setting.asked('deletion')).toBe(before);
  });

  it('a pod in a namespace that is not opted in', async () => {
    await setting.kubectl('label', 'namespace', namespace, 'hooks.krake.dev/enabled-');
    await setting.pod(namespace, 'a');
    await untilGone('a');
  });
});
