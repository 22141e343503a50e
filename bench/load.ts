import autocannon from 'autocannon';
import { percentile } from './report.ts';

export interface Load {
  readonly url: string;
  readonly method: 'POST' | 'PUT';
  readonly body: string;
  readonly connections: number;
  readonly seconds: number;
  /** A new connection, so a new TLS handshake, for each request. */
  readonly reconnect?: boolean;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Requests that were not answered 2xx; a benchmark with any is void. */
  readonly failures: number;
}

export async function runLoad(load: Load): Promise<LoadResult> {
  const timesMs: number[] = [];
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url: load.url,
        method: load.method,
        body: load.body,
        connections: load.connections,
        duration: load.seconds,
        headers: { 'content-type': 'application/json' },
        tlsOptions: { rejectUnauthorized: false },
        ...(load.reconnect === true && { reconnectRate: 1 }),
      },
      (error: unknown, finished) => {
        if (error === null || error === undefined) resolve(finished);
        else reject(error instanceof Error ? error : new Error(JSON.stringify(error)));
      },
    );
    instance.on('response', (_client, _status, _bytes, ms) => timesMs.push(ms));
  });
  return {
    perSecond: result['2xx'] / result.duration,
    p50Ms: percentile(timesMs, 50),
    p95Ms: percentile(timesMs, 95),
    p99Ms: percentile(timesMs, 99),
    failures: result.non2xx + result.errors + result.timeouts,
  };
}
