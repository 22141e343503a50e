import { readFileSync } from 'node:fs';
import { parseFamilies, syncFamilies, type JobFamily } from '../jobs/index.ts';
import { pause, systemClock, type Clock } from '../kube/index.ts';
import type { Shared } from './shared.ts';

/** A mounted ConfigMap is seldom written more often; a look is one list of our Webhooks, and what could not be done is tried again as often. */
const LOOK_AGAIN_AFTER_MS = 10_000;

/**
 * Keeps the Webhooks of the namespace as the file of job families says, while the signal lasts: both are looked at again and again, so that a changed file
 * counts, what somebody changed or deleted is put back, and what the API server refused is tried again. Never rejects.
 *
 * @param onFirst called once after the first look
 */
export async function keepFamilies(
  { config, client, logger }: Pick<Shared, 'config' | 'client' | 'logger'>,
  signal: AbortSignal,
  onFirst: () => void,
  clock: Clock = systemClock,
): Promise<void> {
  const { familiesFile, familiesNamespace, anonymousNamespaces } = config.jobs;
  const namespace = familiesNamespace ?? anonymousNamespaces[0];
  if (familiesFile === undefined || namespace === undefined) {
    onFirst();
    return;
  }
  let parsed: { readonly text: string; readonly families: readonly JobFamily[] } | undefined;
  let told: string | undefined;
  const look = async (): Promise<readonly string[]> => {
    try {
      const text = readFileSync(familiesFile, 'utf8');
      if (parsed?.text !== text) parsed = { text, families: parseFamilies(text) };
      return await syncFamilies(client, namespace, parsed.families);
    } catch (error) {
      return [error instanceof Error ? error.message : 'unknown'];
    }
  };
  do {
    const problems = await look();
    const said = problems.join('; ');
    // A file that cannot be used must not keep deliveries from going out, and is told of once.
    if (said !== '' && said !== told)
      logger.error('some job families are not as their file says; it is tried again', { problems });
    told = said;
    onFirst();
    await pause(clock, LOOK_AGAIN_AFTER_MS, signal);
  } while (!signal.aborted);
}
