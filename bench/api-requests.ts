import { setTimeout as sleep } from 'node:timers/promises';
import { getFromApi, type ApiEndpoint } from '../test/cluster/api-request.ts';

/** How many requests the API server has answered so far, by verb and resource; watches and leases left out. */
export type RequestCounts = ReadonlyMap<string, number>;

const QUIET_MS = 3_000;
const DRAINED_WITHIN_MS = 300_000;
const LINE = /^apiserver_request_total\{(.*)\} (\S+)$/;

export async function countRequests(endpoint: ApiEndpoint): Promise<RequestCounts> {
  const counts = new Map<string, number>();
  for (const line of (await metricsOf(endpoint)).split('\n')) {
    const [, labels = '', value] = LINE.exec(line) ?? [];
    if (value === undefined) continue;
    const label = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
    const resource = [label('resource'), label('subresource')].filter((part) => part !== '').join('/');
    if (label('verb') === 'WATCH' || resource === 'leases' || resource === '') continue;
    const key = `${label('verb')} ${resource}`;
    counts.set(key, (counts.get(key) ?? 0) + Number(value));
  }
  return counts;
}

/** Until no Event has come for some seconds: they are sent long after what they tell of, and would be paid for by what is measured next. */
export async function untilEventsDrained(endpoint: ApiEndpoint): Promise<void> {
  const eventsSoFar = async () => (await countRequests(endpoint)).get('POST events') ?? 0;
  const deadline = performance.now() + DRAINED_WITHIN_MS;
  let before = Number.NaN;
  for (let events = await eventsSoFar(); events !== before; events = await eventsSoFar()) {
    if (performance.now() > deadline) throw new Error('Events come without end');
    before = events;
    await sleep(QUIET_MS);
  }
}

/** Processor time that the API server has used so far. */
export async function apiServerCpuSeconds(endpoint: ApiEndpoint): Promise<number> {
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(await metricsOf(endpoint))?.[1]);
}

async function metricsOf(endpoint: ApiEndpoint): Promise<string> {
  const { status, body } = await getFromApi(endpoint, '/metrics', 60_000);
  if (status !== 200) throw new Error(`the API server answered its metrics with ${status}`);
  return body;
}

/** What has come in between, the most first. */
export function since(before: RequestCounts, after: RequestCounts): RequestCounts {
  const grown = [...after].map(([key, count]) => [key, count - (before.get(key) ?? 0)] as const);
  return new Map(grown.filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a));
}
