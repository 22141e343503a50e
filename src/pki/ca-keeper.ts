import type { Clock, EventRecorder } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import type { Secret } from './ca-secret.ts';
import type { CaState } from './ca-state.ts';
import type { CaStore, StoredCa } from './ca-store.ts';
import type { CertificateWithKey } from './certificate.ts';
import {
  planRotation,
  type RotationPlan,
  type RotationReason,
  type RotationTiming,
} from './plan-rotation.ts';

export interface CaKeeperDeps<C extends CertificateWithKey> {
  readonly store: CaStore<C>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly events?: Pick<EventRecorder, 'record'>;
  readonly words: CaKeeperWords;
  /** Makes what is to sign. `state`: what signs now, if anything does. */
  readonly issue: (reason: RotationReason, state: CaState<C> | undefined) => Promise<C>;
  /** Is this certificate trusted by those who verify, as the API server has it now? */
  readonly isTrusted: (cert: string) => Promise<boolean>;
  /** Told of each good state that was read, before the next step is taken. */
  readonly onState: (state: CaState<C>) => Promise<void>;
}

/** How logs and Events call what is kept. */
export interface CaKeeperWords {
  /** Of the Secret, in messages. */
  readonly secret: string;
  /** Where `isTrusted` looks. */
  readonly trustedBy: string;
  /** Events: `<eventPrefix>Created`, … */
  readonly eventPrefix: string;
  readonly notes: Readonly<Record<RotationReason, string>>;
}

export interface CaKeeper {
  /**
   * Reads the Secret and carries out the steps that are due, until nothing is. Not to be called again before it has ended. Rejects when the
   * API server cannot be asked or refuses; safe to repeat.
   */
  reconcile(): Promise<void>;
}

/** Far above what one call needs (restore, replace next, drop, promote, stage); more would mean that replicas undo each other's work. */
const MAX_STEPS = 20;

export function createCaKeeper<C extends CertificateWithKey>(
  deps: CaKeeperDeps<C>,
  timing: RotationTiming,
): CaKeeper {
  const { store, logger, clock, onState } = deps;
  const sight = createSight(deps);
  let lastProblems = '';

  async function reconcile(): Promise<void> {
    for (let step = 0; step < MAX_STEPS; step++) {
      const read = await store.read();
      reportProblems(read);
      if (read?.problems.length === 0 && isUsable(read.state)) {
        sight.remember(read.state);
        await onState(read.state);
      }
      await sight.look();
      const plan = planRotation(read?.state, clock.now(), timing, {
        ...sight.now(),
        requested: read?.requested,
        damaged: (read?.problems.length ?? 0) > 0,
      });
      if (plan === undefined) return;
      await carryOut(plan, read);
    }
    throw new Error(
      `${deps.words.secret} did not settle within ${MAX_STEPS} steps; other replicas keep changing it`,
    );
  }

  async function carryOut(plan: RotationPlan<C>, read: StoredCa<C> | undefined): Promise<void> {
    const state = plan.needsCa ? plan.withCa(await deps.issue(plan.reason, read?.state)) : plan.state;
    const written = await store.write(state, read?.secret);
    if (written === undefined) {
      logger.debug('another replica was first', { reason: plan.reason });
      return;
    }
    logger.info('CA rotation step', {
      reason: plan.reason,
      currentUntil: isoTime(state.current?.notAfter),
      nextTrustedSince: isoTime(state.next?.trustedSince),
      previous: state.previous.length,
    });
    recordStep(plan, written);
  }

  function recordStep({ reason }: RotationPlan<C>, secret: Secret): void {
    const { name, namespace, uid } = secret.metadata;
    if (deps.events === undefined || name === undefined || namespace === undefined || uid === undefined)
      return;
    deps.events.record({
      regarding: { apiVersion: 'v1', kind: 'Secret', name, namespace, uid },
      type: WARNING_REASONS.has(reason) ? 'Warning' : 'Normal',
      reason: `${deps.words.eventPrefix}${pascalCase(reason)}`,
      action: 'RotateCa',
      note: deps.words.notes[reason],
    });
  }

  function reportProblems(read: StoredCa<C> | undefined): void {
    const problems = read?.problems.join('; ') ?? '';
    if (problems !== '' && problems !== lastProblems) {
      logger.error(`${deps.words.secret} is damaged; what cannot be used is replaced`, { problems });
    }
    lastProblems = problems;
  }

  function isUsable(state: CaState<C>): boolean {
    return state.current !== undefined && state.current.notAfter > clock.now();
  }

  return { reconcile };
}

interface Sight<C extends CertificateWithKey> {
  remember(state: CaState<C>): void;
  look(): Promise<void>;
  now(): {
    readonly remembered: CaState<C> | undefined;
    readonly nextSeenSince: number | undefined;
    readonly nextInCaBundleSince: number | undefined;
  };
}

/** What this replica itself has seen, since when. */
function createSight<C extends CertificateWithKey>({
  clock,
  logger,
  isTrusted,
  words,
}: CaKeeperDeps<C>): Sight<C> {
  let remembered: CaState<C> | undefined;
  let next: { readonly cert: string; readonly since: number } | undefined;
  let nextInCaBundleSince: number | undefined;
  let lastError = '';
  return {
    remember(state) {
      remembered = state;
      if (state.next?.cert === next?.cert) return;
      next = state.next && { cert: state.next.cert, since: clock.now() };
      nextInCaBundleSince = undefined;
    },
    async look() {
      if (next === undefined) return;
      try {
        const isThere = await isTrusted(next.cert);
        nextInCaBundleSince = isThere ? (nextInCaBundleSince ?? clock.now()) : undefined;
        lastError = '';
      } catch (error) {
        // Not knowing is no reason to go on, nor to stop: another replica may know, and the old CA is good for months.
        nextInCaBundleSince = undefined;
        const text = error instanceof Error ? error.message : String(error);
        if (text !== lastError) {
          logger.warn(`whether ${words.trustedBy} trusts the next CA is not known`, { error: text });
        }
        lastError = text;
      }
    },
    now: () => ({ remembered, nextSeenSince: next?.since, nextInCaBundleSince }),
  };
}

const WARNING_REASONS: ReadonlySet<RotationPlan['reason']> = new Set([
  'restored',
  'repaired',
  'current-unusable',
  'next-unusable',
]);

function pascalCase(reason: string): string {
  return reason
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
