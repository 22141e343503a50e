import winston from 'winston';
import { createLineWriter } from './line-writer.ts';
import type { LogFields, Logger } from './logger.ts';

export interface LoggerOptions {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  /** Where the lines go; default: standard output. */
  readonly stream?: NodeJS.WritableStream;
}

/** JSON lines `{time, level, message, …fields}`, one line per decision. */
export function createLogger(options: LoggerOptions): Logger {
  const stream = options.stream ?? createLineWriter(process.stdout.fd);
  const sink = winston.createLogger({
    level: options.level,
    format: jsonLine(),
    transports: [new winston.transports.Stream({ stream })],
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

/** winston reads the finished line from this property of the info object. */
const LINE = Symbol.for('message');

/** One JSON.stringify a line: fields are flat, so winston's own format (guards against cycles, a copy for each step) would cost six times as much. */
const jsonLine = winston.format((info) => {
  info[LINE] = JSON.stringify({ time: new Date().toISOString(), ...info });
  return info;
});
