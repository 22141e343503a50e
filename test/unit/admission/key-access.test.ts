import { describe, expect, it } from '@jest/globals';
import { planKeyAccess } from '../../../src/admission/key-access.ts';

const OURS = { fsGroup: 65_532, hasClaims: false };

interface Pod {
  readonly volumes?: readonly object[];
  readonly containers?: readonly object[];
  readonly initContainers?: readonly object[];
  readonly securityContext?: object;
  readonly os?: object;
}

function access({ volumes = [], containers = [{ name: 'app' }], ...others }: Pod, hasClaims = false) {
  const spec = { containers, volumes, ...others };
  const places = containers.map((container, index) => ({
    list: 'containers' as const,
    index,
    name: 'app',
    container: container as Record<string, unknown>,
  }));
  return planKeyAccess(spec, 'spec', places, volumes as Record<string, unknown>[], { ...OURS, hasClaims });
}

/** Who may read: in octal, and the group that the pod is given. */
const shortOf = (pod: Pod, hasClaims?: boolean): string => {
  const { mode, fsGroup } = access(pod, hasClaims);
  return `${mode.toString(8)}${fsGroup === undefined ? '' : ` ${fsGroup}`}`;
};
const OUR_GROUP = '440 65532';
const EVERYONE = '444';

const secret = (more: object) => ({ name: 'v', secret: { secretName: 's', ...more } });
const configMap = (more: object) => ({ name: 'v', configMap: { name: 'c', ...more } });
const downward = (more: object) => ({ name: 'v', downwardAPI: more });
const projected = (sources: readonly object[], more: object = {}) => ({
  name: 'v',
  projected: { sources, ...more },
});
const item = (mode?: number) => ({ key: 'k', path: 'p', ...(mode === undefined ? {} : { mode }) });
const token = { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } };

describe('planKeyAccess: files of the user that a group of ours would change', () => {
  it.each<[string, object, string]>([
    ['a Secret', secret({}), OUR_GROUP],
    ['a Secret, 0644 as the API server writes it', secret({ defaultMode: 0o644 }), OUR_GROUP],
    ['a Secret, 0440', secret({ defaultMode: 0o440 }), OUR_GROUP],
    ['a Secret, 0400', secret({ defaultMode: 0o400 }), EVERYONE],
    ['a Secret, 0600', secret({ defaultMode: 0o600 }), EVERYONE],
    ['a Secret, 0404', secret({ defaultMode: 0o404 }), EVERYONE],
    ['a Secret, one item 0400', secret({ items: [item(), item(0o400)] }), EVERYONE],
    ['a Secret, 0400, and each item wider', secret({ defaultMode: 0o400, items: [item(0o440)] }), OUR_GROUP],
    ['a Secret, 0400, and not each item wider', secret({ defaultMode: 0o400, items: [item()] }), EVERYONE],
    ['a ConfigMap', configMap({}), OUR_GROUP],
    ['a ConfigMap, 0755', configMap({ defaultMode: 0o755 }), OUR_GROUP],
    ['a ConfigMap, 0700', configMap({ defaultMode: 0o700 }), EVERYONE],
    ['a ConfigMap, one item 0500', configMap({ items: [item(0o500)] }), EVERYONE],
    ['the downward API', downward({ items: [item()] }), OUR_GROUP],
    ['the downward API, 0400', downward({ defaultMode: 0o400, items: [item()] }), EVERYONE],
    ['the downward API, one item 0400', downward({ items: [item(0o400)] }), EVERYONE],
    ['projected', projected([{ secret: { name: 's' } }, { configMap: { name: 'c' } }]), OUR_GROUP],
    ['projected, 0400', projected([{ secret: { name: 's' } }], { defaultMode: 0o400 }), EVERYONE],
    [
      'projected, one Secret item 0400',
      projected([{ configMap: { name: 'c' } }, { secret: { items: [item(0o400)] } }]),
      EVERYONE,
    ],
    ['projected, one ConfigMap item 0400', projected([{ configMap: { items: [item(0o400)] } }]), EVERYONE],
    ['projected, one downward item 0400', projected([{ downwardAPI: { items: [item(0o400)] } }]), EVERYONE],
    [
      'projected, 0400, and each item wider',
      projected([{ secret: { items: [item(0o444)] } }], { defaultMode: 0o400 }),
      OUR_GROUP,
    ],
    ['an emptyDir', { name: 'v', emptyDir: {} }, OUR_GROUP],
    ['a hostPath', { name: 'v', hostPath: { path: '/' } }, OUR_GROUP],
    ['a claim', { name: 'v', persistentVolumeClaim: { claimName: 'c' } }, EVERYONE],
    ['a CSI disk', { name: 'v', csi: { driver: 'd' } }, EVERYONE],
    ['ours, whatever its mode', { ...secret({ defaultMode: 0o400 }), name: 'krake-hooks' }, OUR_GROUP],
    ['modes that are none', secret({ defaultMode: 'x', items: [null, item()] }), OUR_GROUP],
  ])('%s', (_name, volume, expected) => {
    expect(shortOf({ volumes: [{ name: 'before', emptyDir: {} }, volume] })).toBe(expected);
  });

  it('says which volume, and what helps', () => {
    const { warnings } = access({ volumes: [{ ...secret({ defaultMode: 0o400 }), name: 'ssh' }] });
    expect(warnings).toEqual([
      expect.stringMatching(/group of ours would .* "ssh".*spec\.securityContext\.runAsUser.*pod-identity/),
    ]);
  });
});

