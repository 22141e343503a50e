import type { ApplicationView, Step } from '../application-view.ts';
import type { Application } from '../application.ts';
import { replaceApplication, replaceStatus } from '../application-writer.ts';
import type { Outcome, StepDeps } from '../perform-step.ts';
import { isEvicted } from '../conversation.ts';
import { callApplication, createReadKey } from './call-application.ts';
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
  const readKey = createReadKey(application, deps, signal);
  for (const call of calls) {
    deps.metrics.action('shutdown-asked');
    deps.calls.begin(key, call.key, (callSignal) =>
      callApplication(application, call, readKey, deps, callSignal),
    );
  }
  return { then: 'plan', view: { ...view, application, calls: deps.calls.of(key) } };
}

async function remove(
  view: ApplicationView,
  { pods, events }: Extract<ShutdownStep, { do: 'remove-pods' }>,
  deps: StepDeps,
  signal: AbortSignal,
): Promise<Outcome> {
  const { removed, refused } = await removePods(deps.client, view.namespace, pods, signal);
  for (const pod of pods) {
    if (!removed.has(pod.uid)) continue;
    deps.metrics.action(isEvicted(pod) ? 'evict-pod' : 'delete-pod');
  }
  const tried = new Set([...view.tried, ...removed, ...refused.keys()]);
  // A conflict is about another pod of that name; a server that fails refuses nothing.
  const said = [...refused].filter(([, { status }]) => status === 403 || status === 429);
  const why = new Map([
    ...(view.refused ?? []),
    ...said.map(([uid, { message }]) => [uid, message] as const),
  ]);
  const outcome: Outcome = { then: 'plan', view: { ...view, tried, refused: why } };
  if (removed.size === 0) return { ...outcome, happened: false };
  return { ...outcome, events: events.filter((_, index) => removed.has(pods[index]?.uid ?? '')) };
}
