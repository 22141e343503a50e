import type { Express } from 'express';
import type { Clock, KubeClient, RecordedEvent } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import type { ApplicationLookup } from './application-lookup.ts';
import { createAudit, type Audit } from './audit.ts';
import type { CallbackMetrics } from './callback-metrics.ts';
import { createCallbackRouter, type CallbackRouterOptions } from './callback-router.ts';
import type { ClientCertificates } from './client-certificates.ts';
import { createGoodbyeStore } from './goodbye-store.ts';
import { createIssuerKeys } from './issuer-keys.ts';
import { createPodIdentity, type PodIdentityOptions } from './pod-identity.ts';
import { createPodMembership } from './pod-membership.ts';
import { createShownCertificate } from './shown-certificate.ts';
import { createSignalStore } from './signal-store.ts';
import { createTrustedProxies } from './trusted-proxies.ts';

export interface CallbacksDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'patch'> & {
    getRaw(
      path: string,
      options?: { readonly timeoutMs?: number; readonly accept?: string },
    ): Promise<unknown>;
  };
  readonly applications: ApplicationLookup;
  readonly certificates: ClientCertificates;
  readonly events: { record(event: RecordedEvent): void };
  readonly logger: Logger;
  readonly metrics: CallbackMetrics;
  readonly clock: Clock;
}

export interface CallbacksOptions extends CallbackRouterOptions {
  readonly podIdentity: PodIdentityOptions;
  /** Networks whose header is believed. */
  readonly trustedProxies: readonly string[];
  readonly forwardedCertificateHeader: string;
}

export interface Callbacks {
  /** The handler of the listener. */
  readonly router: Express;
  /** To be started before the listener, so that it is stopped after it. */
  readonly audit: Audit;
}

/** The router with all that it needs. @throws Error when `trustedProxies` has something that is no network */
export function createCallbacks(deps: CallbacksDeps, options: CallbacksOptions): Callbacks {
  const { client, certificates, metrics, clock } = deps;
  const shownCertificate = createShownCertificate(certificates, {
    isTrustedProxy: createTrustedProxies(options.trustedProxies),
    forwardedHeader: options.forwardedCertificateHeader.toLowerCase(),
    now: () => clock.now(),
  });
  const keys = createIssuerKeys(client, clock);
  const audit = createAudit(deps);
  const router = createCallbackRouter(
    {
      ...deps,
      store: createSignalStore(client, { now: () => clock.now() }),
      goodbyes: createGoodbyeStore(client),
      identity: createPodIdentity({ client, keys, metrics, clock }, options.podIdentity),
      pods: createPodMembership(client, clock, { ttlMs: options.podIdentity.cacheTtlMs }),
      shownCertificate,
      audit,
    },
    options,
  );
  return { router, audit };
}
