import { describe, expect, it } from '@jest/globals';
import { describePod } from '../../../src/cli/describe-pod.ts';
import type { PodTemplate } from '../../../src/cli/explain-subject.ts';
import { admit, settingsOf } from '../admission/admission-fixtures.ts';

const HOOKS = 'hooks.krake.dev/hooks';
const URL =
  'KRAKE_COMPLETE_URL=https://krake-hooks-callbacks.krake-system.svc:443/kubernetes/namespaces/shop/applications/pod-web/complete';

/** What explain shows is what admission makes of the pod. */
function lines(annotations: Readonly<Record<string, string>>, spec: object = {}): readonly string[] {
  const containers = [{ name: 'app' }, { name: 'side', env: [{ name: 'OWN', value: '/etc/krake' }] }];
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', annotations: { [HOOKS]: 'complete', ...annotations } },
    spec: { containers, initContainers: [{ name: 'first' }], ...spec },
  };
  const admitted = admit({ object }, settingsOf());
  expect(admitted.decision.outcome).toBe('patched');
  return describePod(admitted.object as PodTemplate, 'pod-web');
}

describe('describePod', () => {
  it('tells of the token, its certificate and who may read the key', () => {
    const injected = `KRAKE_TOKEN (from the Secret), KRAKE_COMPLETE_TOKEN (from the Secret), ${URL}; files in /etc/krake_cert`;
    expect(lines({})).toEqual([
      'proof: token (the token and the certificate in the Secret)',
      'private key: readable for the group 65532 (fsGroup of the pod)',
      `container app: ${injected}`,
      `container side: ${injected}`,
      'init container first: not chosen, left as it is',
    ]);
  });

  it('speaks of no group where there is none', () => {
    expect(lines({}, { securityContext: { runAsUser: 0 } }).join()).not.toContain('private key');
  });

  it('tells of the pod’s own token', () => {
    const annotations = {
      'hooks.krake.dev/auth': 'pod-identity',
      'hooks.krake.dev/containers': 'app',
    };
    expect(lines(annotations)).toEqual([
      "proof: pod-identity (its pod's own token, for hooks.krake.dev)",
      `container app: KRAKE_TOKEN_FILE=/var/run/secrets/hooks.krake.dev/token, ${URL}; files in /etc/krake_cert, /var/run/secrets/hooks.krake.dev`,
      'container side: not chosen, left as it is',
      'init container first: not chosen, left as it is',
    ]);
  });
});
