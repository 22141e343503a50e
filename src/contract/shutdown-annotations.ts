import { didYouMean } from './did-you-mean.ts';
import { parseDuration } from './duration.ts';
import {
  ANNOTATION_SHUTDOWN_FAILURE,
  ANNOTATION_SHUTDOWN_ON,
  ANNOTATION_SHUTDOWN_RETRIES,
  ANNOTATION_SHUTDOWN_SERVICE,
  ANNOTATION_SHUTDOWN_TIMEOUT,
  ANNOTATION_SHUTDOWN_WHEN,
  COUNT_OF_PODS,
  MAX_SHUTDOWN_RETRIES,
  MAX_SHUTDOWN_TIMEOUT_MS,
  SHUTDOWN_CAUSES,
  SHUTDOWN_FAILURES,
  type ShutdownCause,
  type ShutdownFailure,
} from './labels.ts';
import { DEFAULT_SHUTDOWN_SERVICE, parseShutdownService } from './shutdown-service.ts';

/** How an application wants to be asked to shut down; the same fields as `spec.shutdown` of an Application. */
export interface ShutdownChoice {
  /** As {@link parseShutdownService} reads it. */
  readonly service: string;
  readonly timeoutSeconds: number;
  readonly retries: number;
  readonly failure: ShutdownFailure;
  readonly causes: readonly ShutdownCause[];
  /** `all`, `any` or a number from 1. */
  readonly when: string;
}

export const DEFAULT_SHUTDOWN: ShutdownChoice = {
  service: DEFAULT_SHUTDOWN_SERVICE,
  timeoutSeconds: 60,
  retries: 0,
  failure: 'delete',
  causes: ['deletion', 'eviction'],
  when: 'all',
};

type Annotations = Readonly<Record<string, string>> | undefined;
/** Says what is wrong with a value and what is used instead. */
type Warn = (key: string, problem: string) => void;

/**
 * Reads the `shutdown-*` annotations. Never throws: what cannot be read is replaced by its default with a warning, a misspelt failure by
 * `give-up`: whoever wrote one meant to choose, and deleting cannot be taken back.
 */
export function parseShutdownAnnotations(annotations: Annotations, warnings: string[]): ShutdownChoice {
  const warn: Warn = (key, problem) => warnings.push(`${key}: ${problem}`);
  return {
    service: parseService(annotations?.[ANNOTATION_SHUTDOWN_SERVICE], warn),
    timeoutSeconds: parseTimeout(annotations?.[ANNOTATION_SHUTDOWN_TIMEOUT], warn),
    retries: parseRetries(annotations?.[ANNOTATION_SHUTDOWN_RETRIES], warn),
    failure: parseFailure(annotations?.[ANNOTATION_SHUTDOWN_FAILURE], warn),
    causes: parseOn(annotations?.[ANNOTATION_SHUTDOWN_ON], warn),
    when: parseWhen(annotations?.[ANNOTATION_SHUTDOWN_WHEN], warn),
  };
}

function parseService(value: string | undefined, warn: Warn): string {
  if (value === undefined) return DEFAULT_SHUTDOWN.service;
  if (parseShutdownService(value) !== undefined) return value.trim();
  const form =
    'write [http://|https://]NAME[:PORT][/PATH] with a Service of this namespace, or pod:PORT[/PATH]';
  warn(
    ANNOTATION_SHUTDOWN_SERVICE,
    `"${quote(value)}" is no shutdown service, "${DEFAULT_SHUTDOWN.service}" is used; ${form}`,
  );
  return DEFAULT_SHUTDOWN.service;
}

function parseTimeout(value: string | undefined, warn: Warn): number {
  if (value === undefined) return DEFAULT_SHUTDOWN.timeoutSeconds;
  const ms = parseDuration(value.trim());
  if (ms !== undefined && ms >= 1_000 && ms <= MAX_SHUTDOWN_TIMEOUT_MS) return Math.ceil(ms / 1_000);
  const used = `${DEFAULT_SHUTDOWN.timeoutSeconds}s is used; write a duration from 1s to 24h, like 90s, 5m or PT5M`;
  warn(ANNOTATION_SHUTDOWN_TIMEOUT, `"${quote(value)}" cannot be used, ${used}`);
  return DEFAULT_SHUTDOWN.timeoutSeconds;
}

function parseRetries(value: string | undefined, warn: Warn): number {
  if (value === undefined) return DEFAULT_SHUTDOWN.retries;
  const retries = /^\d{1,4}$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (retries <= MAX_SHUTDOWN_RETRIES) return retries;
  warn(
    ANNOTATION_SHUTDOWN_RETRIES,
    `"${quote(value)}" cannot be used, ${DEFAULT_SHUTDOWN.retries} is used; write a number from 0 to ${MAX_SHUTDOWN_RETRIES}`,
  );
  return DEFAULT_SHUTDOWN.retries;
}

function parseFailure(value: string | undefined, warn: Warn): ShutdownFailure {
  if (value === undefined) return DEFAULT_SHUTDOWN.failure;
  const failure = SHUTDOWN_FAILURES.find((candidate) => candidate === value.trim());
  if (failure !== undefined) return failure;
  warn(
    ANNOTATION_SHUTDOWN_FAILURE,
    unknown(value, SHUTDOWN_FAILURES, '"give-up" is used until it is corrected'),
  );
  return 'give-up';
}

function parseOn(value: string | undefined, warn: Warn): readonly ShutdownCause[] {
  if (value === undefined) return DEFAULT_SHUTDOWN.causes;
  const words = value
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const wrong = words.find((word) => !(SHUTDOWN_CAUSES as readonly string[]).includes(word));
  if (wrong !== undefined) warn(ANNOTATION_SHUTDOWN_ON, unknown(wrong, SHUTDOWN_CAUSES, 'it is ignored'));
  const causes = SHUTDOWN_CAUSES.filter((cause) => words.includes(cause));
  if (causes.length > 0) return causes;
  warn(ANNOTATION_SHUTDOWN_ON, `names no cause, "${DEFAULT_SHUTDOWN.causes.join(',')}" is used`);
  return DEFAULT_SHUTDOWN.causes;
}

function parseWhen(value: string | undefined, warn: Warn): string {
  if (value === undefined) return DEFAULT_SHUTDOWN.when;
  const text = value.trim();
  if (COUNT_OF_PODS.test(text)) return text;
  warn(
    ANNOTATION_SHUTDOWN_WHEN,
    `"${quote(value)}" cannot be used, "all" is used; write all, any or a number from 1`,
  );
  return DEFAULT_SHUTDOWN.when;
}

function unknown(value: string, known: readonly string[], consequence: string): string {
  const meant = didYouMean(value, known);
  const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`;
  return `unknown value "${quote(value)}", ${consequence}; ${hint}`;
}

function quote(value: string): string {
  return value.slice(0, 63);
}
