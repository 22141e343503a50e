import { isDeepStrictEqual } from 'node:util';
import {
  createWorkQueue,
  isConflict,
  isNotFound,
  pause,
  systemClock,
  type KubeClient,
  type ProcessResult,
} from '../kube/index.ts';
import { WEBHOOK_DELIVERIES, type DeliveryStatus, type WebhookDelivery } from '../jobs/index.ts';
import type { Logger } from '../observability/index.ts';
import { isPending, isWritten, keyOf, type DeliveryRecord } from './delivery-record.ts';
import { statusPatch } from './status-patch.ts';

export interface OutcomeWriterDeps {
  readonly client: Pick<KubeClient, 'patch' | 'get'>;
  readonly logger: Logger;
  /** Deliveries are being stored that somebody waits for: they go before outcomes. */
  readonly isBusy: () => boolean;
}

/**
 * Writes what became of deliveries, beside the places of their endpoints: an API server that is slow must not make receivers look slow. Belongs to the process, not
 * to its leadership: what is known to have been sent is written though the lease is lost meanwhile, so that the next leader does not send it again. Each write
 * carries the version that it is based upon, so it never undoes what another leader has written. A component of the process.
 */
export interface OutcomeWriter {
  readonly name: string;
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  ready(): boolean;
  /** The record's status has changed. It is written soon, again and again until the API server has it; `written` follows. */
  changed(record: DeliveryRecord): void;
  /** What is known of a delivery and not written yet: whoever takes the delivery up goes on from it. */
  unwritten(delivery: WebhookDelivery): DeliveryRecord | undefined;
  /** Resolves when all is written, or at the deadline. */
  flush(deadlineMs: number): Promise<void>;
}

/** Outcomes that are written at the same time. */
const WRITERS = 16;
const WRITE_RETRY = { backoffBaseMs: 100, backoffMaxMs: 5_000 };
const STOP_MS = 1_000;
const FLUSH_POLL_MS = 20;
/**
 * Outcomes give way to new deliveries, which somebody waits for, but not for long, and not many: what a killed leader has not written is sent again by the next.
 */
const GIVE_WAY = { pollMs: 50, maxMs: 1_000, maxUnwritten: 256 };

interface Unwritten {
  readonly record: DeliveryRecord;
  /** When the oldest outcome came that is not written. */
  readonly since: number;
}

export function createOutcomeWriter({ client, logger, isBusy }: OutcomeWriterDeps): OutcomeWriter {
  const open = new Map<string, Unwritten>();
  const queue = createWorkQueue<string>({
    name: 'delivery-outcomes',
    process: write,
    workers: WRITERS,
    logger,
    stopDeadlineMs: STOP_MS,
    ...WRITE_RETRY,
  });

  /** Throws when the API server cannot be reached: the queue then comes back. */
  async function write(key: string): Promise<ProcessResult> {
    const { record, since } = open.get(key) ?? {};
    if (record === undefined || since === undefined) return {};
    const mayWait = performance.now() - since < GIVE_WAY.maxMs && open.size <= GIVE_WAY.maxUnwritten;
    if (mayWait && isBusy()) return { requeueAfterMs: GIVE_WAY.pollMs };
    const { status } = record;
    try {
      await patch(record, status);
    } catch (error) {
      if (isNotFound(error)) forget(key, record);
      else if (isConflict(error)) await catchUp(key, record);
      else throw error;
    }
    if (isWritten(record)) forget(key, record);
    // A person, or the next attempt, has changed it meanwhile.
    return open.has(key) ? { requeueAfterMs: 1 } : {};
  }

  async function patch(record: DeliveryRecord, status: DeliveryStatus): Promise<void> {
    const { namespace, name, uid } = record.delivery.metadata;
    const { resourceVersion } = record;
    const { metadata } = await client.patch(
      { resource: WEBHOOK_DELIVERIES, namespace, name, subresource: 'status' },
      {
        type: 'merge',
        body: {
          metadata: { uid, ...(resourceVersion !== undefined && { resourceVersion }) },
          status: statusPatch(record.written, status),
        },
      },
    );
    record.written = status;
    record.resourceVersion = metadata.resourceVersion;
  }

  /** Somebody has changed the object. Ours is based on its newest version then, unless another leader knows better. */
  async function catchUp(key: string, record: DeliveryRecord): Promise<void> {
    const { namespace, name, uid } = record.delivery.metadata;
    const current = await client.get<WebhookDelivery>({ resource: WEBHOOK_DELIVERIES, namespace, name });
    if (current?.metadata.uid !== uid) {
      forget(key, record);
      return;
    }
    const theirs = current.status ?? {};
    if (!mayReplace(theirs, record)) {
      // We go on from theirs: a later attempt of ours comes after it, and does not put back what we knew.
      record.status = theirs;
      forget(key, record);
    }
    record.written = theirs;
    record.resourceVersion = current.metadata.resourceVersion;
  }

  function forget(key: string, record: DeliveryRecord): void {
    if (open.get(key)?.record === record) open.delete(key);
  }

  return {
    name: 'jobs: outcomes of deliveries',
    start: (signal) => queue.start(signal),
    stop: () => queue.stop(),
    ready: () => queue.ready(),
    changed(record) {
      const key = keyOf(record.delivery);
      const since = open.get(key)?.since ?? performance.now();
      open.set(key, { record, since });
      queue.add(key);
    },
    unwritten(delivery) {
      const record = open.get(keyOf(delivery))?.record;
      return record?.delivery.metadata.uid === delivery.metadata.uid ? record : undefined;
    },
    async flush(deadlineMs) {
      const deadline = performance.now() + deadlineMs;
      const never = new AbortController().signal;
      while (queue.ready() && open.size > 0 && performance.now() < deadline)
        await pause(systemClock, FLUSH_POLL_MS, never);
    },
  };
}

/**
 * Whether ours may take the place of theirs: nobody else has written since, or another leader knows less: of an older round, or of this one fewer attempts and no end.
 */
function mayReplace(theirs: DeliveryStatus, { status, written }: DeliveryRecord): boolean {
  if (isDeepStrictEqual(theirs, written)) return true;
  const [theirRound, ourRound] = [theirs.roundStartedAt ?? '', status.roundStartedAt ?? ''];
  if (theirRound !== ourRound) return theirRound < ourRound;
  if (!isPending({ status: theirs })) return false;
  return !isPending({ status }) || (status.attempts ?? 0) >= (theirs.attempts ?? 0);
}
