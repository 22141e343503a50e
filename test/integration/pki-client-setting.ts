import { createKubeClient, type FullKubeClient, type RecordedEvent } from '../../src/kube/index.ts';
import {
  createClientCertificateIssuer,
  createClientTrust,
  type ClientCertificateIssuer,
  type ClientCertificateIssuerOptions,
  type ClientTrust,
} from '../../src/pki/index.ts';
import type { Secret } from '../../src/pki/ca-secret.ts';
import type { TrustConfigMap } from '../../src/pki/clients/trust-config-map.ts';
import { createMemoryLogger } from '../unit/pki/fakes.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { NAMESPACE, startWithManifests, type ManifestsSetting } from './manifests-setting.ts';

export const SECRET = 'krake-hooks-signing';
export const CONFIG_MAP = 'krake-hooks-client-ca';
/** Short enough for a test to see a whole rotation. */
export const TIMING = { lifetime: 4_000, signingLifetime: 60_000, trustDelay: 500 } as const;

export interface IssuerReplica {
  readonly issuer: ClientCertificateIssuer;
  readonly logger: ReturnType<typeof createMemoryLogger>;
  readonly events: RecordedEvent[];
}

/** A control plane with the manifests, so with their rights and policies; whatever runs has the rights of its service account alone. */
export interface PkiClientSetting extends ManifestsSetting {
  /** A client that may do everything. */
  readonly admin: FullKubeClient;
  /** As the controller makes one; not started. */
  replica(options?: Partial<ClientCertificateIssuerOptions>): IssuerReplica;
  /** As callbacks make one; not started. */
  trust(): ClientTrust;
  readSecret(): Promise<Secret | undefined>;
  readConfigMap(): Promise<TrustConfigMap | undefined>;
  /** Stops all replicas, and takes Secret and ConfigMap away. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPkiClientSetting(): Promise<PkiClientSetting> {
  const manifests = await startWithManifests();
  const { controlPlane } = manifests;
  const accounts = {
    controller: await writeAccountKubeconfig(controlPlane, NAMESPACE, 'krake-hooks-controller'),
    callbacks: await writeAccountKubeconfig(controlPlane, NAMESPACE, 'krake-hooks-callbacks'),
    admin: controlPlane.kubeconfig,
  };
  const clients: FullKubeClient[] = [];
  const clientOf = (account: keyof typeof accounts): FullKubeClient => {
    const client = createKubeClient({ kubeconfigPath: accounts[account], userAgent: 'krake-hooks-test/0' });
    clients.push(client);
    return client;
  };
  const admin = clientOf('admin');
  const ref = (plural: string, name: string) => ({
    resource: { apiVersion: 'v1', plural },
    namespace: NAMESPACE,
    name,
  });
  const running: { stop(): Promise<void> }[] = [];
  const stopAll = async () => {
    for (const each of running.splice(0)) await each.stop();
  };
  return {
    ...manifests,
    admin,
    replica(options) {
      const logger = createMemoryLogger();
      const events: RecordedEvent[] = [];
      const issuer = createClientCertificateIssuer(
        { client: clientOf('controller'), logger, events: { record: (event) => events.push(event) } },
        {
          namespace: NAMESPACE,
          hookUser: 'krake-hooks-application',
          secretName: SECRET,
          trustConfigMapName: CONFIG_MAP,
          pollIntervalMs: 50,
          ...TIMING,
          ...options,
        },
      );
      running.push(issuer);
      return { issuer, logger, events };
    },
    trust() {
      const trust = createClientTrust(
        { client: clientOf('callbacks'), logger: createMemoryLogger() },
        { namespace: NAMESPACE, trustConfigMapName: CONFIG_MAP, pollIntervalMs: 50 },
      );
      running.push(trust);
      return trust;
    },
    readSecret: () => admin.get<Secret>(ref('secrets', SECRET)),
    readConfigMap: () => admin.get<TrustConfigMap>(ref('configmaps', CONFIG_MAP)),
    async clear() {
      await stopAll();
      for (const [kind, name] of [
        ['secret', SECRET],
        ['configmap', CONFIG_MAP],
      ] as const) {
        await controlPlane.kubectl(['-n', NAMESPACE, 'delete', kind, name, '--ignore-not-found']);
      }
    },
    async stop() {
      await stopAll();
      for (const client of clients) client.close();
      await controlPlane.stop();
    },
  };
}
