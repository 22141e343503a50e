import type { Clock } from './clock.ts';
import type { KubeClient, KubeObject } from './kube-client.ts';
import { isFree, leaseSpec, releasedSpec, type LeaseSpec } from './lease-spec.ts';

export interface LeaseLockOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly clock: Clock;
  readonly namespace: string;
  readonly leaseName: string;
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly requestTimeoutMs: number;
}

/** A Lease as a lock. Every write carries the resourceVersion that was read: of two who see it free, one gets it. */
export interface LeaseLock {
  /** Takes or renews the lease; false when another holds it. Rejects when that is not known (no answer, a conflict): try again. */
  tryHold(): Promise<boolean>;
  /** Gives the lease free if it is still ours. */
  release(): Promise<void>;
}

interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

/** What we saw, and when on our own clock we first saw it: the holder's wall clock is never compared with ours. */
interface Observed {
  readonly lease: Lease;
  readonly content: string;
  readonly at: number;
}

const LEASES = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' } as const;

export function createLeaseLock(options: LeaseLockOptions): LeaseLock {
  const { client, clock, namespace, leaseName, identity, leaseDurationMs } = options;
  const ref = { resource: LEASES, namespace, name: leaseName };
  const request = { timeoutMs: options.requestTimeoutMs, urgent: true };
  let observed: Observed | undefined;
  /** The last thing that we know of the lease is our own successful write. */
  let writtenLast = false;

  const observe = (lease: Lease): Observed => {
    const content = JSON.stringify(lease.spec ?? {});
    const at = observed?.content === content ? observed.at : clock.monotonic();
    observed = { lease, content, at };
    return observed;
  };

  const read = async (): Promise<Observed | undefined> => {
    const lease = await client.get<Lease>(ref, request);
    if (lease !== undefined) return observe(lease);
    observed = undefined;
    return undefined;
  };

  const write = async (lease: Lease, spec: LeaseSpec): Promise<void> => {
    observe(await client.replace<Lease>(ref, { ...lease, spec }, request));
  };

  const renewed = (before: LeaseSpec | undefined): LeaseSpec =>
    leaseSpec(before, { identity, leaseDurationMs, now: clock.now() });

  const holdOnce = async (known: Observed | undefined): Promise<boolean> => {
    if (known === undefined) {
      const body = {
        apiVersion: LEASES.apiVersion,
        kind: 'Lease',
        metadata: { name: leaseName, namespace },
        spec: renewed(undefined),
      };
      observe(await client.create<Lease>(LEASES, namespace, body, request));
      return true;
    }
    const { lease, at } = known;
    const ours = lease.spec?.holderIdentity === identity;
    if (!ours && !isFree(lease.spec, clock.monotonic() - at, leaseDurationMs)) return false;
    await write(lease, renewed(lease.spec));
    return true;
  };

  return {
    tryHold: async () => {
      // Our own lease is renewed without reading it first; whoever changed it meanwhile makes that a conflict, and the next try reads.
      const known = writtenLast ? observed : await read();
      writtenLast = false;
      writtenLast = await holdOnce(known);
      return writtenLast;
    },
    release: async () => {
      writtenLast = false;
      const known = await read();
      if (known?.lease.spec?.holderIdentity !== identity) return;
      await write(known.lease, releasedSpec(known.lease.spec, clock.now()));
    },
  };
}
