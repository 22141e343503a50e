import {
  isHolding,
  isMoving,
  isUnderWay,
  type Application,
  type ApplicationStatus,
  type Conversation,
  type ShutdownStatus,
} from '../applications/index.ts';
import { formatDuration, type ParsedRequest } from '../contract/index.ts';

/** Whether a person's request makes sense now, and what comes of it. */
export type Verdict =
  { readonly sensible: true; readonly next: string } | { readonly sensible: false; readonly why: string };

/**
 * Judges a request by what the Application's status says, so that a person hears at once of one that makes no sense. The controller decides
 * by what it reads live: it may refuse what is sensible here, a moment later.
 */
export function judgeRequest(request: ParsedRequest, app: Application): Verdict {
  if (request.request === 'rotate') return judgeRotation(app, request.graceMs ?? 0);
  if (!app.spec.hooks.includes('shutdown')) {
    return no(
      'its shutdown hook is off; add "shutdown" to the annotation hooks.krake.dev/hooks of its workload',
    );
  }
  const { shutdown } = app.status ?? {};
  if (shutdown === undefined) {
    return no(
      'the controller has not looked at it yet; try again in a moment, and see that the controller runs',
    );
  }
  const held = shutdown.conversations.filter(isHolding);
  return JUDGES[request.request](held, app, request);
}

/** True when the status shows that the request was carried out. */
export function showsEffect(
  request: ParsedRequest['request'],
  before: ApplicationStatus | undefined,
  after: ApplicationStatus | undefined,
): boolean {
  return request === 'rotate'
    ? before?.tokenSha256 !== after?.tokenSha256
    : showsShutdownEffect(request, before?.shutdown, after?.shutdown);
}

function showsShutdownEffect(
  request: ShutdownRequest,
  before: ShutdownStatus | undefined,
  after: ShutdownStatus | undefined,
): boolean {
  const now = new Map(after?.conversations.map((conversation) => [conversation.id, conversation]));
  if (request === 'migrate') return (after?.sequence ?? 0) > (before?.sequence ?? 0);
  const freed = request === 'cancel' ? (before?.conversations ?? []).filter(isUnderWay) : [];
  if (freed.some(({ id }) => isCalledOff(now.get(id)))) return true;
  return (before?.conversations ?? []).filter(isHolding).some((conversation) => {
    const later = now.get(conversation.id);
    if (later === undefined || !isHolding(later)) return true;
    return (
      request === 'retry' && (later.round > conversation.round || attempts(later) > attempts(conversation))
    );
  });
}

/** One whose deadline has passed is forgotten at once. */
function isCalledOff(conversation: Conversation | undefined): boolean {
  return conversation === undefined || conversation.outcome === 'cancelled';
}

/** What concerns the conversation before pods go. */
type ShutdownRequest = Exclude<ParsedRequest['request'], 'rotate'>;
type Judge = (held: readonly Conversation[], app: Application, request: ParsedRequest) => Verdict;

const JUDGES: Readonly<Record<ShutdownRequest, Judge>> = {
  retry(held, app) {
    if (held.length === 0) return nothingHeld(app);
    const givenUp = held.filter(({ givenUpAt }) => givenUpAt !== undefined);
    if (givenUp.length > 0) return yes('it is asked once more to shut down, with a new deadline');
    return yes(`it is asked once more at once; the deadline stays ${latestDeadline(held)}`);
  },
  release(held, app) {
    if (held.length === 0) return nothingHeld(app);
    return yes(`${pods(held, app)} may go without a goodbye; what is not saved by now is lost`);
  },
  cancel(holding, app) {
    const held = [...holding, ...(app.status?.shutdown?.conversations ?? []).filter(isUnderWay)];
    if (held.length === 0) return nothingHeld(app);
    if (held.some(({ scope }) => scope === 'application')) {
      return no(
        'all of it is being deleted, which Kubernetes cannot take back; wait for its goodbye, or request release',
      );
    }
    if (held.every(isMoving))
      return yes('it is not moved any more; a node selector that was written stays in its pod template');
    return yes(`${pods(held, app)} will not be removed`);
  },
  migrate(held, { spec, status = {} }, { nodeSelector }) {
    if (status.phase === 'Completed' || status.phase === 'Failed') return no('it has come to its end');
    if (held.length > 0) return no('a shutdown is under way already; wait for its end, or request cancel');
    const isSelective = Object.keys(nodeSelector).length > 0;
    for (const { kind, name } of status.workloads ?? spec.workloads) {
      if (kind === 'Pod') return no(`Pod ${name} cannot be moved: nothing would bring it back`);
      if (kind === 'DaemonSet')
        return no(`DaemonSet ${name} cannot be moved: it runs on each of its nodes already`);
      if (kind === 'Job' && isSelective) {
        return no(`the pod template of Job ${name} cannot be changed; migrate it without --to`);
      }
    }
    const where = Object.entries(nodeSelector).map((pair) => pair.join('='));
    const place = isSelective ? `on nodes with ${where.join(', ')}` : 'where the scheduler puts them';
    return yes(`it is asked to shut down; after its goodbye its pods go and come back ${place}`);
  },
};

function judgeRotation({ spec, status }: Application, graceMs: number): Verdict {
  if (spec.auth === 'pod-identity') {
    return no(
      'its pods prove themselves by their identity; there is neither token nor certificate to replace',
    );
  }
  if (status?.tokenSha256 === undefined)
    return no('it has no token: its hooks are off, or just being switched on');
  if (graceMs === 0) {
    return yes(
      'its token and certificate are void at once and replaced; pods that run have the void one in their environment: restart them, unless they read it from its file',
    );
  }
  return yes(
    `its token and certificate are replaced; the former ones are taken for ${formatDuration(graceMs)} more, restart its pods by then`,
  );
}

function yes(next: string): Verdict {
  return { sensible: true, next };
}

function no(why: string): Verdict {
  return { sensible: false, why };
}

function nothingHeld({ status }: Application): Verdict {
  const going = Object.keys(status?.shutdown?.going ?? {}).length;
  if (going > 0) return no('nothing is held yet, but its pods are about to go; try again in a moment');
  return no(`nothing of it is held${status?.phase === undefined ? '' : ` (phase ${status.phase})`}`);
}

/** With those that wait for a conversation of the service form to end. */
function pods(held: readonly Conversation[], { status }: Application): string {
  const names = new Map(
    held.flatMap((conversation) => conversation.pods.map(({ uid, name }) => [uid, name])),
  );
  if (held.some(({ form }) => form === 'service')) {
    for (const [uid, { name }] of Object.entries(status?.shutdown?.going ?? {})) names.set(uid, name);
  }
  const [first = ''] = names.values();
  return names.size === 1 ? `pod ${first}` : `its ${names.size} held pods`;
}

function latestDeadline(held: readonly Conversation[]): string {
  return (
    held
      .map(({ deadline }) => deadline)
      .sort()
      .at(-1) ?? ''
  );
}

function attempts({ ask, pods: asked }: Conversation): number {
  return asked.reduce((sum, pod) => sum + (pod.ask?.attempts ?? 0), ask?.attempts ?? 0);
}
