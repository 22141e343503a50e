import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface ServerProcess {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a script of this folder that prints its port as its first line. */
export function startServer(
  script: string,
  args: readonly string[],
  stderr: 'ignore' | 'inherit' = 'ignore',
): Promise<ServerProcess> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
      stdio: ['ignore', 'pipe', stderr],
    });
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${script} ended with code ${code} before it listened`)));
    child.stdout.once('data', (chunk: Buffer) => {
      child.stdout.resume();
      resolve({
        port: Number.parseInt(chunk.toString('utf8'), 10),
        pid: child.pid ?? 0,
        async stop() {
          child.kill('SIGKILL');
          await ended;
        },
      });
    });
    process.once('exit', () => child.kill('SIGKILL'));
  });
}
