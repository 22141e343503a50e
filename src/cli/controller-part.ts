import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { buildAdmissionSettings } from '../admission/index.ts';
import { createApplicationController, type ApplicationController } from '../applications/index.ts';
import { SYSTEM_NAMESPACES, callbackPath } from '../contract/index.ts';
import { createLeaderElector } from '../kube/index.ts';
import type { OutboundCaller } from '../outbound/index.ts';
import { createClientCertificateIssuer } from '../pki/index.ts';
import { createUninstaller } from '../uninstall/index.ts';
import { controllerMetrics, queueMetrics, reflectorMetrics } from './area-metrics.ts';
import type { Component } from './lifecycle.ts';
import { createOutbound } from './outbound.ts';
import type { Part, Shared } from './shared.ts';
import { createShutdownCaller } from './shutdown-caller.ts';
import { stampPatch } from './stamp-patch.ts';

/** Leader election, and while this replica leads, the controller. */
export function controllerPart({ config, client, logger, metrics, events, pki, identity }: Shared): Part {
  const { controller, namespace } = config;
  const settings = buildAdmissionSettings(config);
  const log = logger.child({ part: 'controller' });
  const outbound = createOutbound({ client, logger, metrics }, config.outbound);
  const issuer = createClientCertificateIssuer(
    { client, logger, events },
    { ...config.pki.clientCertificates, namespace, trustDelay: config.pki.trustDelay },
  );
  const callShutdown = createShutdownCaller(outbound, () => issuer.caller(), config.outbound, Date.now);
  let running: ApplicationController | undefined;
  let isBeingUninstalled = false;

  const lead = async (signal: AbortSignal): Promise<void> => {
    // The elector itself may have started after that.
    if (isBeingUninstalled) return;
    const leading = createApplicationController(
      {
        client,
        logger: log,
        events,
        trustBundle: pki.trustBundle,
        certificates: issuer,
        metrics: controllerMetrics(metrics),
        queueMetrics: queueMetrics(metrics),
        reflectorMetrics: reflectorMetrics(metrics),
        now: Date.now,
        randomBytes,
        stampPatch: (object) => stampPatch(object, settings),
        callShutdown,
        confirmUrl: (namespaceOf, application) =>
          `${settings.callbackBase}${callbackPath(namespaceOf, application, 'shutdown')}`,
      },
      {
        workers: controller.workers,
        resyncIntervalMs: controller.resyncInterval,
        finishedTtlMs: controller.finishedTtl,
        tokens: { lifetimeMs: controller.tokenLifetime, graceMs: controller.tokenGrace },
        excludedNamespaces: [...SYSTEM_NAMESPACES, namespace],
      },
    );
    running = leading;
    await leading.start(signal);
    if (!signal.aborted) await once(signal, 'abort');
    await leading.stop();
    running = undefined;
  };

  const elector = createLeaderElector({
    client,
    namespace,
    leaseName: controller.leaseName,
    identity,
    leaseDurationMs: controller.leaseDuration,
    renewDeadlineMs: controller.renewDeadline,
    retryPeriodMs: controller.retryPeriod,
    onStartedLeading: lead,
    logger: log,
  });

  const uninstaller = createUninstaller(
    {
      client,
      logger: log,
      leads: () => elector.isLeader(),
      // Whoever does not lead puts no finalizer on anything, and what signs certificates is not made again.
      onBegin: async () => {
        isBeingUninstalled = true;
        await elector.stop();
        await issuer.stop();
      },
      onDone: () => process.kill(process.pid, 'SIGTERM'),
    },
    { namespace, validatingWebhookConfiguration: config.gate.validatingWebhookConfiguration },
  );

  return {
    // Started first and so stopped last, since it may have to clean up: also after a restart while everything is being deleted.
    beforeCertificates: [uninstaller],
    components: [callerComponent(outbound), issuer, elector],
    checks: [
      { name: 'controller: certificates of applications can be signed', ready: () => issuer.ready() },
      {
        name: 'controller: standby, or leader with its caches synced',
        ready: () => (elector.isLeader() ? running?.ready() === true : elector.ready()),
      },
    ],
    beforeScrape() {
      metrics.set('krake_hooks_leader', {}, elector.isLeader() ? 1 : 0);
      const signingNotAfter = issuer.issuerNotAfter();
      if (signingNotAfter !== undefined)
        metrics.set(
          'krake_hooks_certificate_expiry_timestamp_seconds',
          { certificate: 'signing' },
          signingNotAfter / 1000,
        );
      for (const [phase, count] of running?.phases() ?? [])
        metrics.set('krake_hooks_applications', { phase }, count);
    },
  };
}

/** Nothing is to be started; calls under way are ended. */
function callerComponent(outbound: OutboundCaller): Component {
  return {
    name: 'outbound caller',
    start: () => Promise.resolve(),
    stop: () => outbound.close(),
    ready: () => true,
  };
}
