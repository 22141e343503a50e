import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { waitFor } from '../cluster/wait-for.ts';
import {
  AUTH,
  COMPLETE,
  HOOKS,
  NAMESPACE,
  OUR_GROUP,
  RESOURCES,
  deployment,
  pod,
  startAdmission,
  type AdmissionSetting,
  type Pod,
  type PodTemplate,
  type Workload,
} from './admission-setting.ts';

jest.setTimeout(300_000);
let setting: AdmissionSetting;
beforeAll(async () => {
  setting = await startAdmission();
}, 600_000);
afterAll(() => setting.stop(), 60_000);

const IDENTITY = { ...COMPLETE, [AUTH]: 'pod-identity' } as const;
const RESTRICTED = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const image = 'example.invalid/main';

const create = (object: object, namespace = NAMESPACE): Promise<Pod> =>
  setting.client.create<Pod>(RESOURCES.pods, namespace, object);
const volumeOf = ({ spec }: PodTemplate, name: string) => spec.volumes?.find((v) => v.name === name);
/** The modes of the four files: CA bundle, certificate, private key, token. */
const modesOf = (made: PodTemplate) => volumeOf(made, 'krake-hooks')?.secret?.items?.map(({ mode }) => mode);
const FOR_GROUP = [0o444, 0o444, 0o440, 0o440];

beforeAll(() => setting.namespace('tight', { 'pod-security.kubernetes.io/enforce': 'restricted' }));

describe('a pod with a certificate', () => {
  it('under Pod Security "restricted" is given a group that may read its key', async () => {
    const spec = { containers: [{ name: 'main', image, securityContext: RESTRICTED }] };
    const made = await create(pod({ name: 'plain', annotations: COMPLETE }, spec), 'tight');
    expect(made.spec.securityContext).toEqual({ fsGroup: OUR_GROUP });
    expect(modesOf(made)).toEqual(FOR_GROUP);
  });

  it('keeps its own group', async () => {
    const made = await create(
      pod(
        { name: 'grouped', annotations: COMPLETE },
        { securityContext: { fsGroup: 7, supplementalGroups: [8] } },
      ),
    );
    expect(made.spec.securityContext).toEqual({ fsGroup: 7, supplementalGroups: [8] });
    expect(modesOf(made)).toEqual(FOR_GROUP);
  });

  it('keeps the key to root where it runs as root', async () => {
    const made = await create(
      pod({ name: 'root', annotations: COMPLETE }, { securityContext: { runAsUser: 0 } }),
    );
    expect(made.spec.securityContext).toEqual({ runAsUser: 0 });
    expect(modesOf(made)).toEqual([0o444, 0o444, 0o400, 0o400]);
  });

  it('gets no group where that would change the files of a claim, and says so', async () => {
    const claimed = pod(
      { name: 'claimed', namespace: NAMESPACE, annotations: COMPLETE },
      { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
    );
    const { stderr } = await setting.kubectl(['create', '-f', '-'], claimed);
    expect(stderr).toContain('every user in the container may read the private key');
    const made = await setting.client.get<Pod>({
      resource: RESOURCES.pods,
      namespace: NAMESPACE,
      name: 'claimed',
    });
    expect(made?.spec.securityContext).toEqual({});
    expect(made && modesOf(made)).toEqual([0o444, 0o444, 0o444, 0o444]);
  });

  it('gets no group where that would widen the mode of a Secret; the default mode and the API token are no reason', async () => {
    const withSecret = (name: string, defaultMode?: number) =>
      create(
        pod(
          { name, annotations: COMPLETE },
          {
            serviceAccountName: 'default',
            volumes: [
              {
                name: 'own',
                secret: { secretName: 'own', ...(defaultMode === undefined ? {} : { defaultMode }) },
              },
            ],
          },
        ),
      );
    const strict = await withSecret('strict', 0o400);
    expect(strict.spec.securityContext).toEqual({});
    expect(modesOf(strict)).toEqual([0o444, 0o444, 0o444, 0o444]);
    const open = await withSecret('open');
    expect(open.spec.volumes?.some(({ name }) => name.startsWith('kube-api-access-'))).toBe(true);
    expect(open.spec.securityContext).toEqual({ fsGroup: OUR_GROUP });
    expect(modesOf(open)).toEqual(FOR_GROUP);
  });

  it('of Windows is taken by the API server, which refuses groups there', async () => {
    const made = await create(pod({ name: 'windows', annotations: COMPLETE }, { os: { name: 'windows' } }));
    expect(made.spec.securityContext).toEqual({});
    expect(volumeOf(made, 'krake-hooks')).toBeDefined();
  });
});

describe('a pod with its identity', () => {
  const token = (audience = 'hooks.krake.dev') => ({
    name: 'krake-hooks-token',
    projected: {
      defaultMode: 0o444,
      sources: [{ serviceAccountToken: { audience, expirationSeconds: 3_600, path: 'token' } }],
    },
  });
  const expectIdentified = (made: PodTemplate, application: string): void => {
    const names = made.spec.containers[0]?.env?.map(({ name }) => name);
    expect(names).toEqual(['KRAKE_TOKEN_FILE', 'KRAKE_COMPLETE_URL']);
    expect(volumeOf(made, 'krake-hooks-token')).toEqual(token());
    expect(volumeOf(made, 'krake-hooks')?.secret).toMatchObject({
      secretName: `krake-hooks-${application}`,
      items: [{ key: 'ca-bundle.pem' }],
    });
  };

  it('has a token of its own, also without one for the API server, under "restricted"', async () => {
    const spec = {
      automountServiceAccountToken: false,
      containers: [{ name: 'main', image, securityContext: RESTRICTED }],
    };
    const made = await create(pod({ name: 'identified', annotations: IDENTITY }, spec), 'tight');
    expectIdentified(made, 'pod-identified');
    expect(made.spec.volumes).toHaveLength(2);
    expect(made.spec.securityContext).toEqual({});
  });

  it('comes of a Job that has it whole', async () => {
    const made = await setting.client.create<Workload>(RESOURCES.jobs, NAMESPACE, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'train', annotations: IDENTITY },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] } } },
    });
    expectIdentified(made.spec.template, 'job-train');
    const first = await waitFor('the first pod of the Job', async () => {
      const { items } = await setting.client.list<Pod>(RESOURCES.pods, NAMESPACE);
      return items.find(({ metadata }) => metadata.labels?.['job-name'] === 'train');
    });
    expectIdentified(first, 'job-train');
  });
});

