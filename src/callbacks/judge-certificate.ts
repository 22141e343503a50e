import type { KnownApplication } from './application-lookup.ts';
import { isBefore } from './grounds.ts';
import type { ShownCertificate } from './shown-certificate.ts';

/** Whether a token needs the certificate of its application beside it. `off`: certificates are not looked at. */
export type ClientCertificateMode = 'required' | 'optional' | 'off';

export type CertificateRefusal =
  | 'certificate-missing'
  | 'certificate-unreadable'
  | `certificate-${Extract<ShownCertificate, { kind: 'refused' }>['reason']}`
  /** It is good, and not in the status of its application any more. */
  | 'certificate-revoked'
  /** It is good, and another application's, or of this one's namesake before. */
  | 'certificate-of-another';

export type CertificateJudgement =
  /** `sha256` undefined: none is needed, and none was shown. */
  | { readonly ok: true; readonly sha256: string | undefined }
  | { readonly ok: false; readonly reason: CertificateRefusal };

/** Whether the certificate fits the application whose token was proven. Pure. */
export function judgeCertificate(
  mode: ClientCertificateMode,
  shown: ShownCertificate,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  application: Pick<KnownApplication, 'uid' | 'certificates'>,
  nowMs: number,
): CertificateJudgement {
  if (mode === 'off') return { ok: true, sha256: undefined };
  switch (shown.kind) {
    case 'none':
      return mode === 'required' ? refused('certificate-missing') : { ok: true, sha256: undefined };
    case 'unreadable':
      return refused('certificate-unreadable');
    case 'refused':
      return refused(`certificate-${shown.reason}`);
    case 'verified': {
      const { identity, sha256 } = shown;
      const isOwn =
        identity.namespace === namespace && identity.name === name && identity.uid === application.uid;
      if (!isOwn) return refused('certificate-of-another');
      const listed = application.certificates.find((certificate) => certificate.sha256 === sha256);
      if (listed === undefined) return refused('certificate-revoked');
      return isBefore(nowMs, listed.notAfter) ? { ok: true, sha256 } : refused('certificate-expired');
    }
  }
}

function refused(reason: CertificateRefusal): CertificateJudgement {
  return { ok: false, reason };
}
