import { MAX_CERTIFICATES, type ApplicationStatus, type CertificateStatus } from './application.ts';
import type { Step } from './application-view.ts';
import { nextStatus } from './next-status.ts';
import { certificateIssued, certificateRenewed, certificateRepaired } from './planned-events.ts';
import type { CertificateIdentity } from './secret-contents.ts';
import type { Situation } from './situation.ts';

type Renewal = 'first' | 'lost' | 'interrupted' | 'another-issuer' | 'age';

/**
 * The certificate in the Secret is the newest that is listed, its signer is the one that signs now, and it is not too old. Otherwise another one
 * is made; the former one is taken until it ends, and no pod is restarted.
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

function reasonToIssue(s: Situation): Renewal | undefined {
  const { issuerSha256 } = s.view;
  if (issuerSha256 === undefined) return undefined;
  const listed = s.status.certificates ?? [];
  const newest = listed.at(-1);
  const found = inSecret(s);
  if (found === undefined) return newest === undefined ? 'first' : 'lost';
  if (newest === undefined || !isSame(found, newest)) {
    // Listed, and then the controller died: nothing that a person has to hear of.
    return listed.some((one) => isSame(found, one)) ? 'interrupted' : 'lost';
  }
  if (newest.issuerSha256 !== issuerSha256) return 'another-issuer';
  return s.now >= renewAt(newest) ? 'age' : undefined;
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
