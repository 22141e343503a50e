import { z } from 'zod';
import { parseDuration } from '../contract/index.ts';

/** Text such as `90s`, `1h30m` or `PT90S`; read as milliseconds. */
export const duration = (byDefault: string) =>
  z
    .string()
    .default(byDefault)
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined) return ms;
      context.addIssue({
        code: 'custom',
        message: `"${text}" is no duration; write it like 90s, 1h30m or PT90S`,
      });
      return z.NEVER;
    });

/** A TCP port. */
export const port = (byDefault: number) => z.int().min(0).max(65_535).default(byDefault);
