import winston from 'winston';
import type { LogFields, Logger } from './logger.ts';

export interface LoggerOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  /** Where the lines go; default: standard output. */
  readonly stream?: NodeJS.WritableStream;
}

/** JSON lines `{time, level, message, …fields}`, one line per decision. */
export function createLogger(options: LoggerOptions): Logger {
  const transport =
    options.stream === undefined
      ? new winston.transports.Console()
      : new winston.transports.Stream({ stream: options.stream });
  const sink = winston.createLogger({
    level: options.level,
    format: winston.format.combine(
      winston.format((info) => ({ time: new Date().toISOString(), ...info }))(),
      winston.format.json({ deterministic: false }),
    ),
    transports: [transport],
  });
  return wrap(sink, {});
}

function wrap(sink: winston.Logger, bound: LogFields): Logger {
  // A line below the level must cost nothing: winston would build it before it asks.
  const write = (level: 'error' | 'warn' | 'info' | 'debug') => (message: string, fields?: LogFields) => {
    if (sink.isLevelEnabled(level)) sink.log({ ...bound, ...fields, level, message });
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => wrap(sink, { ...bound, ...fields }),
  };
}
