import { createPrivateKey } from 'node:crypto';
import { describeChain, parseCertificates } from '../../../src/pki/certificate.ts';
import type { CallerCertificate, ClientCertificate } from '../../../src/pki/clients/client-certificate.ts';
import type { ClientIdentity } from '../../../src/pki/clients/client-identity.ts';
import { createClientCertificateSigner } from '../../../src/pki/clients/sign-client-certificate.ts';
import { issueOwnSigner } from '../../../src/pki/clients/signing-secret.ts';
import { issueServingCertificate } from '../../../src/pki/issue-certificate.ts';

export const HOUR = 3_600_000;
export const IDENTITY: ClientIdentity = {
  namespace: 'shop',
  name: 'deployment-web',
  uid: '7f0c8d5e-6a1b-4c3d-9e2f-000000000001',
};
export const IDENTITY_URI =
  'spiffe://hooks.krake.dev/namespace/shop/application/deployment-web/uid/7f0c8d5e-6a1b-4c3d-9e2f-000000000001';

/** A CA, its intermediate, and what that signs. */
export interface ClientChain {
  /** PEM */
  readonly ca: string;
  readonly intermediate: string;
  issue(options?: {
    at?: number;
    lifetimeMs?: number;
    hookUser?: string;
    identity?: ClientIdentity;
  }): Promise<ClientCertificate>;
  /** The certificate of the controller. */
  caller(options?: { at?: number; lifetimeMs?: number }): Promise<CallerCertificate>;
  /** A certificate for a server, by the same intermediate: chain and key, PEM. */
  issueServing(): Promise<{ readonly certPem: string; readonly keyPem: string }>;
}

export async function makeClientChain(now: number, lifetimeMs = 100 * HOUR): Promise<ClientChain> {
  // Younger than what is issued "in the past" by tests would be refused for that.
  const signer = await issueOwnSigner(undefined, now, lifetimeMs);
  const [certificate, above] = parseCertificates(signer.cert);
  if (certificate === undefined || above === undefined) throw new Error('no chain');
  const intermediate = describeChain([certificate]);
  const key = createPrivateKey(signer.key);
  const signerFor = (hookUser: string) =>
    createClientCertificateSigner({ certificate, key, notAfter: signer.notAfter }, hookUser);
  return {
    ca: describeChain([above]).cert,
    intermediate: intermediate.cert,
    issue: ({
      at = now,
      lifetimeMs: life = 24 * HOUR,
      hookUser = 'krake-hooks-application',
      identity = IDENTITY,
    } = {}) => signerFor(hookUser).sign(identity, { now: at, lifetimeMs: life }),
    caller: ({ at = now, lifetimeMs: life = 24 * HOUR } = {}) =>
      signerFor('krake-hooks-application').signCaller({ now: at, lifetimeMs: life }),
    async issueServing() {
      const names = { dnsNames: ['hooks.example.org'], ipAddresses: [] };
      const leaf = await issueServingCertificate({ ...intermediate, key: signer.key }, names, {
        now,
        lifetimeMs: HOUR,
      });
      return { certPem: leaf.cert + intermediate.cert, keyPem: leaf.key };
    },
  };
}
