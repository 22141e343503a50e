import { isConflict, isNotFound, type Clock, type KubeClient, type ObjectRef } from '../../kube/index.ts';
import { parseCertificates } from '../certificate.ts';
import { sha256 } from './sign-client-certificate.ts';
import {
  buildTrustConfigMap,
  mergeTrust,
  parseTrust,
  trustPem,
  type TrustConfigMap,
  type TrustedCertificate,
  type WantedTrust,
} from './trust-config-map.ts';

export interface TrustKeeperDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly clock: Clock;
}

export interface TrustKeeperOptions {
  readonly namespace: string;
  readonly trustConfigMapName: string;
  /** How long what signs now has to be trusted from now on: the life of what it signs, and a margin for clocks. Milliseconds. */
  readonly holdMs: number;
}

/** Writes which certificates applications' certificates are known by. Any number of replicas may. */
export interface TrustKeeper {
  /**
   * Resolves when the ConfigMap has what is wanted (and what others wanted before, until its time is over), as the API server has it now.
   *
   * @returns which of the wanted ones were not in it before
   */
  publish(wanted: readonly WantedTrust[]): Promise<{ readonly isNew: (cert: string) => boolean }>;
  /** Was this certificate (PEM) in the ConfigMap when it was last read or written? */
  trusts(cert: string): boolean;
  /** All certificates of the ConfigMap (PEM); undefined: not published yet. */
  pem(): string | undefined;
}

const CONFIG_MAPS = { apiVersion: 'v1', plural: 'configmaps' } as const;
const MAX_ATTEMPTS = 5;

export function createTrustKeeper(
  { client, clock }: TrustKeeperDeps,
  { namespace, trustConfigMapName: name, holdMs }: TrustKeeperOptions,
): TrustKeeper {
  const ref: ObjectRef = { resource: CONFIG_MAPS, namespace, name };
  let trusted: readonly TrustedCertificate[] | undefined;

  async function write(before: TrustConfigMap | undefined, after: TrustConfigMap): Promise<boolean> {
    try {
      // What was read goes back with its resourceVersion, which makes the API server refuse a lost update.
      if (before === undefined) await client.create(CONFIG_MAPS, namespace, after);
      else await client.replace(ref, after);
      return true;
    } catch (error) {
      if (isConflict(error) || (before !== undefined && isNotFound(error))) return false;
      throw error;
    }
  }

  return {
    async publish(wanted) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const before = await client.get<TrustConfigMap>(ref);
        const known = parseTrust(before);
        const merged = mergeTrust(known, wanted, clock.now(), holdMs);
        const after = buildTrustConfigMap(before, name, namespace, merged);
        if (after !== undefined && !(await write(before, after))) continue;
        trusted = merged;
        return { isNew: (cert) => !has(known, cert) };
      }
      throw new Error(`the ConfigMap ${name} kept changing while it was written`);
    },
    trusts: (cert) => has(trusted ?? [], cert),
    pem: () => trusted && trustPem(trusted),
  };
}

/** Of a chain, its first certificate counts: what signs. */
function has(trusted: readonly TrustedCertificate[], cert: string): boolean {
  const [wanted] = parseCertificates(cert);
  const id = wanted && sha256(wanted.raw);
  return trusted.some((entry) => entry.sha256 === id && entry.signs);
}
