import { isDeepStrictEqual } from 'node:util';
import {
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_COMPLETE_WHEN,
  ANNOTATION_STAMPED_FROM,
  SHUTDOWN_ANNOTATIONS,
  TEMPLATE_ANNOTATIONS,
  parseHookAnnotations,
  withOwnSettings,
  type HookRequest,
} from '../contract/index.ts';
import type { Problem } from './decision.ts';
import { warnOfSettings } from './warn-of-limits.ts';
import type { StringMap } from '../review/index.ts';

/** One place of an object where a user may write our annotations. */
export interface Place {
  /** As messages name it, for example `spec.template.metadata.annotations`. */
  readonly field: string;
  /** Without what admission itself wrote there. */
  readonly annotations: StringMap | undefined;
}

/** What the annotations of all places of an object together ask for. */
export interface Asked {
  readonly request: HookRequest;
  /** True when it is a template that asks: then the annotations there are the user's, and stay. */
  readonly fromTemplate: boolean;
  /** Two places ask for different things. */
  readonly problem: Problem | undefined;
  readonly warnings: readonly string[];
}

/** The annotations of a template as its user wrote them: what was copied from the workload is left out. */
export function withoutStamp(annotations: StringMap | undefined): StringMap | undefined {
  return annotations?.[ANNOTATION_STAMPED_FROM] === 'workload' ? undefined : annotations;
}

/**
 * Reads what is asked for. Either the object or a template in it may carry the annotations; both only if they say the same, so
 * that there is never a question which one holds.
 *
 * @param keys the annotations that are compared; a place that has none of them is not asked
 */
export function readAskedHooks(
  workload: Place,
  templates: readonly Place[],
  keys: readonly string[] = TEMPLATE_ANNOTATIONS,
): Asked {
  const own = read(workload);
  const readings = [own, ...templates.map(read)];
  const asking = readings.filter(({ place }) => hasAny(place.annotations, keys));
  const first = asking[0];
  const other = first && asking.find(({ request }) => !asksTheSame(request, first.request, keys));
  const last = asking.at(-1) ?? own;
  const annotations =
    last === own
      ? own.place.annotations
      : withOwnSettings(last.place.annotations ?? {}, own.place.annotations);
  const request = annotations === last.place.annotations ? last.request : parseHookAnnotations(annotations);
  return {
    request,
    fromTemplate: last !== own,
    problem: first && other && differing(first.place, other.place, keys),
    warnings: [
      ...new Set([
        ...readings.flatMap((reading) => reading.request.warnings),
        ...warnOfSettings(request, annotations),
      ]),
    ],
  };
}

function read(place: Place): { readonly place: Place; readonly request: HookRequest } {
  return { place, request: parseHookAnnotations(place.annotations) };
}

function hasAny(annotations: StringMap | undefined, keys: readonly string[]): boolean {
  return keys.some((key) => annotations?.[key] !== undefined);
}

function asksTheSame(a: HookRequest, b: HookRequest, keys: readonly string[]): boolean {
  if (a === b) return true;
  const sameAction = a.completeAction === b.completeAction || !keys.includes(ANNOTATION_COMPLETE_ACTION);
  const sameWhen = a.completeWhen === b.completeWhen || !keys.includes(ANNOTATION_COMPLETE_WHEN);
  const sameShutdown =
    isDeepStrictEqual(a.shutdown, b.shutdown) || !SHUTDOWN_ANNOTATIONS.some((key) => keys.includes(key));
  return sameAction && sameWhen && sameShutdown && choiceOf(a) === choiceOf(b);
}

function choiceOf({ hooks, containers, auth }: HookRequest): string {
  return JSON.stringify([hooks, containers && [...containers].sort(), auth]);
}

function differing(first: Place, other: Place, keys: readonly string[]): Problem {
  const written = keys.filter((key) => hasAny(first.annotations, [key]) || hasAny(other.annotations, [key]));
  const message =
    `${first.field} and ${other.field} ask for different things (${describe(first, keys)}; ${describe(other, keys)}); ` +
    `write ${written.join(', ')} in one of the two places only, or the same in both`;
  return { reason: 'annotations-differ', message };
}

function describe({ annotations }: Place, keys: readonly string[]): string {
  return keys
    .filter((key) => annotations?.[key] !== undefined)
    .map((key) => `${key.slice(key.indexOf('/') + 1)}: "${(annotations?.[key] ?? '').slice(0, 63)}"`)
    .join(', ');
}
