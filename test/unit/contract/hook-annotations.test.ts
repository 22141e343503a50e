import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_SHUTDOWN, parseHookAnnotations, withOwnSettings } from '../../../src/contract/index.ts';

const HOOKS = 'hooks.krake.dev/hooks';
const ACTION = 'hooks.krake.dev/complete-action';
const WHEN = 'hooks.krake.dev/complete-when';
const AUTH = 'hooks.krake.dev/auth';

describe('parseHookAnnotations', () => {
  it('asks for nothing without annotations', () => {
    expect(parseHookAnnotations(undefined)).toEqual({
      hooks: [],
      containers: undefined,
      completeAction: 'delete',
      completeWhen: 'any',
      auth: 'token',
      shutdown: DEFAULT_SHUTDOWN,
      warnings: [],
    });
  });

  it.each([
    ['complete', ['complete']],
    ['complete,shutdown', ['complete', 'shutdown']],
    [' shutdown , complete,complete', ['complete', 'shutdown']],
  ])('reads %j', (value, hooks) => {
    const request = parseHookAnnotations({ [HOOKS]: value });
    expect(request.hooks).toEqual(hooks);
    expect(request.warnings).toEqual([]);
  });

  it('leaves an unknown hook out and says what was meant', () => {
    const request = parseHookAnnotations({ [HOOKS]: 'complet,shutdown' });
    expect(request.hooks).toEqual(['shutdown']);
    expect(request.warnings).toEqual([
      'hooks.krake.dev/hooks: unknown value "complet", it is ignored; did you mean "complete"?',
    ]);
  });

  it('lists the known hooks when nothing is near', () => {
    expect(parseHookAnnotations({ [HOOKS]: 'banana-split' }).warnings[0]).toContain(
      'known are complete, shutdown',
    );
  });

  it.each(['hooks.krake.dev/hoks', 'hook.krake.dev/hooks', 'hooks.kraken.dev/hooks'])(
    'warns about %s',
    (key) => {
      const { warnings } = parseHookAnnotations({ [key]: 'complete' });
      expect(warnings).toEqual([`annotation "${key}" is unknown and ignored; did you mean "${HOOKS}"?`]);
    },
  );

  it.each([
    ['hooks.krake.dev/request', 'Application'],
    ['hooks.krake.dev/redeliver-requested-at', 'WebhookDelivery'],
  ])('says where %s belongs', (key, place) => {
    expect(parseHookAnnotations({ [key]: 'retry' }).warnings).toEqual([
      `annotation "${key}" does nothing here: it belongs on the ${place}`,
    ]);
  });

  it.each(['on-job-done', 'on-job-failed', 'on-job-complete', 'webhooks-settled'])(
    'has nothing to say about %s, which is of the job-done webhooks',
    (name) => {
      expect(parseHookAnnotations({ [`hooks.krake.dev/${name}`]: 'ours' }).warnings).toEqual([]);
    },
  );

  it('knows those when one of them is misspelt', () => {
    expect(parseHookAnnotations({ 'hooks.krake.dev/on-job-dne': 'ours' }).warnings).toEqual([
      'annotation "hooks.krake.dev/on-job-dne" is unknown and ignored; did you mean "hooks.krake.dev/on-job-done"?',
    ]);
  });

  it('is silent about annotations of others', () => {
    const others = {
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      krake: 'x',
      'example.com/hooks': 'complete',
    };
    expect(parseHookAnnotations(others).warnings).toEqual([]);
  });

  it('never falls back from a misspelt action to the one that deletes', () => {
    const request = parseHookAnnotations({ [HOOKS]: 'complete', [ACTION]: 'scale-to-zer' });
    expect(request.completeAction).toBe('none');
    expect(request.warnings[0]).toContain('did you mean "scale-to-zero"?');
  });

  it.each(['any', 'all', ' 3 ', '9999'])('counts pods with an identity: %j', (when) => {
    const request = parseHookAnnotations({ [AUTH]: 'pod-identity', [WHEN]: when });
    expect(request).toMatchObject({ auth: 'pod-identity', completeWhen: when.trim(), warnings: [] });
  });

  it.each([undefined, 'token', ' token '])(
    'counts no pods with auth %j: a token tells none from another',
    (auth) => {
      const request = parseHookAnnotations({ [WHEN]: '3', ...(auth !== undefined && { [AUTH]: auth }) });
      expect(request).toMatchObject({ auth: 'token', completeWhen: 'any', warnings: [] });
    },
  );

  it.each(['0', '-1', 'al', '10000', '1.5', ''])(
    'lets no slip in complete-when delete sooner than meant: %j',
    (when) => {
      const request = parseHookAnnotations({ [AUTH]: 'pod-identity', [WHEN]: when });
      expect(request.completeWhen).toBe('all');
      expect(request.warnings).toEqual([
        `${WHEN}: "${when}" cannot be used, "all" is used until it is corrected; write any, all or a number from 1`,
      ]);
    },
  );

  it('stores no secret by a slip in auth, and lets no single pod speak for all', () => {
    const request = parseHookAnnotations({ [AUTH]: 'pod-identty', [WHEN]: 'all' });
    expect(request).toMatchObject({ auth: 'pod-identity', completeWhen: 'all' });
    expect(request.warnings).toEqual([
      `${AUTH}: unknown value "pod-identty", "pod-identity" is used until it is corrected; did you mean "pod-identity"?`,
    ]);
    expect(parseHookAnnotations({ [AUTH]: 'certificate' }).auth).toBe('pod-identity');
  });

  it('never throws and bounds what it repeats, whatever the annotations hold', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 2000 }), fc.string({ maxLength: 300 }), (value, key) => {
        const request = parseHookAnnotations({
          [HOOKS]: value,
          [ACTION]: value,
          [WHEN]: value,
          [AUTH]: value,
          [`hooks.krake.dev/${key}`]: value,
        });
        for (const warning of request.warnings) expect(warning.length).toBeLessThan(400);
      }),
    );
  });
});

describe('withOwnSettings', () => {
  const template = { [HOOKS]: 'shutdown', 'hooks.krake.dev/shutdown-timeout': '10s', 'example.com/a': 'b' };

  it.each([undefined, {}, { 'example.com/c': 'd', 'hooks.krake.dev/containers': 'x' }])(
    'leaves the template as it is when the workload has %j',
    (own) => {
      expect(withOwnSettings(template, own)).toEqual(template);
    },
  );

  it('takes the settings of the workload over those of the template, one by one', () => {
    const own = {
      [ACTION]: 'none',
      [HOOKS]: 'ignored',
      'hooks.krake.dev/shutdown-timeout': '20s',
      'hooks.krake.dev/shutdown-retries': '',
    };
    expect(withOwnSettings(template, own)).toEqual({
      ...template,
      [ACTION]: 'none',
      'hooks.krake.dev/shutdown-timeout': '20s',
      'hooks.krake.dev/shutdown-retries': '',
    });
  });
});
