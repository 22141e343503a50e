import {
  ANNOTATION_AUTH,
  ANNOTATION_COMPLETE_ACTION,
  ANNOTATION_COMPLETE_WHEN,
  ANNOTATION_HOOKS,
  ANNOTATION_SHUTDOWN_SERVICE,
  ANNOTATION_SHUTDOWN_WHEN,
  SETTING_ANNOTATIONS,
  SHUTDOWN_ANNOTATIONS,
  parseShutdownService,
  type HookRequest,
  type WorkloadKind,
} from '../contract/index.ts';
import type { StringMap } from '../review/index.ts';

/** What the user should know of hooks that are well written but do not do everything for this kind. */
export function warnOfLimits(kind: WorkloadKind, request: HookRequest): string[] {
  if (request.completeAction !== 'scale-to-zero' || (kind !== 'DaemonSet' && kind !== 'Pod')) return [];
  return [
    `${ANNOTATION_COMPLETE_ACTION}: "scale-to-zero" is impossible for a ${kind}, which has no replicas; use "delete" or "none"`,
  ];
}

/** Settings that are well written but set nothing. `annotations`: those that the request was read from. */
export function warnOfSettings(
  { hooks, auth, shutdown }: HookRequest,
  annotations: StringMap | undefined,
): string[] {
  const warnings: string[] = [];
  const completing = [ANNOTATION_COMPLETE_ACTION, ANNOTATION_COMPLETE_WHEN].filter(
    (key) => annotations?.[key] !== undefined,
  );
  if (completing.length > 0 && !hooks.includes('complete')) {
    warnings.push(without(completing, 'complete'));
  } else if (auth === 'token' && (annotations?.[ANNOTATION_COMPLETE_WHEN] ?? 'any').trim() !== 'any') {
    warnings.push(
      `${ANNOTATION_COMPLETE_WHEN}: has no effect, "any" holds: a token tells no pod from another; pods are counted with ${ANNOTATION_AUTH}: pod-identity`,
    );
  }
  const settings = SHUTDOWN_ANNOTATIONS.filter((key) => annotations?.[key] !== undefined);
  if (settings.length > 0 && !hooks.includes('shutdown')) {
    warnings.push(without(settings, 'shutdown'));
  } else if (settings.includes(ANNOTATION_SHUTDOWN_WHEN) && !isAskedByPod(shutdown.service)) {
    warnings.push(
      `${ANNOTATION_SHUTDOWN_WHEN}: has no effect, one service answers for all pods; it counts pods with ${ANNOTATION_SHUTDOWN_SERVICE}: pod:PORT[/PATH]`,
    );
  }
  return warnings;
}

/**
 * Settings of a pod template that do not count: the workload itself asks for the hooks, or has the same setting.
 *
 * @param field as messages name the template's annotations
 */
export function warnOfTemplateSettings(
  field: string,
  template: StringMap | undefined,
  own: StringMap | undefined,
  fromTemplate: boolean,
): string[] {
  const lost = SETTING_ANNOTATIONS.filter((key) => {
    const value = template?.[key];
    const ownValue = own?.[key];
    return value !== undefined && value !== ownValue && (!fromTemplate || ownValue !== undefined);
  });
  if (lost.length === 0) return [];
  return [`${namesOf(lost)} in ${field} has no effect; what counts is metadata.annotations`];
}

function without(keys: readonly string[], hook: string): string {
  return `${namesOf(keys)}: has no effect without the ${hook} hook; add "${hook}" to ${ANNOTATION_HOOKS}`;
}

/** The first in full, of the others what tells them apart: a warning has room for 256 bytes. */
function namesOf([first = '', ...others]: readonly string[]): string {
  return [first, ...others.map((key) => key.slice(key.indexOf('/') + 1))].join(', ');
}

function isAskedByPod(service: string): boolean {
  return parseShutdownService(service)?.form === 'pod';
}
