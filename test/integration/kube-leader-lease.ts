/** Long enough for a pause of a busy machine to be no loss of the lease. */
export const LEASE = {
  namespace: 'default',
  leaseName: 'leader-test',
  leaseDurationMs: 12_000,
  renewDeadlineMs: 10_000,
  retryPeriodMs: 300,
} as const;

/** Where a lease that is lost once more does no harm. */
export const SHORT_LEASE = { ...LEASE, leaseDurationMs: 3_000, renewDeadlineMs: 2_000 } as const;
