import { request } from 'node:https';
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
  readonly successes: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Requests that were not answered 2xx; a benchmark with any is void. */
  readonly failures: number;
}

export async function runLoad(load: Load): Promise<LoadResult> {
  return load.reconnect === true ? await runHandshakes(load) : await runKeptAlive(load);
}

async function runKeptAlive(load: Load): Promise<LoadResult> {
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
      },
      (error: unknown, finished) => {
        if (error === null || error === undefined) resolve(finished);
        else reject(error instanceof Error ? error : new Error(JSON.stringify(error)));
      },
    );
    instance.on('response', (_client, _status, _bytes, ms) => timesMs.push(ms));
  });
  return summary(result['2xx'], result.duration, timesMs, result.non2xx + result.errors + result.timeouts);
}

/** As the API server does when it has no idle connection left: a full TLS handshake, no session resumed. */
async function runHandshakes(load: Load): Promise<LoadResult> {
  const timesMs: number[] = [];
  let failures = 0;
  const startedAt = performance.now();
  const until = startedAt + load.seconds * 1_000;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      const before = performance.now();
      if (await sendOnce(load)) timesMs.push(performance.now() - before);
      else failures++;
    }
  };
  await Promise.all(Array.from({ length: load.connections }, worker));
  return summary(timesMs.length, (performance.now() - startedAt) / 1_000, timesMs, failures);
}

function sendOnce({ url, method, body }: Load): Promise<boolean> {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const call = request(url, { method, headers, agent: false, rejectUnauthorized: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200));
    });
    call.on('error', () => resolve(false));
    call.end(body);
  });
}

function summary(
  successes: number,
  seconds: number,
  timesMs: readonly number[],
  failures: number,
): LoadResult {
  return {
    perSecond: successes / seconds,
    successes,
    p50Ms: percentile(timesMs, 50),
    p95Ms: percentile(timesMs, 95),
    p99Ms: percentile(timesMs, 99),
    failures,
  };
}
