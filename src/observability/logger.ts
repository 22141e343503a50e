/** Fields of a log line: flat, bounded, never a token, a key or a whole object. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined | readonly string[]>>;

/** The port that every area logs through. Messages are static sentences; what varies goes into fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line. */
  child(fields: LogFields): Logger;
}
