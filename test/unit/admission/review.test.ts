import { describe, expect, it } from '@jest/globals';
import { review } from '../../../src/admission/index.ts';
import type { AdmissionRequest } from '../../../src/review/index.ts';
import { admit, requestFor, settingsOf } from './admission-fixtures.ts';

const HOOKS = 'hooks.krake.dev/hooks';
const APPLICATION = 'hooks.krake.dev/application';
const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'tool', annotations: { [HOOKS]: 'complete' } },
  spec: { containers: [{ name: 'app' }] },
};

describe('review', () => {
  const changed = (fields: Partial<AdmissionRequest>) =>
    review({ ...requestFor({ object: pod }), ...fields }, settingsOf({ namespace: 'hooks-system' }));

  it.each([
    ['subresource', { subResource: 'ephemeralcontainers' }],
    ['unknown-kind', { kind: { group: '', version: 'v1', kind: 'Service' } }],
    ['unknown-kind', { kind: { group: 'example.com', version: 'v1', kind: 'Pod' } }],
    ['unknown-kind', { kind: { group: '', version: 'v1', kind: 'constructor' } }],
    ['operation', { operation: 'UPDATE' }],
    ['operation', { operation: 'DELETE', object: null }],
    ['operation', { operation: 'CONNECT' }],
    ['system-namespace', { namespace: 'kube-system' }],
    ['system-namespace', { namespace: 'kube-public' }],
    ['system-namespace', { namespace: 'kube-node-lease' }],
    ['system-namespace', { namespace: 'hooks-system' }],
    ['unnamed', { object: { ...pod, metadata: { annotations: { [HOOKS]: 'complete' } } } }],
  ] as const)('leaves alone: %s', (reason, fields) => {
    expect(changed(fields as Partial<AdmissionRequest>)).toMatchObject({ outcome: 'unchanged', reason });
  });

  it('knows a kind in every version of its group', () => {
    const kind = { group: 'apps', version: 'v1beta2', kind: 'Deployment' };
    expect(review({ ...requestFor({ object: pod }), kind }, settingsOf()).reason).not.toBe('unknown-kind');
  });

  it('answers the same when asked twice', () => {
    const request = requestFor({ object: pod });
    expect(review(request, settingsOf())).toEqual(review(request, settingsOf()));
  });

  it.each(['A', 'a_b', '-a', 'a..b', '.a', 'a-', '', '../x', 'a/b', 'ä', 'a'.repeat(64), ' a'])(
    'refuses the application name "%s" of a label',
    (label) => {
      const object = { ...pod, metadata: { ...pod.metadata, labels: { [APPLICATION]: label } } };
      expect(admit({ object }).decision).toMatchObject({
        outcome: 'denied',
        reason: 'invalid-application-name',
      });
    },
  );

  it.each(['a', 'shop', 'a.b-c.d', '0', 'a'.repeat(63)])('takes the application name "%s"', (label) => {
    const object = { ...pod, metadata: { ...pod.metadata, labels: { [APPLICATION]: label } } };
    expect(admit({ object }).decision).toMatchObject({ outcome: 'patched', application: label });
  });

  it('names long ones so that they fit, also when asked again', () => {
    for (const metadata of [{ name: 'n'.repeat(253) }, { generateName: `${'g-'.repeat(60)}-` }]) {
      const object = { ...pod, metadata: { ...pod.metadata, ...metadata, name: metadata.name } };
      const first = admit({ object: JSON.parse(JSON.stringify(object)) as unknown });
      expect(first.decision.application?.length).toBeLessThanOrEqual(63);
      const again = admit({ object: first.object, uid: 'another' });
      expect(again.decision).toMatchObject({ reason: 'up-to-date', application: first.decision.application });
    }
  });

  it('gives two objects of one generateName two applications', () => {
    const metadata = { generateName: 'job-', annotations: { [HOOKS]: 'complete' } };
    const names = ['u1', 'u2'].map(
      (uid) => admit({ object: { ...pod, metadata }, uid }).decision.application,
    );
    expect(new Set(names).size).toBe(2);
  });

  it.each(['', ' , ', 'complet', 'none'])('injects nothing for hooks "%s", but says why', (hooks) => {
    const object = { ...pod, metadata: { name: 'x', annotations: { [HOOKS]: hooks } } };
    const { decision } = admit({ object });
    expect(decision).toMatchObject({ outcome: 'unchanged', reason: 'no-hooks' });
    expect(decision.warnings).toHaveLength(1);
  });
});
