import type { Application } from '../../src/applications/index.ts';
import { APPLICATIONS } from '../../src/applications/index.ts';
import { LABEL_APPLICATION } from '../../src/contract/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import { NAMESPACE, type CallbacksReplica, type CallbacksSetting } from './callbacks-setting.ts';

export const AUDIENCE = 'hooks.krake.dev';

export interface TestPod {
  readonly name: string;
  readonly uid: string;
  /** As the kubelet would have projected it into the pod. */
  readonly token: string;
}

/** Pods of real Deployments on the real control plane; no node runs them. */
export interface PodScene {
  /** A Deployment with so many pods and its Application, which knows it. */
  deploy(name: string, replicas: number, spec?: object): Promise<readonly TestPod[]>;
  /** A bare pod that says of itself that it belongs to this application. */
  barePod(name: string, application: string): Promise<TestPod>;
  token(
    pod: { readonly name: string; readonly uid: string },
    options?: { audience?: string },
  ): Promise<string>;
}

export function createPodScene(setting: CallbacksSetting): PodScene {
  const { controlPlane, admin } = setting;

  async function token(
    { name, uid }: { readonly name: string; readonly uid: string },
    { audience = AUDIENCE }: { readonly audience?: string } = {},
  ): Promise<string> {
    const bound = ['--bound-object-kind=Pod', `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
    const { stdout } = await controlPlane.kubectl([
      ...['-n', NAMESPACE, 'create', 'token', 'default', `--audience=${audience}`],
      ...bound,
    ]);
    return stdout.trim();
  }

  const apply = (object: object) =>
    controlPlane.kubectl(['-n', NAMESPACE, 'apply', '-f', '-'], { input: JSON.stringify(object) });
  const template = (application: string) => ({
    metadata: { labels: { app: application, [LABEL_APPLICATION]: application } },
    spec: { containers: [{ name: 'c', image: 'none' }] },
  });
  const withToken = async ({ metadata: { name = '', uid = '' } }: KubeObject): Promise<TestPod> => ({
    name,
    uid,
    token: await token({ name, uid }),
  });

  return {
    token,
    async deploy(name, replicas, spec = {}) {
      await waitFor('the service account', async () =>
        admin.get({
          resource: { apiVersion: 'v1', plural: 'serviceaccounts' },
          namespace: NAMESPACE,
          name: 'default',
        }),
      );
      await apply({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name },
        spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name) },
      });
      const ref = { resource: { apiVersion: 'apps/v1', plural: 'deployments' }, namespace: NAMESPACE, name };
      const uid = (await admin.get(ref))?.metadata.uid ?? '';
      const workloads = [{ apiVersion: 'apps/v1', kind: 'Deployment', name, uid }];
      await setting.createApplication(name, {
        hooks: ['complete', 'shutdown'],
        spec: { auth: 'pod-identity', ...spec },
        status: { workloads, tokenSha256: null },
      });
      const pods = await waitFor(`the pods of ${name}`, async () => {
        const { items } = await admin.list({ apiVersion: 'v1', plural: 'pods' }, NAMESPACE, {
          labelSelector: `app=${name}`,
        });
        return items.length === replicas ? items : undefined;
      });
      const withTokens: TestPod[] = [];
      for (const pod of pods) withTokens.push(await withToken(pod));
      return withTokens;
    },
    async barePod(name, application) {
      await apply({
        apiVersion: 'v1',
        kind: 'Pod',
        ...template(application),
        metadata: { ...template(application).metadata, name },
      });
      const ref = { resource: { apiVersion: 'v1', plural: 'pods' }, namespace: NAMESPACE, name };
      return withToken(await waitFor(name, () => admin.get(ref)));
    },
  };
}

/** Until the replica has this Application with its workloads in its cache. */
export async function waitUntilBound({ cache }: CallbacksReplica, name: string): Promise<void> {
  await waitFor(`${name} in the cache`, () =>
    Promise.resolve(cache.get(NAMESPACE, name)?.workloadUids.length || undefined),
  );
}

export function readStatus(setting: CallbacksSetting, name: string): Promise<Application['status']> {
  return setting.admin
    .get<Application>({ resource: APPLICATIONS, namespace: NAMESPACE, name })
    .then((application) => application?.status);
}
