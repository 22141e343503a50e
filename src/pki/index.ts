export {
  createCaBundleKeeper,
  type CaBundleKeeper,
  type CaBundleKeeperDeps,
  type CaBundleKeeperOptions,
} from './ca-bundle-keeper.ts';
export { ANNOTATION_ROTATE } from './ca-secret.ts';
export type { ServingNames } from './certificate-profiles.ts';
export { createFilesPki, type FilesPkiDeps, type FilesPkiOptions } from './files-pki.ts';
export { createClientCaFile, type ClientCaFile } from './client-ca-file.ts';
export type { Pki, PkiExpiry } from './pki.ts';
export { requestRotation } from './request-rotation.ts';
export { createSecretPath, type SecretPath } from './secret-path.ts';
export {
  createSelfManagedPki,
  type SelfManagedPkiDeps,
  type SelfManagedPkiOptions,
} from './self-managed-pki.ts';
export {
  createServingCheck,
  type ServingCheck,
  type ServingCheckDeps,
  type ServingCheckOptions,
} from './serving-check.ts';
export { servingNames, type ServingNamesOptions } from './serving-names.ts';
export type { TrustBundle } from './trust-bundle.ts';
export { verifyServing, type ServingTarget, type ServingVerdict } from './verify-serving.ts';
export { readCaBundles, type WebhookConfigurationRef } from './webhook-configuration.ts';
export type {
  CallerCertificate,
  ClientCertificate,
  ClientCertificateIssuer,
} from './clients/client-certificate.ts';
export {
  createClientCertificateIssuer,
  type ClientCertificateIssuerDeps,
  type ClientCertificateIssuerOptions,
} from './clients/client-certificate-issuer.ts';
export { readClientIdentity, type ClientIdentity } from './clients/client-identity.ts';
export {
  createClientTrust,
  type ClientTrust,
  type ClientTrustDeps,
  type ClientTrustOptions,
} from './clients/client-trust.ts';
export type { ClientRefusal, ClientVerdict } from './clients/judge-client.ts';
