import type { Config } from '../config/index.ts';
import type { HttpsListenerOptions } from '../http/index.ts';
import type { ReadinessCheck } from '../observability/index.ts';
import { createClientCaFile, createSecretPath, type WebhookConfigurationRef } from '../pki/index.ts';
import type { ReviewCallers } from '../review/index.ts';
import type { Component } from './lifecycle.ts';
import type { Shared } from './shared.ts';

export interface WebhookListener {
  readonly part: 'admission' | 'gate';
  readonly webhookConfiguration: WebhookConfigurationRef;
  /** Where reviews are answered. */
  readonly path: string;
}

/** What keeps everybody but the API server from a webhook's listener, as far as it is configured. */
export interface OnlyApiServer {
  /** For the listener. */
  readonly clients: Pick<HttpsListenerOptions, 'clients'>;
  /** For the handler. */
  readonly callers: ReviewCallers;
  /** To be started before the listener. */
  readonly components: readonly Component[];
  readonly checks: readonly ReadinessCheck[];
}

/** @throws Error when names are listed and no certificate is asked for */
export function onlyApiServer(
  { config, client, logger }: Pick<Shared, 'config' | 'client' | 'logger'>,
  { part, webhookConfiguration, path }: WebhookListener,
): OnlyApiServer {
  const settings: Config['admission'] | Config['gate'] = config[part];
  const log = logger.child({ part });
  if (settings.clientNames.length > 0 && settings.clientCaFile === undefined) {
    throw new Error(`${part}.clientNames: needs ${part}.clientCaFile, by which the certificate is verified`);
  }
  const clientCa =
    settings.clientCaFile === undefined
      ? undefined
      : createClientCaFile({ logger: log }, { file: settings.clientCaFile, key: `${part}.clientCaFile` });
  const secretPath = settings.secretPath
    ? createSecretPath({ client, logger: log }, { webhookConfiguration, path })
    : undefined;
  return {
    clients: clientCa === undefined ? {} : { clients: { trust: clientCa, handshake: 'refuse' } },
    callers: {
      names: settings.clientNames,
      ...(secretPath !== undefined && { secretSegment: secretPath }),
    },
    components: [clientCa, secretPath].filter((component) => component !== undefined),
    checks:
      secretPath === undefined
        ? []
        : [{ name: `${part}: secret path in the webhook configuration`, ready: () => secretPath.ready() }],
  };
}
