import type { Certificate, CertificateWithKey } from './certificate.ts';

/**
 * What a Secret of CAs says: who signs, who will sign, who is still trusted. `C`: what signs, a CA of one certificate, or one with more about it.
 */
export interface CaState<C extends CertificateWithKey = CertificateWithKey> {
  /** The CA that signs what is served; undefined: there is none, or it cannot be used. */
  readonly current: C | undefined;
  /** The CA that signs after it, trusted since that time (milliseconds since the epoch). */
  readonly next: StagedCa<C> | undefined;
  /** CAs that sign no more and whose certificates may still be served somewhere, oldest last. */
  readonly previous: readonly RetiredCa[];
  /** The last request for a rotation that was taken up. */
  readonly handledRequest: string | undefined;
}

export type StagedCa<C extends CertificateWithKey = CertificateWithKey> = C & {
  readonly trustedSince: number;
};

export interface RetiredCa extends Certificate {
  readonly trustUntil: number;
}

/**
 * The certificates to trust, in a fixed order: current, next, previous ones from young to old. The time does not matter on purpose: the
 * bundle changes when the Secret changes, so that all replicas hold the same.
 */
export function trustedCertificates(state: CaState): string {
  const certificates = [state.current, state.next, ...state.previous].flatMap((ca) => ca?.cert ?? []);
  return [...new Set(certificates)].join('');
}
