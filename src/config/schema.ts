import { z } from 'zod';
import { duration, port } from './fields.ts';
import { clientCertificatesSchema, podIdentitySchema } from './identity-schema.ts';
import { jobsSchema } from './jobs-schema.ts';

const envName = (byDefault: string) =>
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be a name for an environment variable: letters, digits and _')
    .default(byDefault);
const absoluteDirectory = z.string().regex(/^\/[^:]+$/, 'must be an absolute path without ":"');
const fileName = (byDefault: string) =>
  z
    .string()
    .regex(/^[^/:]+$/, 'must be a file name without "/"')
    .default(byDefault);
const endpoint = z
  .url({ protocol: /^https?$/ })
  .refine((text) => !/[?#]/.test(text), 'must have no query and no fragment');

export const PARTS = ['admission', 'gate', 'callbacks', 'controller', 'jobs'] as const;
/** Job-done webhooks are a Deployment of their own, with rights of their own. */
const DEFAULT_PARTS = PARTS.filter((part) => part !== 'jobs');
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
      pathSecretFile: z
        .string()
        .optional()
        .describe(
          'File with an unguessable last segment of the path that the API server asks at; without it the path alone is enough.',
        ),
      mutatingWebhookConfiguration: z
        .string()
        .default('krake-hooks')
        .describe('Name of the MutatingWebhookConfiguration whose caBundle is kept.'),
    })
    .prefault({}),

  injection: z
    .strictObject({
      tokenEnv: z
        .array(envName('KRAKE_TOKEN'))
        .default(['KRAKE_TOKEN'])
        .describe('Environment variables that hold the token.'),
      completeTokenEnv: envName('KRAKE_COMPLETE_TOKEN').describe(
        "Krake's current name of the token for the complete hook.",
      ),
      completeUrlEnv: envName('KRAKE_COMPLETE_URL').describe('Environment variable with the complete URL.'),
      shutdownTokenEnv: envName('KRAKE_SHUTDOWN_TOKEN').describe(
        "Krake's current name of the token for the shutdown hook.",
      ),
      shutdownUrlEnv: envName('KRAKE_SHUTDOWN_URL').describe('Environment variable with the shutdown URL.'),
      mountDirectories: z
        .array(absoluteDirectory)
        .min(1)
        .default(['/etc/krake_cert'])
        .describe('Directories where the TLS files are mounted read-only.'),
      caBundleFile: fileName('ca-bundle.pem').describe('File name of the CA bundle in them.'),
      certFile: fileName('cert.pem').describe(
        "File name of the application's certificate in them, the intermediate after it.",
      ),
      keyFile: fileName('key.pem').describe('File name of its private key in them.'),
      tokenFileEnv: envName('KRAKE_TOKEN_FILE').describe(
        'With `auth: pod-identity`: environment variable with the path of the token.',
      ),
      tokenDirectory: absoluteDirectory
        .default('/var/run/secrets/hooks.krake.dev')
        .describe('With `auth: pod-identity`: directory of the token, mounted read-only.'),
      fsGroup: z
        .int()
        .min(1)
        .default(65_532)
        .describe(
          'Group that may read the private key, given to a pod that has no fsGroup of its own and no volume whose files it would change.',
        ),
    })
    .prefault({}),

  callbacks: z
    .strictObject({
      host: z.string().default('').describe('Address to listen on; empty: all, IPv6 and IPv4.'),
      port: port(8444).describe('Port of the callback listener; 0 chooses a free one.'),
      serviceName: z
        .string()
        .default('krake-hooks-callbacks')
        .describe('Service in front of the callback listener; its DNS names stand in the certificate.'),
      servicePort: port(443).describe('Port of that Service, as injected URLs name it.'),
      externalEndpoint: endpoint
        .optional()
        .describe(
          'Base URL that applications use instead of the Service address, for example behind an ingress; a path prefix is kept.',
        ),
      extraNames: z
        .array(z.string())
        .default([])
        .describe('Further DNS names and IP addresses of the serving certificate.'),
      bodyLimitBytes: z.int().min(128).default(65_536).describe('Largest request body.'),
      ratePerApplicationPerSecond: z
        .number()
        .positive()
        .default(20)
        .describe(
          'Proven signals per second and application beyond which 429 is answered; a repeat that needs no write counts a tenth.',
        ),
      rateBurst: z
        .int()
        .positive()
        .default(60)
        .describe('Proven signals of one application that may come at once.'),
      clientCertificate: z
        .enum(['required', 'optional', 'off'])
        .default('required')
        .describe(
          'Whether a token needs the certificate of its application beside it; optional: one that is shown has to fit. A pod identity needs none.',
        ),
      trustedProxies: z
        .array(z.string())
        .default([])
        .describe(
          'Networks (CIDR) of proxies that end TLS; only from them the client certificate is taken out of a header.',
        ),
      forwardedCertificateHeader: z
        .string()
        .regex(/^[A-Za-z0-9-]+$/, 'must be a header name')
        .default('ssl-client-cert')
        .describe(
          'Header in which such a proxy forwards the client certificate, PEM, URL-encoded (as ingress-nginx does).',
        ),
    })
    .prefault({}),

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
      pathSecretFile: z
        .string()
        .optional()
        .describe(
          'File with an unguessable last segment of the path that the API server asks at; without it the path alone is enough.',
        ),
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
      answerTimeout: duration('60s').describe(
        'For the answer of a shutdown service; its deadline ends the call in any case.',
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
      caFile: z
        .string()
        .optional()
        .describe('CA certificates, PEM, that are trusted besides the usual ones when a call goes to https.'),
      maxConcurrentCalls: z
        .int()
        .min(1)
        .default(1_000)
        .describe('Calls at the same time at most; further ones wait.'),
    })
    .prefault({}),

  controller: z
    .strictObject({
      workers: z.int().min(1).default(8).describe('Applications that are reconciled at the same time.'),
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
        .default(200)
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
