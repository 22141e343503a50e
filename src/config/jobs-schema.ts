import { z } from 'zod';
import { duration, port } from './fields.ts';

/** Section `jobs` of the configuration: job-done webhooks. */
export const jobsSchema = z
  .strictObject({
    host: z.string().default('').describe('Address to listen on; empty: all, IPv6 and IPv4.'),
    port: port(8090).describe(
      'Port of the REST listener; its Service has 8080, which in the process is the health listener. 0 chooses a free one.',
    ),
    tls: z
      .boolean()
      .default(false)
      .describe(
        'Serve HTTPS with a certificate like the other listeners; clients of the original service expect HTTP.',
      ),
    serviceName: z
      .string()
      .default('krake-hooks-jobs')
      .describe('Service in front of the REST listener; its DNS names stand in the certificate.'),
    extraNames: z
      .array(z.string())
      .default([])
      .describe('Further DNS names and IP addresses of the serving certificate.'),
    anonymousNamespaces: z
      .array(z.string())
      .default([])
      .describe(
        'Namespaces in which callers without a token may act (legacy clients), the first one unless they name another; empty: nobody may.',
      ),
    audiences: z
      .array(z.string())
      .default(['krake-hooks'])
      .describe("Audiences of the tokens that are taken; empty: the API server's own."),
    familiesFile: z
      .string()
      .optional()
      .describe(
        'YAML list of jobFamily (name of a CronJob), url, requestBody, description: kept as Webhooks. A changed file counts after some seconds, and a Webhook that somebody changed or deleted is put back.',
      ),
    familiesNamespace: z
      .string()
      .optional()
      .describe('Namespace of those CronJobs and Webhooks; default: the first of anonymousNamespaces.'),
    eventSource: z
      .string()
      .regex(/^(https?:\/\/[^\s/]+)?$/, 'must be a URL without a path, or empty')
      .default('')
      .describe('In front of the source of CloudEvents, to tell clusters apart.'),
    workers: z
      .int()
      .min(1)
      .default(32)
      .describe('Job events that are turned into deliveries at the same time.'),
    catchUp: duration('24h').describe(
      'A Job that ended longer ago than this without being told of (nobody ran) is not told of any more.',
    ),
    finishedTtl: duration('24h').describe('How long finished watchers and deliveries are kept.'),
    deadLetterTtl: duration('168h').describe('How long dead letters are kept, and can be sent again.'),
    maxFinishedPerNamespace: z
      .int()
      .min(1)
      .default(5_000)
      .describe(
        'Finished watchers, finished deliveries, and dead letters: so many of each are kept in one namespace; the oldest go first.',
      ),
    retryBase: duration('5s').describe(
      'First delay of a retry at most; each further one doubles it, with full jitter.',
    ),
    retryCap: duration('4h').describe('No delay of a retry is longer.'),
    retryAfterCeiling: duration('24h').describe('A receiver cannot ask for a longer wait (Retry-After).'),
    maxRefusals: z
      .int()
      .min(1)
      .default(5)
      .describe('Attempts of what is likely to be refused again (4xx, redirects, refused addresses).'),
    disableAfter: duration('120h').describe('An endpoint that has been failing for this long is disabled.'),
    breakerFailures: z
      .int()
      .min(1)
      .default(5)
      .describe('Failures in a row after which an endpoint is spared.'),
    breakerOpen: duration('5s').describe(
      'For how long at first; twice as long after each failed probe, up to a minute.',
    ),
    requestsPerSecond: z
      .number()
      .positive()
      .default(2_000)
      .describe('Requests per second to the Kubernetes API at most.'),
    leaseName: z.string().default('krake-hooks-jobs').describe('Lease of the leader election.'),
    leaseDuration: duration('15s').describe('A leader that has not renewed for this long is replaced.'),
    renewDeadline: duration('10s').describe('A leader that cannot renew for this long gives up.'),
    retryPeriod: duration('2s').describe('Time between tries to get or renew the lease.'),
  })
  .superRefine(({ familiesFile, familiesNamespace, anonymousNamespaces }, context) => {
    if (familiesFile === undefined || familiesNamespace !== undefined || anonymousNamespaces.length > 0)
      return;
    const message =
      'is needed with familiesFile, unless anonymousNamespaces names one: whose CronJobs are they?';
    context.addIssue({ code: 'custom', path: ['familiesNamespace'], message });
  })
  .prefault({});
