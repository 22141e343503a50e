import type { KubeClient, KubeObject, ObjectRef } from '../kube/index.ts';
import { parseCertificates } from './certificate.ts';

/** A webhook configuration of the API server, cluster-scoped. */
export interface WebhookConfigurationRef {
  readonly kind: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration';
  readonly name: string;
}

/** The fields of a webhook configuration, of either kind, that this area reads. */
export interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: {
      readonly caBundle?: string;
      readonly url?: string;
      readonly service?: { readonly path?: string };
    };
  }[];
}

export const WEBHOOKS_API_VERSION = 'admissionregistration.k8s.io/v1';
const PLURALS = {
  MutatingWebhookConfiguration: 'mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: 'validatingwebhookconfigurations',
} as const;

export function objectRefOf({ kind, name }: WebhookConfigurationRef): ObjectRef {
  return { resource: { apiVersion: WEBHOOKS_API_VERSION, plural: PLURALS[kind] }, name };
}

/**
 * The CA bundles (PEM) that the API server uses now, each different one once; a webhook without one counts as an empty text. Empty list: no
 * configuration, or one without webhooks.
 */
export async function readCaBundles(
  client: Pick<KubeClient, 'get'>,
  ref: WebhookConfigurationRef,
): Promise<string[]> {
  const configuration = await client.get<WebhookConfiguration>(objectRefOf(ref));
  return [
    ...new Set((configuration?.webhooks ?? []).map((webhook) => decode(webhook.clientConfig.caBundle))),
  ];
}

/** True when each webhook of these configurations trusts the certificate (PEM); one that does not exist (yet) asks nobody. */
export async function isTrustedByWebhooks(
  client: Pick<KubeClient, 'get'>,
  refs: readonly WebhookConfigurationRef[],
  cert: string,
): Promise<boolean> {
  const [wanted] = parseCertificates(cert);
  const bundles = (await Promise.all(refs.map((ref) => readCaBundles(client, ref)))).flat();
  return bundles.every((bundle) =>
    readable(bundle).some((certificate) => certificate.fingerprint256 === wanted?.fingerprint256),
  );
}

/**
 * The JSON Patch that gives each webhook this caBundle, or undefined when all have it. It holds only for the configuration as it was read:
 * resource version, position and name of each webhook are tested, so webhooks that were re-ordered in between make it fail
 * instead of hitting the wrong one.
 */
export function buildCaBundlePatch(configuration: WebhookConfiguration, pem: string): unknown[] | undefined {
  const caBundle = Buffer.from(pem).toString('base64');
  const operations = (configuration.webhooks ?? []).flatMap((webhook, index) =>
    webhook.clientConfig.caBundle === caBundle
      ? []
      : [
          { op: 'test', path: `/webhooks/${index}/name`, value: webhook.name },
          { op: 'add', path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
        ],
  );
  if (operations.length === 0) return undefined;
  const version = configuration.metadata.resourceVersion;
  return [{ op: 'test', path: '/metadata/resourceVersion', value: version }, ...operations];
}

function decode(caBundle: string | undefined): string {
  return Buffer.from(caBundle ?? '', 'base64').toString('utf8');
}

function readable(pem: string): ReturnType<typeof parseCertificates> {
  try {
    return parseCertificates(pem);
  } catch {
    return []; // a damaged bundle trusts nobody
  }
}
