import { didYouMean } from './did-you-mean.ts';
import { ANNOTATION_REDELIVER, ANNOTATION_SETTLED, ON_JOB_ANNOTATIONS } from './job-annotations.ts';
import { parseShutdownAnnotations, type ShutdownChoice } from './shutdown-annotations.ts';
import {
  ANNOTATION_AUTH,
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_COMPLETE_WHEN,
  ANNOTATION_CONTAINERS,
  ANNOTATION_HOOKS,
  ANNOTATION_REQUEST,
  ANNOTATION_STAMPED_FROM,
  AUTHS,
  COMPLETE_ACTIONS,
  COUNT_OF_PODS,
  GROUP,
  HOOKS,
  SETTING_ANNOTATIONS,
  USER_ANNOTATIONS,
  type Auth,
  type CompleteAction,
  type Hook,
} from './labels.ts';

/** What the annotations of one object ask for. */
export interface HookRequest {
  /** Enabled hooks in the order of {@link HOOKS}, each once; empty: none asked for. */
  readonly hooks: readonly Hook[];
  /** Names of the containers to inject; undefined: every regular container. */
  readonly containers: readonly string[] | undefined;
  readonly completeAction: CompleteAction;
  /** Whose signal completes the application: `any`, `all` or a number of pods. With `auth: token` always `any`: a token tells no pod from another. */
  readonly completeWhen: string;
  /** What the application proves itself with. */
  readonly auth: Auth;
  /** How it wants to be asked to shut down; the defaults where nothing is said. */
  readonly shutdown: ShutdownChoice;
  /** What the user should hear of, in words, with what was probably meant. Never contains more than annotation keys and values. */
  readonly warnings: readonly string[];
}

/** Nobody reads more, and comparing letters costs: an annotation may hold a million wrong words. */
const MAX_WARNINGS = 20;

type Annotations = Readonly<Record<string, string>> | undefined;

/**
 * Reads the annotations of a workload, job template, pod template or pod. Never throws: an unknown hook is left out and an
 * unknown action falls back to `delete` only if no complete hook is lost by it (see below), each with a warning.
 *
 * A misspelt complete-action falls back to `none`, not to the default `delete`: whoever wrote one meant something other than
 * the default, and deleting is the one action that cannot be taken back. A misspelt complete-when is `all` for the same reason, and a misspelt
 * auth is `pod-identity`: then nothing secret is stored, and no single pod speaks for all.
 */
export function parseHookAnnotations(annotations: Annotations): HookRequest {
  const warnings: string[] = [];
  const hooks = parseHooks(annotations?.[ANNOTATION_HOOKS], warnings);
  const completeAction = parseCompleteAction(annotations?.[ANNOTATION_COMPLETE_ACTION], warnings);
  const auth = parseAuth(annotations?.[ANNOTATION_AUTH], warnings);
  const completeWhen = parseCompleteWhen(annotations?.[ANNOTATION_COMPLETE_WHEN], warnings);
  const shutdown = parseShutdownAnnotations(annotations, warnings);
  const containers = splitList(annotations?.[ANNOTATION_CONTAINERS]);
  warnings.push(...misspeltKeys(annotations));
  return {
    hooks,
    containers: containers.length > 0 ? containers : undefined,
    completeAction,
    completeWhen: auth === 'token' ? 'any' : completeWhen,
    auth,
    shutdown,
    warnings,
  };
}

/**
 * The annotations of a pod template that asks for hooks, with the settings of its workload over them: complete-* and shutdown-* may stand
 * in either place, and the workload's own win. Where the workload itself asks, only its own annotations count.
 */
export function withOwnSettings(
  template: Readonly<Record<string, string>>,
  own: Annotations,
): Readonly<Record<string, string>> {
  const settings = SETTING_ANNOTATIONS.filter((key) => own?.[key] !== undefined);
  if (settings.length === 0) return template;
  return { ...template, ...Object.fromEntries(settings.map((key) => [key, own?.[key] ?? ''])) };
}

