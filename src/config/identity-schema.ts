import { z } from 'zod';
import { duration } from './fields.ts';

/** `podIdentity`: projected service account tokens as proof of who signals (KEP-1205). */
export const podIdentitySchema = z
  .strictObject({
    audience: z
      .string()
      .min(1)
      .default('hooks.krake.dev')
      .describe('Audience of the tokens: they are good for the callbacks and nothing else.'),
    tokenLifetime: duration('1h')
      .refine((ms) => ms >= 600_000 && ms <= 3_600_000, 'must be from 10m to 1h')
      .describe('Life of a token, 10m to 1h; the kubelet renews the file before that.'),
    cacheTtl: duration('10s').describe('How long what the API server said of a token is believed.'),
    reviewsPerSecond: z
      .number()
      .positive()
      .default(50)
      .describe('Tokens per second and replica at most that the API server is asked about.'),
  })
  .prefault({});

/** `pki.clientCertificates`: the certificates of applications. */
export const clientCertificatesSchema = z
  .strictObject({
    hookUser: z
      .string()
      .min(1)
      .max(64)
      .default('krake-hooks-application')
      .describe("Common name of each application's certificate."),
    lifetime: duration('24h').describe(
      "Life of an application's certificate, and of the controller's own; it is replaced at two thirds of it.",
    ),
    secretName: z
      .string()
      .default('krake-hooks-signing')
      .describe('Secret with the CA and the intermediate that sign them, and their keys.'),
    trustConfigMapName: z
      .string()
      .default('krake-hooks-client-ca')
      .describe('ConfigMap with the certificates, without keys, by which the callbacks know them.'),
    signingLifetime: duration('2160h').describe(
      'Life of the intermediate that signs them; it is replaced at two thirds of it.',
    ),
    intermediateCert: z
      .string()
      .optional()
      .describe(
        "File with the operator's own intermediate, PEM (its CAs may follow) or PKCS#12; it signs in place of ours.",
      ),
    intermediateKey: z
      .string()
      .optional()
      .describe('File with its private key, RSA or EC, PEM, also encrypted; in a PKCS#12 file it is inside.'),
    intermediatePassphraseFile: z
      .string()
      .optional()
      .describe('File with the passphrase of the key or of the PKCS#12 file.'),
    rootsFile: z
      .string()
      .optional()
      .describe('CA certificates, PEM, to which that intermediate has to lead.'),
  })
  .prefault({});
