import { KubeApiError } from '../kube/index.ts';
import { createWorkloadActions } from './act-on-workload.ts';
import type { ApplicationView, PlannedEvent, SecretState, Step } from './application-view.ts';
import { API_VERSION, type Application } from './application.ts';
import {
  createApplication,
  refOf,
  replaceApplication,
  replaceStatus,
  type ApplicationWriterDeps,
} from './application-writer.ts';
import type { ReconcileDeps } from './controller-deps.ts';
import { issueCredentials } from './issue-credentials.ts';
import { observeWorkloads } from './observe-workloads.ts';
import { createSecretWriter } from './secret-writer.ts';
import type { ConversationCalls } from './shutdown/conversation-calls.ts';
import { moveWorkload, releaseWorkload } from './shutdown/perform-shutdown.ts';
import { observeTarget } from './shutdown/observe-target.ts';
import { performShutdown, type ShutdownStep } from './shutdown/shutdown-steps.ts';

/** What became of a step. */
export type Outcome =
  /** The plan goes on with this view. `happened: false`: somebody else had done it, so there is nothing to tell. */
  | {
      readonly then: 'plan';
      readonly view: ApplicationView;
      readonly happened?: false;
      /** Instead of what the step would tell: not all of it has happened. */
      readonly events?: readonly PlannedEvent[];
    }
  /** The rest can wait until others had their turn. */
  | { readonly then: 'yield' }
  /** A watch tells what became of it. */
  | { readonly then: 'watch' };

export interface StepDeps extends ReconcileDeps {
  readonly onOwnWrite: ApplicationWriterDeps['onOwnWrite'];
  readonly calls: ConversationCalls;
}

type WorkloadStep = Extract<Step, { readonly workload: unknown }>;
type Does<D extends Step['do']> = Extract<Step, { readonly do: D }>;

/** Carries out one step. Throws what the API server says; a conflict means that the view is not what is there any more. */
export async function performStep(
  view: ApplicationView,
  step: Exclude<Step, Does<'rest'>>,
  deps: StepDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const { metrics } = deps;
  const secrets = createSecretWriter({ client: deps.client, caBundle: () => deps.trustBundle.pem() });
  const withSecret = (secret: SecretState): Outcome => ({
    then: 'plan',
    view: { ...view, live: view.live && { ...view.live, secret } },
  });
  const withApp = (application: Application, live = view.live): Outcome => ({
    then: 'plan',
    view: { ...view, application, live },
  });

  switch (step.do) {
    case 'observe': {
      const [found, secret, target] = await Promise.all([
        observeWorkloads(view, deps, signal),
        view.application === undefined
          ? ({ state: 'absent' } as const)
          : secrets.read(view.application, signal),
        observeTarget(view.application, deps.client, signal),
      ]);
      const live = { workloads: found, secret, pods: undefined, target };
      return { then: 'plan', view: { ...view, live } };
    }
    case 'create': {
      const application = await createApplication(view, step.spec, deps, signal);
      metrics.action('application-created');
      return withApp(application, undefined);
    }
    case 'update-spec': {
      const before = appOf(view);
      const application = await replaceApplication({ ...before, spec: step.spec }, deps, signal);
      // What belongs into the Secret is another thing now.
      return withApp(application, before.spec.auth === step.spec.auth ? view.live : undefined);
    }
    case 'write-status':
    case 'store-complete':
      return withApp(await replaceStatus(appOf(view), step.status, deps, signal));
    case 'issue-token':
    case 'issue-certificate':
      await issueCredentials(appOf(view), view, step, deps, secrets, signal);
      metrics.action(actionOf(step));
      return { then: 'yield' };
    case 'write-secret':
      await secrets.bringInOrder(appOf(view), signal);
      metrics.action('secret-updated');
      return withSecret(await secrets.read(appOf(view), signal));
    case 'delete-secret':
      await secrets.remove(appOf(view), step.uid, signal);
      metrics.action('secret-deleted');
      return withSecret({ state: 'absent' });
    case 'delete-application': {
      const { uid } = appOf(view).metadata;
      await deps.client.delete(refOf(view), { uid, propagationPolicy: 'Background', signal });
      metrics.action('application-deleted');
      return {
        then: 'plan',
        view: { ...view, application: undefined, members: [], pods: [], live: undefined },
      };
    }
    case 'release-secret':
      return withSecret(await secrets.release(appOf(view), step.secret, signal));
    default:
      return isShutdownStep(step)
        ? performShutdown(view, appOf(view), step, deps, signal)
        : performOnWorkload(view, step, deps, signal);
  }
}

