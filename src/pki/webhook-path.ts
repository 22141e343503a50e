import type { WebhookConfiguration } from './webhook-configuration.ts';

/** As hex at least 128 bits. */
const SECRET_SEGMENT = /^[A-Za-z0-9_-]{32,}$/;

type ClientConfig = NonNullable<WebhookConfiguration['webhooks']>[number]['clientConfig'];

/** The secret last segments that the webhooks name below this path, each once. */
export function readSecretSegments(configuration: WebhookConfiguration, path: string): string[] {
  const segments = (configuration.webhooks ?? []).map((webhook) =>
    secretSegmentOf(webhook.clientConfig, path),
  );
  return [...new Set(segments.filter((segment) => segment !== undefined))];
}

/**
 * The JSON Patch that has each webhook ask at the path with this last segment, or undefined when each names a secret one. It holds only for the
 * configuration as it was read.
 */
export function buildWebhookPathPatch(
  configuration: WebhookConfiguration,
  path: string,
  segment: string,
): unknown[] | undefined {
  const operations = (configuration.webhooks ?? []).flatMap(({ name, clientConfig }, index) => {
    if (secretSegmentOf(clientConfig, path) !== undefined) return [];
    const wanted = `${path}/${segment}`;
    const at = `/webhooks/${index}`;
    return [
      { op: 'test', path: `${at}/name`, value: name },
      clientConfig.url === undefined
        ? { op: 'add', path: `${at}/clientConfig/service/path`, value: wanted }
        : { op: 'add', path: `${at}/clientConfig/url`, value: new URL(wanted, clientConfig.url).href },
    ];
  });
  if (operations.length === 0) return undefined;
  const version = configuration.metadata.resourceVersion;
  return [{ op: 'test', path: '/metadata/resourceVersion', value: version }, ...operations];
}

function secretSegmentOf({ url, service }: ClientConfig, path: string): string | undefined {
  const asked = url === undefined ? (service?.path ?? '') : (URL.parse(url)?.pathname ?? '');
  if (!asked.startsWith(`${path}/`)) return undefined;
  const segment = asked.slice(path.length + 1);
  return SECRET_SEGMENT.test(segment) ? segment : undefined;
}
