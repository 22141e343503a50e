import { createKubeClient, type FullKubeClient, type RecordedEvent } from '../../src/kube/index.ts';
import { createSelfManagedPki, type Pki, type SelfManagedPkiOptions } from '../../src/pki/index.ts';
import type { Secret } from '../../src/pki/ca-secret.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { createMemoryLogger } from '../unit/pki/fakes.ts';

export const NAMESPACE = 'krake-system';
export const SECRETS = { apiVersion: 'v1', plural: 'secrets' } as const;

/** Short enough for a test to see a whole rotation. */
export const TIMING = { caLifetimeMs: 60_000, leafLifetimeMs: 4_000, trustDelayMs: 300 } as const;

export interface Replica {
  readonly pki: Pki;
  readonly logger: ReturnType<typeof createMemoryLogger>;
  readonly events: RecordedEvent[];
  stop(): Promise<void>;
}

export interface PkiSetting {
  readonly controlPlane: ControlPlane;
  readonly client: FullKubeClient;
  /** A replica with a client of its own; not started. */
  replica(options: Partial<SelfManagedPkiOptions> & { readonly kubeconfigPath?: string }): Replica;
  readSecret(name: string): Promise<Secret | undefined>;
  /** Stops all replicas and the control plane. */
  stop(): Promise<void>;
}

export async function startPkiSetting(): Promise<PkiSetting> {
  const controlPlane = await startControlPlane();
  const clients: FullKubeClient[] = [];
  const replicas: Replica[] = [];
  const newClient = (kubeconfigPath = controlPlane.kubeconfig): FullKubeClient => {
    const client = createKubeClient({ kubeconfigPath, userAgent: 'krake-hooks-test/0' });
    clients.push(client);
    return client;
  };
  await controlPlane.kubectl(['create', 'namespace', NAMESPACE]);
  const client = newClient();
  return {
    controlPlane,
    client,
    replica({ kubeconfigPath, ...options }) {
      const logger = createMemoryLogger();
      const events: RecordedEvent[] = [];
      const pki = createSelfManagedPki(
        { client: newClient(kubeconfigPath), logger, events: { record: (event) => events.push(event) } },
        { namespace: NAMESPACE, caSecretName: 'ca', pollIntervalMs: 50, ...TIMING, ...options },
      );
      const replica = { pki, logger, events, stop: () => pki.stop() };
      replicas.push(replica);
      return replica;
    },
    readSecret: (name) => client.get<Secret>({ resource: SECRETS, namespace: NAMESPACE, name }),
    async stop() {
      for (const replica of replicas) await replica.stop();
      for (const each of clients) each.close();
      await controlPlane.stop();
    },
  };
}
