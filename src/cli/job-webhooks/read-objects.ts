import { didYouMean } from '../../contract/index.ts';
import { JOB_DONE_WATCHERS, WEBHOOK_DELIVERIES, WEBHOOKS } from '../../jobs/index.ts';
import {
  isNotFound,
  KubeApiError,
  type KubeClient,
  type KubeObject,
  type Resource,
  type WatchClient,
} from '../../kube/index.ts';

export type ObjectReader = Pick<KubeClient, 'get'> & Pick<WatchClient, 'list'>;

export const KINDS = {
  Webhook: WEBHOOKS,
  JobDoneWatcher: JOB_DONE_WATCHERS,
  WebhookDelivery: WEBHOOK_DELIVERIES,
} as const satisfies Readonly<Record<string, Resource>>;
export type Kind = keyof typeof KINDS;

const PAGE = 500;
/** A list that has become too old while its pages were read is begun anew. */
const RESTARTS = 3;
const MAX_LISTED = 10;

/**
 * All objects of the kind; namespace undefined: of all namespaces.
 *
 * @throws Error for a person when the cluster does not know the kind
 */
export async function readAll<T extends KubeObject>(
  client: Pick<WatchClient, 'list'>,
  kind: Kind,
  namespace: string | undefined,
  fieldSelector?: string,
): Promise<readonly T[]> {
  const items: T[] = [];
  let token: string | undefined;
  for (let restarts = 0; ;) {
    try {
      const page = await client.list<T>(KINDS[kind], namespace, {
        limit: PAGE,
        ...(fieldSelector !== undefined && { fieldSelector }),
        ...(token !== undefined && { continue: token }),
      });
      items.push(...page.items);
      token = page.continue;
      if (token === undefined) return items;
    } catch (error) {
      if (isNotFound(error)) throw notInstalled(kind, error);
      const expired = error instanceof KubeApiError && error.status === 410;
      if (!expired || restarts >= RESTARTS) throw error;
      restarts += 1;
      token = undefined;
      items.length = 0;
    }
  }
}

/** @throws Error for a person that says which there are, when there is none of that name */
export async function readOne<T extends KubeObject>(
  client: ObjectReader,
  kind: Kind,
  namespace: string,
  name: string,
): Promise<T> {
  const found = await client.get<T>({ resource: KINDS[kind], namespace, name });
  if (found !== undefined) return found;
  const all = await readAll<T>(client, kind, namespace);
  throw new Error(`there is no ${kind} "${name}" in namespace ${namespace}; ${hint(name, all)}`);
}

function hint(name: string, all: readonly KubeObject[]): string {
  if (all.length === 0) return 'there is none at all: is that the namespace (-n)?';
  const names = all.map(({ metadata }) => metadata.name ?? '').sort();
  const meant = didYouMean(name, names);
  const listed = names.slice(0, MAX_LISTED).join(', ');
  const more = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : '';
  return `${meant === undefined ? '' : `did you mean "${meant}"? `}there are ${listed}${more}`;
}

function notInstalled(kind: Kind, cause: unknown): Error {
  return new Error(
    `the cluster knows no ${kind}: its CustomResourceDefinition is not installed (kubectl apply -k manifests)`,
    { cause },
  );
}
