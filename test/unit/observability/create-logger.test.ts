import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { createLogger } from '../../../src/observability/index.ts';

function lines(level: 'info' | 'debug', use: (logger: ReturnType<typeof createLogger>) => void): unknown[] {
  const stream = new PassThrough();
  use(createLogger({ level, stream }));
  const text = (stream.read() as Buffer | null)?.toString('utf8') ?? '';
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);
}

describe('createLogger', () => {
  it('writes one JSON line with the fields of the logger and of the call', () => {
    const written = lines('info', (logger) =>
      logger.child({ part: 'admission' }).info('pod injected', { reason: 'injected' }),
    );
    expect(written).toEqual([
      {
        time: expect.any(String),
        level: 'info',
        message: 'pod injected',
        part: 'admission',
        reason: 'injected',
      },
    ]);
  });

  it('leaves out what is below its level', () => {
    expect(lines('info', (logger) => logger.debug('quiet'))).toEqual([]);
    expect(lines('debug', (logger) => logger.debug('loud'))).toHaveLength(1);
  });
});
