import { createHash } from 'node:crypto';
import { createToken, sha256 } from './application-secret.ts';
import type { Application, ApplicationStatus, CertificateStatus } from './application.ts';
import type { ApplicationView, Step } from './application-view.ts';
import { replaceStatus, type ApplicationWriterDeps } from './application-writer.ts';
import type { IssuedCertificate, ReconcileDeps } from './controller-deps.ts';
import { timestamp } from './next-status.ts';
import { canIssue } from './plan-certificate.ts';
import type { SecretWriter } from './secret-writer.ts';

type IssueStep = Extract<Step, { readonly do: 'issue-token' | 'issue-certificate' }>;
type IssueDeps = Pick<ReconcileDeps, 'certificates' | 'now' | 'randomBytes'> & ApplicationWriterDeps;

/**
 * Makes what the step asks for, stores its hashes and then puts it into the Secret: whoever holds a token or a certificate is known, whatever
 * happens between these two writes. Returns the Application as it was stored.
 */
export async function issueCredentials(
  app: Application,
  view: ApplicationView,
  step: IssueStep,
  deps: IssueDeps,
  secrets: SecretWriter,
  signal: AbortSignal,
): Promise<Application> {
  const hasSecrets = app.spec.auth === 'token';
  const token = hasSecrets && step.do === 'issue-token' ? createToken(deps.randomBytes) : undefined;
  const { namespace, name, uid } = app.metadata;
  // Without what signs, the token alone: pods wait for the rest, and nobody else does.
  const isSigned = hasSecrets && canIssue(view, deps.now());
  const certificate = isSigned ? await deps.certificates?.issue({ namespace, name, uid }) : undefined;
  signal.throwIfAborted();
  const status: ApplicationStatus = {
    ...step.status,
    ...(token === undefined ? {} : { tokenSha256: sha256(token), tokenIssuedAt: timestamp(deps.now()) }),
    ...(certificate === undefined
      ? {}
      : { certificates: [...(step.status.certificates ?? []), describe(certificate, uid, deps.now())] }),
  };
  const stored = await replaceStatus(app, status, deps, signal);
  await secrets.write(stored, { token, certificate }, view.live?.secret.state === 'ours', signal);
  return stored;
}

/** Renewals of what was issued at once are spread over this part of the time until then. */
const SPREAD = 0.15;

function describe(certificate: IssuedCertificate, applicationUid: string, now: number): CertificateStatus {
  const { sha256: hash, issuerSha256, notBefore, notAfter, renewAt } = certificate;
  const earlier = Math.max(0, renewAt - now) * SPREAD * fractionOf(applicationUid);
  return {
    sha256: hash,
    issuerSha256,
    notBefore: timestamp(notBefore),
    notAfter: timestamp(notAfter),
    renewAt: timestamp(renewAt - earlier),
  };
}

/** In [0, 1): the same each time for one application, evenly spread over many. */
function fractionOf(uid: string): number {
  return createHash('sha256').update(uid).digest().readUInt32BE() / 2 ** 32;
}
