/** The configuration cannot be used; the message names every key at fault and what is expected there. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
