import type { Logger } from '../observability/index.ts';
import type { Clock } from './clock.ts';
import type { KubeClient } from './kube-client.ts';

export interface LeaderElectorOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly namespace: string;
  readonly leaseName: string;
  /** Unique for each process start (pod name and a random part): a restarted process must not take itself for its predecessor. */
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  /**
   * Leads until the signal is aborted, which happens before another can lead. What it returns is waited for before this process
   * campaigns again; a rejection gives the leadership up.
   */
  readonly onStartedLeading: (signal: AbortSignal) => Promise<void> | void;
  readonly onStoppedLeading?: () => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface LeaderElector {
  readonly name: string;
  /** Campaigns, leads, and campaigns again after a loss, until stopped; resolves at once. */
  start(signal: AbortSignal): Promise<void>;
  /** Ends leading, waits for the leader's work, then releases the Lease so that another leads at once. */
  stop(): Promise<void>;
  /** Always true once started: a standby is as ready as a leader. */
  ready(): boolean;
  isLeader(): boolean;
}

export function createLeaderElector(options: LeaderElectorOptions): LeaderElector {
  throw new Error(`not built yet: ${options.leaseName}`);
}
