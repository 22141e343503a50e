import type { ApplicationView, Step } from '../application-view.ts';
import type { Application } from '../application.ts';
import { replaceApplication, replaceStatus } from '../application-writer.ts';
import type { Outcome, StepDeps } from '../perform-step.ts';
import { callApplication } from './call-application.ts';
import { listPods } from './live-pod.ts';
import { readDesired } from './surplus.ts';
import { removePods, withFinalizer, withoutRequest } from './perform-shutdown.ts';

export type ShutdownStep = Extract<
  Step,
  { readonly do: 'observe-pods' | 'ask' | 'remove-pods' | 'set-finalizer' | 'drop-request' }
>;

/** The steps of the conversation. Throws what the API server says; calls to applications go on beside it. */
export async function performShutdown(
  view: ApplicationView,
  app: Application,
  step: ShutdownStep,
  deps: StepDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const withApp = (application: Application): Outcome => ({ then: 'plan', view: { ...view, application } });
  switch (step.do) {
    case 'observe-pods':
      return observePods(view, deps, signal);
    case 'ask':
      return ask(view, app, step, deps, signal);
    case 'remove-pods':
      return remove(view, step, deps, signal);
    case 'set-finalizer':
      return withApp(await replaceApplication(withFinalizer(app, step.wanted), deps, signal));
    case 'drop-request':
      return withApp(await replaceApplication(withoutRequest(app, step.request), deps, signal));
  }
}

async function observePods(view: ApplicationView, deps: StepDeps, signal: AbortSignal): Promise<Outcome> {
  if (view.live === undefined) return { then: 'plan', view };
  const withRoots =
    view.namespaceState !== 'terminating' && view.live.workloads.some(({ deleting }) => deleting);
  const tops = view.live.workloads.filter(({ isPart }) => !isPart).map(({ ref }) => ref.uid);
  const pods = await listPods(deps.client, view.namespace, view.name, withRoots ? tops : undefined, signal);
  const { shutdown } = view.application?.status ?? {};
  const desired = await readDesired(deps.client, view.namespace, shutdown, pods, signal);
  return { then: 'plan', view: { ...view, live: { ...view.live, pods, desired } } };
}

/** Stored first, then called: an attempt that nobody knows of is never made. */
async function ask(
  view: ApplicationView,
  app: Application,
  { status, calls }: Extract<ShutdownStep, { do: 'ask' }>,
  deps: StepDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const application = await replaceStatus(app, status, deps, signal);
  const key = `${view.namespace}/${view.name}`;
  for (const call of calls) {
    deps.metrics.action('shutdown-asked');
    deps.calls.begin(key, call.key, (callSignal) => callApplication(application, call, deps, callSignal));
  }
  return { then: 'plan', view: { ...view, application, calls: deps.calls.of(key) } };
}

async function remove(
  view: ApplicationView,
  { pods }: Extract<ShutdownStep, { do: 'remove-pods' }>,
  deps: StepDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const { removed, refused } = await removePods(deps.client, view.namespace, pods, signal);
  for (const pod of pods) {
    if (!removed.has(pod.uid)) continue;
    deps.metrics.action(pod.cause === 'eviction' ? 'evict-pod' : 'delete-pod');
  }
  const tried = new Set([...view.tried, ...removed, ...refused]);
  const outcome: Outcome = { then: 'plan', view: { ...view, tried } };
  return removed.size > 0 ? outcome : { ...outcome, happened: false };
}
