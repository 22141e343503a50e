import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks again until the answer is not undefined.
 *
 * @throws Error saying what was waited for, and the last error if there was one, at the time limit
 */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  do {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(200);
  } while (Date.now() < deadline);
  throw new Error(`not seen within ${timeoutMs / 1000} s: ${what}`, { cause: last });
}
