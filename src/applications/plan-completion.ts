import type { PlannedEvent, Step } from './application-view.ts';
import type { Phase } from './application.ts';
import { nextStatus, statusStep, timestamp } from './next-status.ts';
import { completeReceived, deletedByCompleteHook, failed, finished, scaledToZero } from './planned-events.ts';
import type { Situation } from './situation.ts';
import { refsOf } from './wish.ts';

export interface Ending {
  readonly phase: Extract<Phase, 'Completed' | 'Failed'>;
  readonly reason: 'NoAction' | 'ScaledToZero' | 'WorkloadSucceeded' | 'WorkloadFailed';
  readonly message: string;
}

/** Whether the application, whose workloads are still there, has come to its end; undefined: it has not. */
export function ending(s: Situation): Ending | undefined {
  const isSignalled = s.status.signals?.complete !== undefined && s.hooks.includes('complete');
  if (isSignalled && s.completeAction === 'none') {
    return {
      phase: 'Completed',
      reason: 'NoAction',
      message: 'the application said that it is complete; its workloads are left as they are, as asked',
    };
  }
  // While the signal is carried out, who has joined since does not count; afterwards it begins anew with them.
  const concerned = s.status.finishedAt === undefined ? s.continuing : s.asking;
  const isScaled = concerned.length > 0 && concerned.every(({ idle }) => idle);
  if (isSignalled && s.completeAction === 'scale-to-zero' && isScaled) {
    return {
      phase: 'Completed',
      reason: 'ScaledToZero',
      message: 'the workloads were scaled to zero because the application said that it is complete',
    };
  }
  if (isSignalled && s.status.finishedAt === undefined) return undefined; // still to be carried out
  if (!s.asking.every(({ outcome }) => outcome !== undefined)) return undefined;
  return s.asking.some(({ outcome }) => outcome === 'failed')
    ? { phase: 'Failed', reason: 'WorkloadFailed', message: 'a workload of the application has failed' }
    : {
        phase: 'Completed',
        reason: 'WorkloadSucceeded',
        message: 'the workloads have succeeded by themselves',
      };
}

/** Carries out a stored complete signal, one workload after the other, and says when the application has come to its end. */
export function planCompletion(s: Situation): Step | undefined {
  const signal = s.status.signals?.complete;
  const isPending = signal !== undefined && s.hooks.includes('complete') && !isCarriedOut(s);
  if (isPending && s.completeAction !== 'none') return begin(s) ?? act(s) ?? end(s) ?? { do: 'rest' };
  return s.status.finishedAt === undefined ? end(s) : undefined;
}

/** A Job may say that it is complete just as, or after, it ends by itself: its end is then not yet that of the signal. */
function isCarriedOut({ status }: Situation): boolean {
  if (status.finishedAt === undefined) return false;
  const reason = status.conditions?.find(({ type }) => type === 'Completed')?.reason;
  return reason === 'NoAction' || reason === 'ScaledToZero';
}

/** First it is seen that the signal has come, then it is carried out. */
function begin(s: Situation): Step | undefined {
  if (s.status.phase === 'Deleting' && s.status.finishedAt === undefined) return undefined;
  const next = nextStatus(s, { phase: 'Deleting', finishedAt: undefined }, [
    {
      type: 'Completed',
      status: 'False',
      reason: 'CompleteReceived',
      message: `the application says that it is complete; ${s.completeAction} is being carried out`,
    },
  ]);
  return statusStep(s, next, [completeReceived(s.app.metadata.name, refsOf(s.continuing))]);
}

/** Only workloads that the token of the signal spoke of; what has come since is another matter. */
function act(s: Situation): Step | undefined {
  const todo = s.continuing.find(
    (workload) => !workload.deleting && (s.completeAction === 'delete' || !workload.idle),
  );
  if (todo === undefined) return undefined;
  return s.completeAction === 'delete'
    ? { do: 'delete-workload', workload: todo, events: [deletedByCompleteHook(todo.ref)] }
    : { do: 'scale-workload', workload: todo, events: [scaledToZero(todo.ref)] };
}

function end(s: Situation): Step | undefined {
  const how = ending(s);
  if (how === undefined) return undefined;
  const events: PlannedEvent[] =
    how.phase === 'Failed'
      ? [failed(how.reason, how.message)]
      : [
          finished(
            how.reason === 'NoAction' ? 'CompleteReceived' : how.reason,
            how.message,
            refsOf(s.asking),
          ),
        ];
  const next = nextStatus(s, { phase: how.phase, finishedAt: timestamp(s.now) }, [
    { type: 'Completed', status: 'True', reason: how.reason, message: how.message },
  ]);
  return statusStep(s, next, events);
}
