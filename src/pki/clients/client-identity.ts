import type { X509Certificate } from 'node:crypto';
import { GROUP } from '../../contract/index.ts';

/** The Application that a certificate speaks for. */
export interface ClientIdentity {
  readonly namespace: string;
  readonly name: string;
  /** UID of the Application: a namesake that is created later has another one. */
  readonly uid: string;
}

/**
 * The URI in the certificate of the controller, with which it signs what it asks of applications that share no secret with it. No Application has one like it.
 */
export const CALLER_URI = `spiffe://${GROUP}/controller`;

const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const NAME = `${LABEL}(?:\\.${LABEL})*`;
const UID = '[A-Za-z0-9][-A-Za-z0-9]{0,62}';
const URI = new RegExp(
  `^spiffe://${GROUP.replaceAll('.', '\\.')}/namespace/(${LABEL})/application/(${NAME})/uid/(${UID})$`,
);
/** Longer is no name that Kubernetes takes. */
const MAX_URI_LENGTH = 512;

/**
 * The URI by which a certificate names its Application.
 *
 * @throws Error when a part of it is no name of Kubernetes': nothing is escaped, so that each URI has one reading
 */
export function clientIdentityUri({ namespace, name, uid }: ClientIdentity): string {
  const uri = `spiffe://${GROUP}/namespace/${namespace}/application/${name}/uid/${uid}`;
  if (parseClientIdentityUri(uri) === undefined) {
    throw new Error('namespace, name or UID of the Application cannot stand in a certificate');
  }
  return uri;
}

/**
 * Whom the certificate speaks for; undefined: its alternative names are not exactly one URI as {@link clientIdentityUri} writes it. Says nothing
 * of who signed it, nor whether it has ended.
 */
export function readClientIdentity(certificate: X509Certificate): ClientIdentity | undefined {
  const names = certificate.subjectAltName;
  // Node puts names with unusual characters into quotes and separates several by ", ": neither is a name of ours.
  if (names?.startsWith('URI:') !== true) return undefined;
  return parseClientIdentityUri(names.slice('URI:'.length));
}

function parseClientIdentityUri(uri: string): ClientIdentity | undefined {
  if (uri.length > MAX_URI_LENGTH) return undefined;
  const [, namespace, name, uid] = URI.exec(uri) ?? [];
  if (namespace === undefined || name === undefined || uid === undefined) return undefined;
  return { namespace, name, uid };
}
