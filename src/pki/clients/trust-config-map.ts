import type { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { MANAGED_BY } from '../../contract/index.ts';
import type { KubeObject } from '../../kube/index.ts';
import { certificatesPem, parseCertificates } from '../certificate.ts';
import { sha256 } from './sign-client-certificate.ts';

/** The ConfigMap by which the certificates of applications are known. Public certificates only. */
export interface TrustConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** A certificate that is trusted until then (milliseconds since the epoch). */
export interface TrustedCertificate {
  readonly certificate: X509Certificate;
  readonly sha256: string;
  readonly trustUntil: number;
  /** It signs applications; else it is a CA above such a one. */
  readonly signs: boolean;
}

/** What a replica wants to be trusted: what signs first, then its CAs. */
export interface WantedTrust {
  readonly chain: readonly X509Certificate[];
  /** undefined: it is in use, its end is not known yet */
  readonly trustUntil: number | undefined;
}

/** Every certificate, under the key where gateways look for it. */
const CERTIFICATES = 'ca.crt';
const STATE = 'state.json';

const stateSchema = z.record(z.string(), z.object({ trustUntil: z.iso.datetime(), signs: z.boolean() }));

/**
 * What the ConfigMap says. A certificate without its line in the state is none of ours and left out, and so is what is damaged.
 */
export function parseTrust(configMap: TrustConfigMap | undefined): TrustedCertificate[] {
  const state = readState(configMap?.data?.[STATE]);
  return readCertificates(configMap?.data?.[CERTIFICATES]).flatMap((certificate) => {
    const id = sha256(certificate.raw);
    const known = state[id];
    if (known === undefined) return [];
    return [{ certificate, sha256: id, signs: known.signs, trustUntil: Date.parse(known.trustUntil) }];
  });
}

/**
 * What is to be in the ConfigMap: what is wanted, and what others wanted before until its time is over. So a replica that holds older files, or one that
 * comes from the own CA to files, takes nothing away that is still carried by applications.
 *
 * What is in use is trusted for `holdMs` from now at least; it is prolonged by half of that more, so that this is written seldom.
 */
export function mergeTrust(
  known: readonly TrustedCertificate[],
  wanted: readonly WantedTrust[],
  now: number,
  holdMs: number,
): TrustedCertificate[] {
  const before = new Map(known.map((entry) => [entry.sha256, entry]));
  const merged = new Map(before);
  // What is in use comes last: a CA that an old and a new intermediate share is in use.
  const inOrder = wanted.toSorted((one, two) => Number(isInUse(one)) - Number(isInUse(two)));
  for (const { chain, trustUntil } of inOrder) {
    for (const [index, certificate] of chain.entries()) {
      const id = sha256(certificate.raw);
      const until = trustUntil ?? prolong(before.get(id)?.trustUntil ?? 0, now, holdMs);
      const signs = index === 0 || merged.get(id)?.signs === true;
      merged.set(id, { certificate, sha256: id, signs, trustUntil: until });
    }
  }
  return [...merged.values()]
    .filter(({ trustUntil, certificate }) => trustUntil > now && certificate.validToDate.getTime() > now)
    .sort(newestFirst);
}

/** The certificates in PEM and nothing else. */
export function trustPem(trusted: readonly TrustedCertificate[]): string {
  return certificatesPem(trusted.map(({ certificate }) => certificate));
}

/** The ConfigMap with these certificates in place of what it had; undefined: it has them already. */
export function buildTrustConfigMap(
  configMap: TrustConfigMap | undefined,
  name: string,
  namespace: string,
  trusted: readonly TrustedCertificate[],
): TrustConfigMap | undefined {
  const state = trusted.map(({ sha256: id, trustUntil, signs }) => [
    id,
    { trustUntil: new Date(trustUntil).toISOString(), signs },
  ]);
  const data = {
    [CERTIFICATES]: trustPem(trusted),
    [STATE]: JSON.stringify(Object.fromEntries(state)),
  };
  const isSame = Object.entries(data).every(([key, text]) => configMap?.data?.[key] === text);
  if (isSame) return undefined;
  const metadata = { name, namespace, labels: { 'app.kubernetes.io/managed-by': MANAGED_BY } };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, ...configMap, data };
}

function isInUse({ trustUntil }: WantedTrust): boolean {
  return trustUntil === undefined;
}

function prolong(until: number, now: number, holdMs: number): number {
  return until >= now + holdMs ? until : now + 1.5 * holdMs;
}

/** By the certificates alone, so that all replicas write the same. */
function newestFirst(one: TrustedCertificate, two: TrustedCertificate): number {
  const age = two.certificate.validFromDate.getTime() - one.certificate.validFromDate.getTime();
  return age === 0 ? (one.sha256 < two.sha256 ? -1 : 1) : age;
}

function readState(text: string | undefined): z.output<typeof stateSchema> {
  try {
    return stateSchema.parse(JSON.parse(text ?? '{}'));
  } catch {
    return {}; // written anew by who keeps it
  }
}

function readCertificates(pem: string | undefined): X509Certificate[] {
  try {
    return parseCertificates(pem ?? '');
  } catch {
    return [];
  }
}
