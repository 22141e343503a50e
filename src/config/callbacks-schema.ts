import { z } from 'zod';
import { port } from './fields.ts';

const endpoint = z
  .url({ protocol: /^https?$/ })
  .refine((text) => !/[?#]/.test(text), 'must have no query and no fragment');

/** `callbacks`: where signals are received, from whom, and how many. */
export const callbacksSchema = z
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
        'Networks (CIDR) of proxies that end TLS; only from them the client certificate is taken out of a header. Everybody (0.0.0.0/0, ::/0) is refused.',
      ),
    forwardedCertificateHeader: z
      .string()
      .regex(/^[A-Za-z0-9-]+$/, 'must be a header name')
      .default('ssl-client-cert')
      .describe(
        'Header in which such a proxy forwards the client certificate, PEM, URL-encoded (as ingress-nginx does).',
      ),
  })
  .prefault({});
