import { X509Certificate, createHash } from 'node:crypto';
import { APPLICATIONS, type Application, type CertificateSource } from '../../src/applications/index.ts';
import { configSchema } from '../../src/config/index.ts';
import { ANNOTATION_REQUEST } from '../../src/contract/index.ts';
import { createKubeClient } from '../../src/kube/index.ts';
import { createClientCertificateIssuer, type ClientCertificateIssuer } from '../../src/pki/index.ts';
import { waitFor } from '../cluster/wait-for.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import {
  NAMESPACE,
  createRecordingLogger,
  type ApplicationsSetting,
  type SecretObject,
} from './applications-setting.ts';

export interface TestIssuer extends CertificateSource {
  readonly issuer: ClientCertificateIssuer;
  stop(): Promise<void>;
}

/** The real issuer with a CA of its own in a Secret of this name; two names, two CAs. */
export async function startIssuer(
  controlPlane: ControlPlane,
  secretName: string,
  lifetimeMs = 3_600_000,
): Promise<TestIssuer> {
  const client = createKubeClient({ kubeconfigPath: controlPlane.kubeconfig, userAgent: 'test-issuer/0' });
  const { clientCertificates } = configSchema.parse({}).pki;
  const issuer = createClientCertificateIssuer(
    { client, logger: createRecordingLogger([]) },
    {
      ...clientCertificates,
      namespace: 'krake-system',
      secretName,
      trustConfigMapName: secretName,
      lifetime: lifetimeMs,
      trustDelay: 1_000,
      pollIntervalMs: 200,
    },
  );
  const ended = new AbortController();
  await issuer.start(ended.signal);
  await waitFor('the issuer to be ready', () => (issuer.ready() ? true : undefined));
  return {
    issuer,
    issue: (application) => issuer.issue(application),
    issuerSha256: () => issuer.issuerSha256(),
    issuerNotAfter: () => issuer.issuerNotAfter(),
    chainPem: () => issuer.chainPem(),
    onChange: (listener) => issuer.onChange(listener),
    async stop() {
      await issuer.stop();
      ended.abort();
      client.close();
    },
  };
}

/** First the one, then the other: as if another intermediate signed from then on. */
export function createChangingIssuer(first: CertificateSource): CertificateSource & {
  change(next: CertificateSource): void;
} {
  let current = first;
  const listeners = new Set<() => void>();
  return {
    issue: (application) => current.issue(application),
    issuerSha256: () => current.issuerSha256(),
    issuerNotAfter: () => current.issuerNotAfter(),
    chainPem: () => first.chainPem() + (current === first ? '' : current.chainPem()),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change(next) {
      current = next;
      for (const listener of listeners) listener();
    },
  };
}

export const fileOf = (secret: SecretObject | undefined, name: string): string =>
  Buffer.from(secret?.data?.[name] ?? '', 'base64').toString();

/** The certificates of a PEM text, the first of them first. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** SHA-256 as the status has it. */
export const sha256Of = (certificate: X509Certificate | undefined): string =>
  (certificate?.fingerprint256 ?? '').replaceAll(':', '').toLowerCase();

/** SHA-256 of the certificates that are taken. */
export const shown = (app: Application | undefined): string[] =>
  app?.status?.certificates?.map((listed) => listed.sha256) ?? [];

/** A person's request to the Application of a Deployment. */
export async function writeRequest(setting: ApplicationsSetting, name: string, text: string): Promise<void> {
  const body = { metadata: { annotations: { [ANNOTATION_REQUEST]: text } } };
  const ref = { resource: APPLICATIONS, namespace: NAMESPACE, name: `deployment-${name}` };
  await setting.admin.patch(ref, { type: 'merge', body });
}

/** Waits until the request is carried out, remembered no more, and what is in the Secret is what the status knows. */
export function untilAnswered(setting: ApplicationsSetting, name: string): Promise<Application> {
  return waitFor(
    `the request of ${name} to be answered`,
    async () => {
      const app = await setting.application(`deployment-${name}`);
      const secret = await setting.secret(`deployment-${name}`);
      const [leaf] = certificatesOf(fileOf(secret, 'cert.pem'));
      const tokenSha256 = createHash('sha256').update(fileOf(secret, 'token')).digest('hex');
      const isDone =
        app?.metadata.annotations?.[ANNOTATION_REQUEST] === undefined &&
        app?.status?.handledRotation === undefined &&
        app?.status?.tokenSha256 === tokenSha256 &&
        shown(app).at(-1) === sha256Of(leaf);
      return isDone ? app : undefined;
    },
    { timeoutMs: 30_000, intervalMs: 20 },
  );
}
