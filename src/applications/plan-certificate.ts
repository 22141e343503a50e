import { MAX_CERTIFICATES, type ApplicationStatus, type CertificateStatus } from './application.ts';
import type { ApplicationView, PlannedEvent, Step } from './application-view.ts';
import { nextStatus, type ConditionChange } from './next-status.ts';
import {
  certificateIssued,
  certificateRenewed,
  certificateRepaired,
  signingCertificateEnded,
} from './planned-events.ts';
import type { CertificateIdentity } from './secret-contents.ts';
import type { Situation } from './situation.ts';
import { refsOf } from './wish.ts';

/** One that would be good for no longer than this after the one there is, is not made in its place; less where lives are short. */
const MIN_GAIN_MS = 60_000;
const SECOND_MS = 1_000;

type Renewal = 'first' | 'lost' | 'interrupted' | 'another-issuer' | 'age';

/**
 * The certificate in the Secret is the newest that is listed, its signer is the one that signs now, and it is not too old. Otherwise another one
 * is made; the former one is taken until it ends, and no pod is restarted. While nothing can sign, everything else goes on without.
 */
export function planCertificate(s: Situation): Step | undefined {
  const why = reasonToIssue(s);
  if (why === undefined) return undefined;
  const { name } = s.app.metadata;
  const status = nextStatus(s, {
    certificates: makeRoom(s),
    caBundleSha256: s.view.caBundleSha256,
  });
  const event =
    why === 'first'
      ? certificateIssued(name)
      : why === 'lost'
        ? certificateRepaired(name)
        : certificateRenewed(name, why === 'another-issuer' ? 'another intermediate signs' : 'in good time');
  return { do: 'issue-certificate', status, events: [event] };
}

/** There is one that signs, and it has not come to its end. */
export function canIssue(
  { issuerSha256, issuerNotAfter }: Pick<ApplicationView, 'issuerSha256' | 'issuerNotAfter'>,
  now: number,
): boolean {
  return issuerSha256 !== undefined && (issuerNotAfter === undefined || issuerNotAfter > now);
}

/** Says that the application cannot have another certificate; empty: it can, or needs none. */
export function certificateConditions(s: Situation): readonly ConditionChange[] {
  const { app, status, view, now } = s;
  if (app.spec.auth !== 'token' || status.finishedAt !== undefined) return [];
  if (view.issuerSha256 === undefined || canIssue(view, now)) return [];
  const { reason, note } = signingCertificateEnded(app.metadata.name, view.issuerNotAfter ?? now);
  return [{ type: 'Certified', status: 'False', reason, message: note }];
}

/** The Event of it, once. */
export function certificateEvents(s: Situation): readonly PlannedEvent[] {
  const isKnown = s.status.conditions?.some(({ type, status }) => type === 'Certified' && status === 'False');
  if (isKnown === true || certificateConditions(s).length === 0) return [];
  return [signingCertificateEnded(s.app.metadata.name, s.view.issuerNotAfter ?? s.now, refsOf(s.asking))];
}

function reasonToIssue(s: Situation): Renewal | undefined {
  const { issuerSha256, issuerNotAfter } = s.view;
  if (!canIssue(s.view, s.now)) return undefined;
  const listed = s.status.certificates ?? [];
  const newest = listed.at(-1);
  const found = inSecret(s);
  if (found === undefined) return newest === undefined ? 'first' : 'lost';
  if (newest === undefined || !isSame(found, newest)) {
    // Listed, and then the controller died: nothing that a person has to hear of.
    return listed.some((one) => isSame(found, one)) ? 'interrupted' : 'lost';
  }
  if (newest.issuerSha256 !== issuerSha256) return 'another-issuer';
  if (s.now < renewAt(newest)) return undefined;
  // None outlives its issuer: towards the end of that they would be made faster and faster, for nothing.
  const end = Date.parse(newest.notAfter);
  const enough = Math.max(SECOND_MS, Math.min(MIN_GAIN_MS, end - renewAt(newest)));
  return (issuerNotAfter ?? Infinity) - end < enough ? undefined : 'age';
}

function isSame(a: CertificateIdentity, b: CertificateIdentity): boolean {
  return a.sha256 === b.sha256 && a.issuerSha256 === b.issuerSha256;
}

/** When the certificate is to be replaced, ms since 1970. */
export function renewAt(certificate: CertificateStatus): number {
  const begin = Date.parse(certificate.notBefore);
  // One that says nothing of it: two thirds of its life.
  return certificate.renewAt === undefined
    ? begin + ((Date.parse(certificate.notAfter) - begin) * 2) / 3
    : Date.parse(certificate.renewAt);
}

/** Those that have not ended; undefined: none. */
export function certificatesInForce({
  status,
  now,
}: Pick<Situation, 'status' | 'now'>): ApplicationStatus['certificates'] {
  const list = (status.certificates ?? []).filter(({ notAfter }) => Date.parse(notAfter) > now);
  return list.length === 0 ? undefined : list;
}

/** The same, with room for another one. The one that pods have now is never given up for it: the controller may die again and again after listing one. */
export function makeRoom(s: Situation): ApplicationStatus['certificates'] {
  const list = [...(certificatesInForce(s) ?? [])];
  const inUse = inSecret(s)?.sha256;
  while (list.length >= MAX_CERTIFICATES) {
    list.splice(
      Math.max(
        0,
        list.findIndex(({ sha256 }) => sha256 !== inUse),
      ),
      1,
    );
  }
  return list.length === 0 ? undefined : list;
}

function inSecret({ live: { secret } }: Situation): CertificateIdentity | undefined {
  return secret.state === 'ours' ? secret.certificate : undefined;
}
