import { KubeApiError, type KubeObject, type Resource, type WatchClient } from '../kube/index.ts';
import { answer, problem, type Outcome } from './outcome.ts';

/** Without a limit of the caller's own. */
export const MAX_PAGE = 1_000;
/** So many are read at once, and an answer of about so many bytes is the last of its page: a Webhook's body alone may have 64 KiB. */
export const CHUNK = 100;
const MAX_PAGE_BYTES = 8_388_608;
const MAX_CONTINUE = 2_048;

export interface PageQuery {
  readonly limit: string | undefined;
  readonly continue: string | undefined;
}

/**
 * One page of a list, read live: what was created by another replica is in it. The next page, if there is one, is named by the headers `Link` (rel=next) and
 * `Continue`; a page may be shorter than its limit.
 */
export async function listPage(
  client: Pick<WatchClient, 'list'>,
  resource: Resource,
  namespace: string,
  {
    query,
    path,
    fieldSelector,
  }: { readonly query: PageQuery; readonly path: URL; readonly fieldSelector?: string },
  toAnswer: (object: KubeObject) => unknown,
): Promise<Outcome> {
  const limit = query.limit === undefined ? MAX_PAGE : Number(query.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    return problem(400, 'malformed', `limit must be a whole number from 1 to ${MAX_PAGE}.`);
  }
  const token = query.continue;
  if (token !== undefined && (token === '' || token.length > MAX_CONTINUE)) return badToken();
  const selector = fieldSelector === undefined || fieldSelector === '' ? {} : { fieldSelector };
  try {
    const { items, next } = await readPage(client, resource, namespace, { limit, token, selector }, toAnswer);
    return answer(200, items, nextHeaders(path, next));
  } catch (error) {
    if (isStale(error, token !== undefined)) return badToken();
    throw error;
  }
}

interface PartsOptions {
  readonly limit: number;
  readonly token: string | undefined;
  readonly selector: { readonly fieldSelector?: string };
}

async function readPage(
  client: Pick<WatchClient, 'list'>,
  resource: Resource,
  namespace: string,
  { limit, token, selector }: PartsOptions,
  toAnswer: (object: KubeObject) => unknown,
): Promise<{ readonly items: readonly unknown[]; readonly next: string | undefined }> {
  const items: unknown[] = [];
  let bytes = 0;
  let next = token;
  do {
    const part = await client.list(resource, namespace, {
      limit: Math.min(CHUNK, limit - items.length),
      ...(next !== undefined && { continue: next }),
      ...selector,
    });
    for (const object of part.items) {
      const item = toAnswer(object);
      bytes += JSON.stringify(item).length;
      items.push(item);
    }
    next = part.continue;
  } while (next !== undefined && items.length < limit && bytes < MAX_PAGE_BYTES);
  return { items, next };
}

function isStale(error: unknown, hadToken: boolean): boolean {
  return error instanceof KubeApiError && (error.status === 410 || (error.status === 400 && hadToken));
}

function nextHeaders(path: URL, token: string | undefined): Record<string, string> {
  if (token === undefined) return {};
  const parameters = new URLSearchParams(path.searchParams);
  parameters.set('continue', token);
  return { Link: `<${path.pathname}?${parameters.toString()}>; rel="next"`, Continue: token };
}

function badToken(): Outcome {
  return problem(
    400,
    'continue-invalid',
    'continue is no token of a page before, or too old: begin with the first page.',
  );
}
