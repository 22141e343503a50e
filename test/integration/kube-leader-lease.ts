/** Short enough for a test to see a leader die, long enough for a busy machine. */
export const LEASE = {
  namespace: 'default',
  leaseName: 'leader-test',
  leaseDurationMs: 3_000,
  renewDeadlineMs: 2_000,
  retryPeriodMs: 300,
} as const;