describe('a running Deployment', () => {
  const template = async (): Promise<PodTemplate> => {
    const ref = { resource: RESOURCES.deployments, namespace: NAMESPACE, name: 'change' };
    const found = await setting.client.get<Workload>(ref);
    if (found === undefined) throw new Error('no Deployment');
    return found.spec.template;
  };
  const annotate = (...words: string[]) => setting.kubectl(['annotate', 'deployment/change', ...words]);

  it('rolls out with its pods’ identity, and back when that is taken away', async () => {
    await setting.kubectl(['apply', '-f', '-'], deployment('change'));
    const before = await template();
    await annotate(`${AUTH}=token`);
    expect(await template()).toEqual(before);

    await annotate('--overwrite', `${AUTH}=pod-identity`);
    const changed = await template();
    expect(changed.metadata?.annotations).toEqual({
      ...before.metadata?.annotations,
      [AUTH]: 'pod-identity',
    });
    expect(changed.spec).toEqual(before.spec);

    await annotate(`${AUTH}-`);
    expect(await template()).toEqual(before);
  });

  it('is warned of a slip, and of a number that counts no tokens', async () => {
    const { stderr: slip } = await annotate('--overwrite', `${AUTH}=pod-identiti`);
    expect(slip).toContain('"pod-identity" is used until it is corrected');
    expect((await template()).metadata?.annotations).toMatchObject({
      [HOOKS]: 'complete',
      [AUTH]: 'pod-identity',
    });
    const { stderr } = await annotate('--overwrite', `${AUTH}=token`, 'hooks.krake.dev/complete-when=all');
    expect(stderr).toContain('a token tells no pod from another');
  });
});
