import { spawn, type ChildProcess } from 'node:child_process';
import { request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import type { ReplicaProcessOptions } from './pki-replica-process.ts';

/** A line that a replica wrote: its log, and that it is ready. */
export interface ReplicaLine {
  readonly message?: string;
  readonly level?: string;
  readonly reason?: string;
  readonly ready?: boolean;
  readonly port?: number;
}

export interface ReplicaProcess {
  readonly port: number;
  readonly child: ChildProcess;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Starts a replica and waits until it is ready; `onLine` then gets each line that it writes. */
export async function startReplicaProcess(
  options: ReplicaProcessOptions,
  onLine: (line: ReplicaLine, replica: ReplicaProcess) => void,
): Promise<ReplicaProcess> {
  const script = join(import.meta.dirname, 'pki-replica-process.ts');
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return new Promise((resolve, reject) => {
    let replica: ReplicaProcess | undefined;
    child.once('exit', (code) =>
      reject(new Error(`the replica ended with ${String(code)} before it was ready`)),
    );
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = JSON.parse(text) as ReplicaLine;
      replica ??= {
        port: 0,
        child,
        kill: async () => {
          child.kill('SIGKILL');
          await gone;
        },
      };
      if (line.ready === true) {
        replica = { ...replica, port: line.port ?? 0 };
        resolve(replica);
      }
      onLine(line, replica);
    });
  });
}

/** What some clients went through that did one thing over and over. */
export interface Load {
  readonly failures: readonly string[];
  count(): number;
  stop(): Promise<void>;
}

export function startLoad(clients: number, pauseMs: number, once: () => Promise<void>): Load {
  const failures: string[] = [];
  let count = 0;
  let isStopped = false;
  const loop = async (): Promise<void> => {
    while (!isStopped) {
      count++;
      try {
        await once();
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${String(error)}`);
      }
      await sleep(pauseMs);
    }
  };
  const loops = Array.from({ length: clients }, loop);
  return {
    failures,
    count: () => count,
    async stop() {
      isStopped = true;
      await Promise.all(loops);
    },
  };
}

/** A PUT as an application sends it: a connection and a handshake of its own. @returns the name of the CA that signed the server's certificate */
export function put(port: number, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path: '/complete', method: 'PUT', ca, agent: false };
    const outgoing = request({ ...options, timeout: 30_000 }, (response) => {
      const issuer = String((response.socket as TLSSocket).getPeerCertificate().issuer.CN);
      response.resume().on('error', reject);
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(issuer)
          : reject(new Error(`status ${String(response.statusCode)}`)),
      );
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', reject).end('{"token":"x"}');
  });
}
