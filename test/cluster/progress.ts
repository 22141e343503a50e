/** Progress goes to stderr: what a command prints on stdout stays usable in a pipe. */
export const say = (text: string): void => {
  process.stderr.write(`cluster: ${text}\n`);
};

/** Something that a person should not overlook, such as a check that can't run here. */
export const warn = (text: string): void => {
  process.stderr.write(`cluster: WARNING: ${text}\n`);
};

const everyMs = 10_000;

/** Runs a step that may take long and says every ten seconds that it is still at it, so that nobody thinks it hangs. */
export const withProgress = async <T>(step: string, run: () => Promise<T>): Promise<T> => {
  const startedAt = Date.now();
  const seconds = (): string => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  say(`${step} ...`);
  const timer = setInterval(() => say(`${step} ... ${seconds()}`), everyMs);
  try {
    const result = await run();
    say(`${step}: done in ${seconds()}`);
    return result;
  } finally {
    clearInterval(timer);
  }
};
