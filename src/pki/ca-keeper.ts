import type { Clock, EventRecorder } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { parseCaSecret, type ReadCaSecret, type Secret } from './ca-secret.ts';
import type { CaState } from './ca-state.ts';
import type { CaStore } from './ca-store.ts';
import { issueCa } from './issue-certificate.ts';
import { planRotation, type RotationPlan, type RotationTiming } from './plan-rotation.ts';

export interface CaKeeperDeps {
  readonly store: CaStore;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly events?: Pick<EventRecorder, 'record'>;
  /** Do all webhooks of the service trust this certificate, as the API server has it now? */
  readonly isTrustedByWebhooks: (cert: string) => Promise<boolean>;
  /** Told of each good state that was read, before the next step is taken. */
  readonly onState: (state: CaState) => Promise<void>;
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

export function createCaKeeper(deps: CaKeeperDeps, timing: RotationTiming): CaKeeper {
  const { store, logger, clock, onState } = deps;
  const sight = createSight(deps);
  let lastProblems = '';

  async function reconcile(): Promise<void> {
    for (let step = 0; step < MAX_STEPS; step++) {
      const secret = await store.read();
      const read = secret === undefined ? undefined : parseCaSecret(secret);
      reportProblems(read);
      if (read?.problems.length === 0 && isUsable(read.state)) {
        sight.remember(read.state);
        await onState(read.state);
      }
      await sight.lookAtWebhooks();
      const plan = planRotation(read?.state, clock.now(), timing, {
        ...sight.now(),
        requested: read?.requested,
        damaged: (read?.problems.length ?? 0) > 0,
      });
      if (plan === undefined) return;
      await carryOut(plan, secret);
    }
    throw new Error(
      `the CA Secret did not settle within ${MAX_STEPS} steps; other replicas keep changing it`,
    );
  }

  async function carryOut(plan: RotationPlan, secret: Secret | undefined): Promise<void> {
    const state = plan.needsCa
      ? plan.withCa(await issueCa({ now: clock.now(), lifetimeMs: timing.caLifetimeMs }))
      : plan.state;
    const written = await store.write(state, secret);
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

  function recordStep({ reason }: RotationPlan, secret: Secret): void {
    const { name, namespace, uid } = secret.metadata;
    if (deps.events === undefined || name === undefined || namespace === undefined || uid === undefined)
      return;
    deps.events.record({
      regarding: { apiVersion: 'v1', kind: 'Secret', name, namespace, uid },
      type: WARNING_REASONS.has(reason) ? 'Warning' : 'Normal',
      reason: `Ca${pascalCase(reason)}`,
      action: 'RotateCa',
      note: STEP_NOTES[reason],
    });
  }

  function reportProblems(read: ReadCaSecret | undefined): void {
    const problems = read?.problems.join('; ') ?? '';
    if (problems !== '' && problems !== lastProblems) {
      logger.error('the CA Secret is damaged; what cannot be used is replaced', { problems });
    }
    lastProblems = problems;
  }

  function isUsable(state: CaState): boolean {
    return state.current !== undefined && state.current.notAfter > clock.now();
  }

  return { reconcile };
}

interface Sight {
  remember(state: CaState): void;
  lookAtWebhooks(): Promise<void>;
  now(): {
    readonly remembered: CaState | undefined;
    readonly nextSeenSince: number | undefined;
    readonly nextInCaBundleSince: number | undefined;
  };
}

/** What this replica itself has seen, since when. */
function createSight({ clock, logger, isTrustedByWebhooks }: CaKeeperDeps): Sight {
  let remembered: CaState | undefined;
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
    async lookAtWebhooks() {
      if (next === undefined) return;
      try {
        const isThere = await isTrustedByWebhooks(next.cert);
        nextInCaBundleSince = isThere ? (nextInCaBundleSince ?? clock.now()) : undefined;
        lastError = '';
      } catch (error) {
        // Not knowing is no reason to go on, nor to stop: another replica may know, and the old CA is good for months.
        nextInCaBundleSince = undefined;
        const text = error instanceof Error ? error.message : String(error);
        if (text !== lastError) {
          logger.warn('whether the webhook configuration trusts the next CA is not known', { error: text });
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

const STEP_NOTES: Readonly<Record<RotationPlan['reason'], string>> = {
  created: 'A CA was made; it signs the serving certificates.',
  restored: 'The Secret was deleted or damaged; the CA in use was put back, and its rotation begins.',
  repaired: 'Damaged parts of the Secret were put back or left out.',
  'current-unusable': 'The CA was damaged or has expired; another one signs from now on.',
  'next-unusable': 'The next CA has expired before it was used; a new one takes its place.',
  'trust-ended': 'All that an old CA signed has expired; it is trusted no more.',
  promoted: 'The next CA signs from now on; the old one stays trusted until all it signed has expired.',
  due: 'Two thirds of the CA’s life are over; the next CA is trusted from now on.',
  requested: 'A rotation was requested; the next CA is trusted from now on.',
};

function pascalCase(reason: string): string {
  return reason
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