describe('planKeyAccess: a service account token, which the kubelet gives to the group it starts the containers with', () => {
  const automatic = projected(
    [token, { configMap: { items: [item()] } }, { downwardAPI: { items: [item()] } }],
    {
      defaultMode: 0o644,
    },
  );
  const strict = projected([token], { defaultMode: 0o400 });
  const asUser = (runAsUser: number) => ({ name: 'c', securityContext: { runAsUser } });

  it.each<[string, Pod, string]>([
    ['the automatic one', { volumes: [automatic] }, OUR_GROUP],
    ['0400 is kept for root', { volumes: [strict] }, EVERYONE],
    [
      '0400 of one user for all is not looked at by the kubelet',
      { volumes: [strict], securityContext: { runAsUser: 1000 } },
      OUR_GROUP,
    ],
    [
      'the same, said by each container',
      { volumes: [strict], containers: [asUser(7), asUser(7)] },
      OUR_GROUP,
    ],
    ['two users', { volumes: [strict], containers: [asUser(7), asUser(8)] }, EVERYONE],
    [
      'an init container of another user',
      { volumes: [strict], containers: [asUser(7)], initContainers: [asUser(0)] },
      EVERYONE,
    ],
    [
      'an init container of the user of its image',
      { volumes: [strict], containers: [asUser(7)], initContainers: [{ name: 'i' }] },
      EVERYONE,
    ],
    [
      'one user for all, and a Secret for root',
      {
        volumes: [projected([token, { secret: { name: 's' } }], { defaultMode: 0o400 })],
        containers: [asUser(7)],
      },
      EVERYONE,
    ],
    [
      "a trust bundle and a pod's certificate",
      { volumes: [projected([{ clusterTrustBundle: {} }, { podCertificate: {} }], { defaultMode: 0o400 })] },
      EVERYONE,
    ],
  ])('%s', (_name, pod, expected) => {
    expect(shortOf(pod)).toBe(expected);
  });
});

describe('planKeyAccess: what decides before the volumes do', () => {
  const strict = secret({ defaultMode: 0o400 });
  it.each<[string, Pod, boolean, string]>([
    ['a group of its own', { volumes: [strict], securityContext: { fsGroup: 7 } }, false, '440'],
    ['root, said', { volumes: [strict], securityContext: { runAsUser: 0 } }, false, '400'],
    ['Windows', { volumes: [strict], os: { name: 'windows' } }, false, EVERYONE],
    ['claims that come with the pods', {}, true, EVERYONE],
  ])('%s', (_name, pod, hasClaims, expected) => {
    expect(shortOf(pod, hasClaims)).toBe(expected);
  });
});
