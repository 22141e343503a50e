/** As much of a pod's status as tells whether there is something to save in it. */
export interface PodProgress {
  readonly phase?: string | undefined;
  /** Of the regular containers; what init containers do comes before there is anything to save. */
  readonly containerStatuses?: readonly ContainerProgress[] | undefined;
}

interface ContainerProgress {
  readonly restartCount?: unknown;
  readonly state?: unknown;
  readonly lastState?: unknown;
}

/** All its containers have ended for good. */
export function hasEnded({ phase }: PodProgress): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/**
 * A regular container runs or has run, so there may be something to save. Not the phase alone: a pod of which one container runs while the
 * image of another cannot be pulled is Pending. A phase that is unknown counts as started.
 */
export function hasStarted({ phase = 'Pending', containerStatuses = [] }: PodProgress): boolean {
  return phase !== 'Pending' || containerStatuses.some(hasRun);
}

function hasRun({ restartCount, state, lastState }: ContainerProgress): boolean {
  if (typeof restartCount === 'number' && restartCount > 0) return true;
  return [state, lastState].some(
    (was) => typeof was === 'object' && was !== null && ('running' in was || 'terminated' in was),
  );
}