function actionOf(step: Does<'issue-token' | 'issue-certificate'>): string {
  if (step.do === 'issue-certificate') return 'certificate-issued';
  return step.why === 'repair' ? 'secret-repaired' : 'secret-written';
}

function isShutdownStep(step: Step): step is ShutdownStep {
  return ['observe-pods', 'ask', 'remove-pods', 'set-finalizer', 'drop-request'].includes(step.do);
}

/** The steps that write to a workload. Afterwards it is read again. */
async function performOnWorkload(
  view: ApplicationView,
  step: WorkloadStep,
  deps: StepDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const workloads = createWorkloadActions(deps.client, view.namespace, signal);
  const stale: Outcome = { then: 'plan', view: { ...view, live: undefined } };
  switch (step.do) {
    case 'claim':
      return unlessRefused(view, step, deps, () =>
        workloads.claim(step.workload, view.name, step.hooks, step.completeAction, step.auth),
      );
    case 'release':
      await workloads.release(step.workload);
      return stale;
    case 'repair-stamp':
      return unlessRefused(view, step, deps, () => workloads.repairStamp(step.workload));
    case 'release-workload': {
      const outcome = await unlessRefused(view, step, deps, () =>
        releaseWorkload(deps.client, view.namespace, step.workload, signal),
      );
      const isLast = step.workload.deleting && view.live?.workloads.length === 1;
      return isLast && outcome.then === 'plan' && outcome.happened !== false ? { then: 'watch' } : outcome;
    }
    case 'move-workload':
      return unlessRefused(view, step, deps, () =>
        moveWorkload(deps.client, view.namespace, step.workload, step.nodeSelector, signal),
      );
    case 'delete-workload':
      if (!(await workloads.delete(step.workload))) return { ...stale, happened: false };
      acted(view, 'delete', deps);
      return stale;
    case 'scale-workload':
      await workloads.scaleToZero(step.workload);
      acted(view, 'scale-to-zero', deps);
      return stale;
  }
}

/** Records what a step did, for the Application and for the workloads that it concerns. */
export function recordEvents(
  app: Application | undefined,
  namespace: string,
  planned: readonly PlannedEvent[],
  deps: Pick<ReconcileDeps, 'events'>,
): void {
  for (const { workloads, ...event } of planned) {
    if (app !== undefined) {
      const { name, uid } = app.metadata;
      deps.events.record({
        ...event,
        regarding: { apiVersion: API_VERSION, kind: 'Application', name, namespace, uid },
      });
    }
    for (const { apiVersion, kind, name, uid } of workloads) {
      deps.events.record({ ...event, regarding: { apiVersion, kind, name, namespace, uid } });
    }
  }
}

/** What a policy refuses is said in the status and tried again at a later look, and holds up nothing else. */
async function unlessRefused(
  view: ApplicationView,
  step: Does<'repair-stamp' | 'claim' | 'release-workload' | 'move-workload'>,
  deps: StepDeps,
  patch: () => Promise<void>,
): Promise<Outcome> {
  const { kind, name, uid } = step.workload.ref;
  const outcome: Outcome = {
    then: 'plan',
    view: { ...view, tried: new Set([...view.tried, uid]), live: undefined },
  };
  try {
    await patch();
    deps.metrics.action(step.do);
    return outcome;
  } catch (error) {
    if (!(error instanceof KubeApiError) || ![400, 403, 422].includes(error.status)) throw error;
    const { namespace } = view;
    deps.logger.warn('a workload could not be patched', {
      step: step.do,
      namespace,
      kind,
      name,
      error: error.message,
    });
    return { ...outcome, happened: false };
  }
}

function acted(view: ApplicationView, action: string, { metrics, now }: StepDeps): void {
  metrics.action(action);
  const receivedAt = Date.parse(view.application?.status?.signals?.complete?.receivedAt ?? '');
  if (Number.isFinite(receivedAt)) metrics.signalToAction(action, Math.max(0, now() - receivedAt) / 1000);
}

function appOf(view: ApplicationView): Application {
  if (view.application === undefined)
    throw new Error(`the plan for ${view.name} needs an Application that is not there`);
  return view.application;
}
