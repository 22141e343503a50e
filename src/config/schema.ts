import { z } from 'zod';
import { callbacksSchema } from './callbacks-schema.ts';
import { duration, port } from './fields.ts';
import { clientCertificatesSchema, podIdentitySchema } from './identity-schema.ts';
import { injectionSchema } from './injection-schema.ts';
import { jobsSchema } from './jobs-schema.ts';

/** Of both listeners that the API server calls: by what names it finds them, and how they know it. */
const whoMayAsk = {
  extraNames: z
    .array(z.string())
    .default([])
    .describe('Further DNS names and IP addresses of the serving certificate.'),
  clientCaFile: z
    .string()
    .optional()
    .describe(
      'CA certificates, PEM, of the client certificate that the API server shows; without it none is asked for. See docs/security.md.',
    ),
  clientNames: z
    .array(z.string())
    .default([])
    .describe('Common names that this certificate may have; empty: any that the CA has signed.'),
  secretPath: z
    .boolean()
    .default(false)
    .describe(
      'Answer only at a path with an unguessable last segment, which is made and put into the webhook configuration. See docs/security.md.',
    ),
};

export const PARTS = ['admission', 'gate', 'callbacks', 'controller', 'jobs'] as const;
/** Job-done webhooks are a Deployment of their own, with rights of their own. */
export const DEFAULT_PARTS = PARTS.filter((part) => part !== 'jobs');
export type Part = (typeof PARTS)[number];

/**
 * The whole configuration. Each `.describe` is the key's documentation; docs/configuration.md is generated from it. Numbers with a
 * unit carry it in their name, durations are text.
 */