/** Splits a comma list, trims its members and leaves empty ones out. */
export function splitList(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function parseHooks(value: string | undefined, warnings: string[]): Hook[] {
  const words = splitList(value);
  for (const word of words) {
    if (warnings.length >= MAX_WARNINGS) break;
    if (!(HOOKS as readonly string[]).includes(word)) {
      warnings.push(unknownValue(ANNOTATION_HOOKS, word, HOOKS, 'it is ignored'));
    }
  }
  if (value !== undefined && words.length === 0) {
    warnings.push(
      `${ANNOTATION_HOOKS}: is empty, so no hook is enabled; known hooks are ${HOOKS.join(', ')}`,
    );
  }
  return HOOKS.filter((hook) => words.includes(hook));
}

function parseCompleteAction(value: string | undefined, warnings: string[]): CompleteAction {
  if (value === undefined) return 'delete';
  const action = COMPLETE_ACTIONS.find((candidate) => candidate === value.trim());
  if (action !== undefined) return action;
  warnings.push(
    unknownValue(ANNOTATION_COMPLETE_ACTION, value, COMPLETE_ACTIONS, '"none" is used until it is corrected'),
  );
  return 'none';
}

function parseCompleteWhen(value: string | undefined, warnings: string[]): string {
  if (value === undefined) return 'any';
  const text = value.trim();
  if (COUNT_OF_PODS.test(text)) return text;
  warnings.push(
    `${ANNOTATION_COMPLETE_WHEN}: "${value.slice(0, 63)}" cannot be used, "all" is used until it is corrected; write any, all or a number from 1`,
  );
  return 'all';
}

function parseAuth(value: string | undefined, warnings: string[]): Auth {
  if (value === undefined) return 'token';
  const auth = AUTHS.find((candidate) => candidate === value.trim());
  if (auth !== undefined) return auth;
  warnings.push(unknownValue(ANNOTATION_AUTH, value, AUTHS, '"pod-identity" is used until it is corrected'));
  return 'pod-identity';
}

function unknownValue(key: string, value: string, known: readonly string[], consequence: string): string {
  const meant = didYouMean(value, known);
  const hint = meant === undefined ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`;
  return `${key}: unknown value "${value.slice(0, 63)}", ${consequence}; ${hint}`;
}

/** What a workload may carry: of ours, of the job-done webhooks. */
const KNOWN: readonly string[] = [...USER_ANNOTATIONS, ...ON_JOB_ANNOTATIONS];
/** Written by the service itself. */
const OWN: readonly string[] = [ANNOTATION_STAMPED_FROM, ANNOTATION_SETTLED];
/** Which object they mean something on. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  [ANNOTATION_REQUEST]: 'Application',
  [ANNOTATION_REDELIVER]: 'WebhookDelivery',
};

/** Annotations under our group, or nearly our group, that are none of ours. */
function misspeltKeys(annotations: Annotations): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(annotations ?? {})) {
    if (warnings.length >= MAX_WARNINGS) break;
    if (KNOWN.includes(key) || OWN.includes(key) || !isNearlyOurs(key)) continue;
    const place = ELSEWHERE[key];
    if (place !== undefined) {
      warnings.push(`annotation "${key}" does nothing here: it belongs on the ${place}`);
      continue;
    }
    const meant = didYouMean(key, KNOWN);
    const hint =
      meant === undefined
        ? `known under ${GROUP}/ are ${KNOWN.map(nameOf).join(', ')}`
        : `did you mean "${meant}"?`;
    warnings.push(`annotation "${key.slice(0, 100)}" is unknown and ignored; ${hint}`);
  }
  return warnings;
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}

function isNearlyOurs(key: string): boolean {
  const [prefix, name] = key.split('/', 2);
  if (prefix === undefined || name === undefined) return false;
  return prefix === GROUP || didYouMean(prefix, [GROUP]) !== undefined;
}
