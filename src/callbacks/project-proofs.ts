import { field, textField } from './field.ts';
import type { KnownCertificate, KnownFormerToken, KnownProofs } from './known-proofs.ts';

const SHA256_HEX = /^[0-9a-f]{64}$/;
/** More than the schema allows of any of these is not read. */
const MAX_LISTED = 64;
const NO_TOKENS: readonly KnownFormerToken[] = [];
const NO_CERTIFICATES: readonly KnownCertificate[] = [];
const NO_UIDS: readonly string[] = [];

/** Reads what proves a sender, defensively like all of the cache: what cannot be read proves nothing, and keeps its place. */
export function projectProofs(spec: unknown, status: unknown): KnownProofs {
  const auth = textField(spec, 'auth') === 'pod-identity' ? 'pod-identity' : 'token';
  return {
    auth,
    tokenSha256: sha256Of(status, 'tokenSha256') || undefined,
    formerTokens: listOf(field(status, 'formerTokens'), NO_TOKENS, (token) => ({
      sha256: sha256Of(token, 'sha256'),
      validUntil: textField(token, 'validUntil') ?? '',
    })),
    certificates: listOf(field(status, 'certificates'), NO_CERTIFICATES, (certificate) => ({
      sha256: sha256Of(certificate, 'sha256'),
      notAfter: textField(certificate, 'notAfter') ?? '',
    })),
    workloadUids:
      auth === 'token'
        ? NO_UIDS
        : listOf(field(status, 'workloads'), NO_UIDS, (workload) => textField(workload, 'uid') ?? ''),
  };
}

function listOf<T>(value: unknown, none: readonly T[], read: (member: unknown) => T): readonly T[] {
  return Array.isArray(value) && value.length > 0 ? value.slice(0, MAX_LISTED).map(read) : none;
}

function sha256Of(value: unknown, name: string): string {
  const text = textField(value, name) ?? '';
  return SHA256_HEX.test(text) ? text : '';
}