export const configSchema = z.strictObject({
  parts: z.array(z.enum(PARTS)).min(1).default(DEFAULT_PARTS).describe('Which parts this process runs.'),
  namespace: z
    .string()
    .min(1)
    .default('krake-system')
    .describe("The service's own namespace: its Secrets and Leases live here, and hooks never touch it."),
  kubeconfig: z
    .string()
    .optional()
    .describe(
      'Path of a kubeconfig file; without it the service account of the pod is used, then the usual kubeconfig.',
    ),
  kubeContext: z.string().optional().describe('Context of the kubeconfig; default: its current one.'),
  logLevel: z
    .enum(['error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('Least severe level that is logged.'),
  shutdownDelay: duration('5s').describe(
    'After SIGTERM: how long the service stays open while being not ready, so that its endpoints are removed first.',
  ),
  shutdownDeadline: duration('25s').describe(
    'After SIGTERM: at this time at the latest every connection is closed and the process ends.',
  ),

  admission: z
    .strictObject({
      host: z.string().default('').describe('Address to listen on; empty: all, IPv6 and IPv4.'),
      port: port(8443).describe('Port of the admission listener; 0 chooses a free one.'),
      deadline: duration('2500ms').describe(
        'Time for one review; below the webhook timeout of 3 s, so that the caller hears why.',
      ),
      serviceName: z
        .string()
        .default('krake-hooks-admission')
        .describe('Service in front of the admission listener; its DNS names stand in the certificate.'),
      ...whoMayAsk,
      mutatingWebhookConfiguration: z
        .string()
        .default('krake-hooks')
        .describe('Name of the MutatingWebhookConfiguration whose caBundle is kept.'),
    })
    .prefault({}),

  injection: injectionSchema,

  callbacks: callbacksSchema,
  podIdentity: podIdentitySchema,

  gate: z
    .strictObject({
      host: z.string().default('').describe('Address to listen on; empty: all, IPv6 and IPv4.'),
      port: port(8445).describe('Port of the gate listener; 0 chooses a free one.'),
      deadline: duration('4500ms').describe(
        'Time for one review; below the webhook timeout of 5 s, so that the caller hears why.',
      ),
      serviceName: z
        .string()
        .default('krake-hooks-gate')
        .describe('Service in front of the gate listener; its DNS names stand in the certificate.'),
      ...whoMayAsk,
      validatingWebhookConfiguration: z
        .string()
        .default('krake-hooks-gate')
        .describe('Name of the ValidatingWebhookConfiguration whose caBundle is kept.'),
      evictionRetryAfterSeconds: z
        .int()
        .min(1)
        .max(60)
        .default(2)
        .describe(
          'Retry-After of a refused eviction; kubectl drain and the cluster autoscaler come back after it.',
        ),
    })
    .prefault({}),

  outbound: z
    .strictObject({
      connectTimeout: duration('3s').describe(
        'For a connection to a shutdown service or a receiver, TLS included.',
      ),
      answerTimeout: duration('0s').describe(
        'For the answer of a shutdown service; 0s: it may come after the work, for the end of the round ends the call.',
      ),
      allowCidrs: z
        .array(z.string())
        .default([])
        .describe(
          'Networks that may be called although they are refused by default (loopback, link-local, metadata services, the API server, ...).',
        ),
      denyCidrs: z
        .array(z.string())
        .default([])
        .describe("Further networks that must not be called, for example the nodes'."),
      inClusterNamespaces: z
        .array(z.string())
        .default(['*'])
        .describe(
          'Namespaces whose Services Webhooks may call by name: "*" all, "." the Webhook\'s own. Never those of the namespace that this service runs in. Addresses are for denyCidrs.',
        ),
      ownAddresses: z
        .array(z.string())
        .default([])
        .describe('Addresses of this pod, which must not be called; the manifests set it (status.podIPs).'),
      caFile: z
        .string()
        .optional()
        .describe('CA certificates, PEM, that are trusted besides the usual ones when a call goes to https.'),
      maxConcurrentCalls: z
        .int()
        .min(1)
        .default(2_000)
        .describe(
          'Calls at the same time at most; further ones wait. A namespace takes at most half of what the others leave, an application half of that.',
        ),
    })
    .prefault({}),

  controller: z
    .strictObject({
      workers: z.int().min(1).default(32).describe('Applications that are reconciled at the same time.'),
      resyncInterval: duration('10m').describe(
        'Each Application is checked again at least this often (Secret, stamp).',
      ),
      finishedTtl: duration('1h').describe('How long a finished Application is kept.'),
      tokenLifetime: duration('0s').describe(
        'Age at which the token of an application is replaced; 0s: never by itself. The mounted file follows, environment variables do not.',
      ),
      tokenGrace: duration('1h').describe('How long the old token is still taken after that.'),
      requestsPerSecond: z
        .number()
        .positive()
        .default(1_000)
        .describe('Requests per second to the Kubernetes API at most.'),
      leaseName: z.string().default('krake-hooks-controller').describe('Lease of the leader election.'),
      leaseDuration: duration('15s').describe('A leader that has not renewed for this long is replaced.'),
      renewDeadline: duration('10s').describe('A leader that cannot renew for this long gives up.'),
      retryPeriod: duration('2s').describe('Time between tries to get or renew the lease.'),
    })
    .prefault({}),

  jobs: jobsSchema,

  pki: z
    .strictObject({
      mode: z
        .enum(['self-managed', 'files'])
        .default('self-managed')
        .describe('Own CA in a Secret, or certificates from files (cert-manager, own PKI).'),
      caSecretName: z.string().default('krake-hooks-ca').describe('self-managed: Secret of the CA.'),
      caLifetime: duration('8760h').describe(
        'self-managed: life of a CA; it is replaced at two thirds of it.',
      ),
      leafLifetime: duration('24h').describe(
        'self-managed: life of a serving certificate; it is replaced at two thirds of it.',
      ),
      trustDelay: duration('5m').describe(
        'self-managed: how long a new CA is trusted before it signs what is served; mounted bundles follow within two minutes.',
      ),
      certFile: z
        .string()
        .default('/etc/krake-hooks/tls/tls.crt')
        .describe('files: serving certificate chain, PEM.'),
      keyFile: z.string().default('/etc/krake-hooks/tls/tls.key').describe('files: its private key, PEM.'),
      caFile: z
        .string()
        .default('/etc/krake-hooks/tls/ca.crt')
        .describe('files: CA certificates that applications and the API server trust, PEM.'),
      clientCertificates: clientCertificatesSchema,
      patchCaBundle: z
        .boolean()
        .default(true)
        .describe('Keep the caBundle of the webhook configuration; off when something else does.'),
    })
    .prefault({}),

  health: z
    .strictObject({
      host: z.string().default('').describe('Address to listen on; empty: all, IPv6 and IPv4.'),
      port: port(8080).describe(
        'Port of the plain HTTP listener for /healthz, /readyz and /metrics; 0 chooses a free one.',
      ),
    })
    .prefault({}),
});

export type Config = z.infer<typeof configSchema>;
/** What a file or a test may write: every key optional, durations as text. */
export type ConfigInput = z.input<typeof configSchema>;
