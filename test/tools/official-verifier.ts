import { join } from 'node:path';
import { runCommand } from '../cluster/run-command.ts';
import type { PythonTools } from './python-tools.ts';

/** A request as a receiver got it, and the key that it knows. */
export interface Signed {
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the official library of Standard Webhooks says of each: `ok`, or why not. */
export async function verifyOfficially(
  tools: PythonTools | undefined,
  requests: readonly Signed[],
): Promise<string[]> {
  if (tools === undefined) throw new Error('the official verifier is not installed');
  const script = join(import.meta.dirname, 'verify-webhooks.py');
  const { stdout } = await runCommand(tools.python, [script], { input: JSON.stringify(requests) });
  return JSON.parse(stdout) as string[];
}
