import { spawn } from 'node:child_process';
import type { SpawnOptions } from 'node:child_process';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Return a code other than 0 instead of throwing. */
  readonly allowFailure?: boolean;
  readonly timeoutMs?: number;
}

/** Runs a command to its end. Throws with what it wrote to stderr when it fails, is missing or takes too long. */
export const runCommand = async (
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> => {
  const { input, allowFailure = false, timeoutMs = 120_000 } = options;
  const spawnOptions: SpawnOptions = {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  };
  const shown = `${command} ${args.join(' ')}`;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, spawnOptions);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
    // A command that ends before it has read its input breaks the pipe; its exit code says what happened.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    child.on('error', (error) => reject(new Error(`${shown}: ${error.message}`, { cause: error })));
    child.on('close', (code, signal) => {
      const stdout = Buffer.concat(out).toString();
      const stderr = Buffer.concat(err).toString();
      if (code === 0 || (code !== null && allowFailure)) resolve({ code, stdout, stderr });
      else {
        const why =
          code === null
            ? `killed by ${signal ?? 'a signal'}, time limit ${timeoutMs} ms`
            : `exit code ${code}`;
        reject(new Error(`${shown}: ${why}\n${stderr || stdout}`.trimEnd()));
      }
    });
  });
};

/** Where a program is, or undefined. */
export const findProgram = async (name: string): Promise<string | undefined> => {
  const { code, stdout } = await runCommand('sh', ['-c', `command -v ${name}`], { allowFailure: true });
  return code === 0 ? stdout.trim() : undefined;
};
