import type { AnswerReason, CallbackMetrics } from '../../../src/callbacks/index.ts';
import type { LogFields, Logger } from '../../../src/observability/index.ts';

export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

export function createRecordingLogger(): Logger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const write =
    (level: Line['level']) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push({ level, message, fields });
  const logger: Logger & { readonly lines: Line[] } = {
    lines,
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => logger,
  };
  return logger;
}

export function createRecordingMetrics(): CallbackMetrics & {
  readonly answers: { readonly hook: string; readonly status: number; readonly reason: AnswerReason }[];
  readonly stores: string[];
  readonly reviews: string[];
} {
  const answers: { hook: string; status: number; reason: AnswerReason }[] = [];
  const stores: string[] = [];
  const reviews: string[] = [];
  return {
    answers,
    stores,
    reviews,
    reviewed: (outcome) => void reviews.push(outcome),
    answered: (hook, status, reason) => void answers.push({ hook, status, reason }),
    stored: (outcome) => void stores.push(outcome),
  };
}
