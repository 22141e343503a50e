import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { KubeApiError, systemClock, type Clock, type KubeClient } from '../kube/index.ts';
import type { Logger } from '../observability/index.ts';
import { createPoll } from './poll.ts';
import {
  objectRefOf,
  type WebhookConfiguration,
  type WebhookConfigurationRef,
} from './webhook-configuration.ts';
import { buildWebhookPathPatch, readSecretSegments } from './webhook-path.ts';

export interface SecretPathDeps {
  readonly client: Pick<KubeClient, 'get' | 'patch'>;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface SecretPathOptions {
  readonly webhookConfiguration: WebhookConfigurationRef;
  /** What the secret segment follows, for example `/mutate`. */
  readonly path: string;
  /** How often the configuration is read; default 5 s. */
  readonly pollIntervalMs?: number;
}

/** The unguessable path of a webhook: made, put into the live webhook configuration, and known again. */
export interface SecretPath {
  readonly name: string;
  /** Resolves at once, also when the API server is away. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** A secret path is in the live webhook configuration, as far as it was seen. */
  ready(): boolean;
  /**
   * Compared in constant time. An unknown one has the configuration read anew first: those of one second share a read. False at once while 64 wait
   * for that already. Never rejects.
   */
  isKnown(segment: string): boolean | Promise<boolean>;
}

const POLL_INTERVAL_MS = 5_000;
/** Far above the time until the API server uses a changed configuration. */
const GRACE_MS = 60_000;
const LOOK_PAUSE_MS = 1_000;
/** Below the deadline of a review. */
const LOOK_TIMEOUT_MS = 1_000;
/** Written in hex: of a path the API server takes lower case only. */
const SECRET_BYTES = 32;
/**
 * So many wait for a look. Each keeps a connection of the listener, and anybody can send a wrong path; who is not among them, and right, is known a second
 * later, since they have had it looked.
 */
const MAX_WAITING = 64;
const MAX_ATTEMPTS = 5;

/**
 * The live webhook configuration is where the secret is kept: whoever may read that sees the path in any case, so a Secret beside it would only be
 * one more copy. A webhook without a secret segment is given one (that of its neighbours, else a fresh one); the first of many replicas wins, by
 * resourceVersion. To rotate, put another one there, or the plain path; the former one is taken for another minute.
 */
export function createSecretPath(deps: SecretPathDeps, options: SecretPathOptions): SecretPath {
  const { client, clock = systemClock } = deps;
  const { path, webhookConfiguration } = options;
  const ref = objectRefOf(webhookConfiguration);
  const logger = deps.logger.child({
    component: 'secret-path',
    webhookConfiguration: webhookConfiguration.name,
  });
  /** By digest, as base64: the digest and when it was last seen in the configuration. */
  const known = new Map<string, { readonly digest: Buffer; seenAt: number }>();
  let isNamed = false;
  let scheduled: Promise<void> | undefined;
  /** When a caller last had the configuration read. */
  let askedAt = -Infinity;
  /** Callers that wait for a look. */
  let waiting = 0;

  async function look(): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const configuration = await client.get<WebhookConfiguration>(ref, { timeoutMs: LOOK_TIMEOUT_MS });
      const segments = configuration === undefined ? [] : readSecretSegments(configuration, path);
      remember(segments);
      const wanted = segments[0] ?? randomBytes(SECRET_BYTES).toString('hex');
      const body = configuration && buildWebhookPathPatch(configuration, path, wanted);
      if (body === undefined) return;
      isNamed = false;
      if (await write(body)) {
        logger.info('the webhook configuration was given a secret path');
        remember([wanted]);
        return;
      }
    }
    throw new Error(
      'the path was not taken: the webhook configuration kept changing, or is invalid otherwise',
    );
  }

  function remember(segments: readonly string[]): void {
    const now = clock.monotonic();
    for (const segment of segments) {
      const digest = digestOf(segment);
      known.set(digest.toString('base64'), { digest, seenAt: now });
    }
    for (const [id, { seenAt }] of known) if (now - seenAt > GRACE_MS) known.delete(id);
    isNamed = segments.length > 0;
  }

  /** @returns false: somebody else wrote in between */
  async function write(body: readonly unknown[]): Promise<boolean> {
    try {
      await client.patch(ref, { type: 'json', body });
      return true;
    } catch (error) {
      if (!(error instanceof KubeApiError)) throw error;
      if ([404, 409, 422].includes(error.status)) return false;
      // Without the API server's words: they could quote the path.
      throw new Error(
        `the path of the webhook configuration may not be written (${error.status}); set it yourself, docs/security.md`,
      );
    }
  }

  /** A look that begins after this call; those who call in the meantime share it. */
  function nextLook(): Promise<void> {
    scheduled ??= new Promise((resolve) => {
      clock.after(Math.max(0, askedAt + LOOK_PAUSE_MS - clock.monotonic()), () => {
        scheduled = undefined;
        askedAt = clock.monotonic();
        // What went wrong, the poll meets as well, and tells.
        look()
          .catch(() => undefined)
          .finally(resolve);
      });
    });
    return scheduled;
  }

  /** Each is compared, whatever came of the one before. */
  function matches(segment: string): boolean {
    const digest = digestOf(segment);
    let isOne = false;
    for (const one of known.values()) isOne = timingSafeEqual(one.digest, digest) || isOne;
    return isOne;
  }

  const poll = createPoll(
    { clock, logger },
    {
      subject: 'secret path of the webhook configuration',
      intervalMs: () => options.pollIntervalMs ?? POLL_INTERVAL_MS,
      run: look,
    },
  );
  return {
    name: `secret-path ${webhookConfiguration.name}`,
    start(signal) {
      poll.start(signal);
      return Promise.resolve();
    },
    stop: () => poll.stop(),
    ready: () => isNamed,
    isKnown(segment) {
      if (matches(segment)) return true;
      if (waiting >= MAX_WAITING) return false;
      waiting++;
      return nextLook().then(() => {
        waiting--;
        return matches(segment);
      });
    },
  };
}

function digestOf(segment: string): Buffer {
  return hash('sha256', segment, 'buffer');
}
