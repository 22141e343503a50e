import { isDeepStrictEqual } from 'node:util';
import type { ApplicationStatus, Condition } from './application.ts';
import type { PlannedEvent, Step } from './application-view.ts';
import type { Situation } from './situation.ts';

/** Kinds of condition that an Application has. */
export type ConditionType = 'SecretReady' | 'Certified' | 'Stamped' | 'PodsInjected' | 'Completed' | 'Held';

export interface ConditionChange {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

/** Fields to set; undefined takes a field away. */
export type StatusChanges = {
  readonly [K in Exclude<keyof ApplicationStatus, 'conditions'>]?: ApplicationStatus[K] | undefined;
};

/** The status with these changes. A condition's transition time moves only when its status does. */
export function nextStatus(
  situation: Pick<Situation, 'app' | 'status' | 'now'>,
  changes: StatusChanges,
  conditions: readonly ConditionChange[] = [],
  dropped: readonly ConditionType[] = [],
): ApplicationStatus {
  const { app, status, now } = situation;
  const generation = app.metadata.generation ?? 0;
  let list = (status.conditions ?? []).filter(({ type }) => !(dropped as readonly string[]).includes(type));
  for (const change of conditions) list = setCondition(list, change, generation, now);
  const merged = { ...status, ...changes, observedGeneration: generation, conditions: list };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
}

/** Writes the status if it would differ from what is stored. */
export function statusStep(
  situation: Situation,
  next: ApplicationStatus,
  events: readonly PlannedEvent[] = [],
): Step | undefined {
  return isDeepStrictEqual(next, situation.app.status)
    ? undefined
    : { do: 'write-status', status: next, events };
}

export function timestamp(now: number): string {
  return new Date(now).toISOString();
}

function setCondition(
  list: readonly Condition[],
  change: ConditionChange,
  observedGeneration: number,
  now: number,
): Condition[] {
  const before = list.find(({ type }) => type === change.type);
  const lastTransitionTime = before?.status === change.status ? before.lastTransitionTime : timestamp(now);
  const next = { ...change, lastTransitionTime, observedGeneration };
  return before === undefined
    ? [...list, next]
    : list.map((condition) => (condition.type === change.type ? next : condition));
}
