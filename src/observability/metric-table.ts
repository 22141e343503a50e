/** Latency buckets in seconds: half a millisecond (a review) to ten seconds (a wait for the API server). */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Every label has a bounded set of values: kinds, reasons, codes; never a name. */
  readonly labels: readonly string[];
  readonly buckets?: readonly number[];
}

/** Every metric of the service, the source of docs/metrics.md. */
export const METRICS = {
  krake_hooks_admission_reviews_total: {
    type: 'counter',
    help: 'Admission reviews answered, by what came of them and why.',
    labels: ['kind', 'outcome', 'reason'],
  },
  krake_hooks_admission_seconds: {
    type: 'histogram',
    help: 'Time from the whole request read to the answer written.',
    labels: ['outcome'],
    buckets: SECONDS,
  },
  krake_hooks_admission_rejected_requests_total: {
    type: 'counter',
    help: 'Requests at the admission listener that were no usable review, by HTTP status.',
    labels: ['code'],
  },
  krake_hooks_admission_errors_total: {
    type: 'counter',
    help: 'Reviews that ended in an unexpected error of ours; should be 0.',
    labels: [],
  },
  krake_hooks_gate_reviews_total: {
    type: 'counter',
    help: 'Deletions and evictions of pods that the gate was asked about, by what came of them and why.',
    labels: ['request', 'outcome', 'reason'],
  },
  krake_hooks_gate_seconds: {
    type: 'histogram',
    help: 'Time from the whole request read to the answer written, reads and writes at the API server included.',
    labels: ['outcome'],
    buckets: SECONDS,
  },
  krake_hooks_gate_store_seconds: {
    type: 'histogram',
    help: 'Time until the API server had stored which pods are to go, or had not.',
    labels: ['outcome'],
    buckets: SECONDS,
  },
  krake_hooks_gate_rejected_requests_total: {
    type: 'counter',
    help: 'Requests at the gate listener that were no usable review, by HTTP status.',
    labels: ['code'],
  },
  krake_hooks_gate_errors_total: {
    type: 'counter',
    help: 'Reviews of the gate that ended in an unexpected error of ours; should be 0.',
    labels: [],
  },
  krake_hooks_callback_requests_total: {
    type: 'counter',
    help: 'Requests at the callback listener, by hook, HTTP status and reason.',
    labels: ['hook', 'code', 'reason'],
  },
  krake_hooks_callback_seconds: {
    type: 'histogram',
    help: 'Time to answer a request at the callback listener.',
    labels: ['hook', 'code'],
    buckets: SECONDS,
  },
  krake_hooks_callback_store_seconds: {
    type: 'histogram',
    help: 'Time until the API server had stored a signal, or had not.',
    labels: ['outcome'],
    buckets: SECONDS,
  },
  krake_hooks_callback_token_reviews_seconds: {
    type: 'histogram',
    help: 'Pod identities that the API server was asked about (TokenReview), by outcome; limited and breaker-open: it was not asked.',
    labels: ['outcome'],
    buckets: SECONDS,
  },
  krake_hooks_outbound_calls_total: {
    type: 'counter',
    help: 'Calls to shutdown services and webhooks, by the class of the answer or why there was none.',
    labels: ['purpose', 'outcome'],
  },
  krake_hooks_outbound_seconds: {
    type: 'histogram',
    help: 'Time of such a call from its turn to its end.',
    labels: ['purpose', 'outcome'],
    buckets: [0.0025, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 60],
  },
  krake_hooks_outbound_active_calls: {
    type: 'gauge',
    help: 'Calls under way.',
    labels: [],
  },
  krake_hooks_outbound_waiting_calls: {
    type: 'gauge',
    help: 'Calls that wait for their turn (outbound.maxConcurrentCalls).',
    labels: [],
  },
  krake_hooks_applications: {
    type: 'gauge',
    help: 'Applications by phase, on the leader.',
    labels: ['phase'],
  },
  krake_hooks_actions_total: {
    type: 'counter',
    help: 'What the controller did: secrets written, stamps repaired, workloads deleted or scaled.',
    labels: ['action'],
  },
  krake_hooks_signal_to_action_seconds: {
    type: 'histogram',
    help: "From a stored complete signal (its second) to the action's acceptance by the API server.",
    labels: ['action'],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
  krake_hooks_shutdown_seconds: {
    type: 'histogram',
    help: 'From the beginning of a shutdown conversation to its end, by why it began and how it ended.',
    labels: ['reason', 'outcome'],
    buckets: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3_600],
  },
  krake_hooks_leader: { type: 'gauge', help: '1 on the replica that leads.', labels: [] },
  krake_hooks_queue_depth: { type: 'gauge', help: 'Keys that wait in a work queue.', labels: ['queue'] },
  krake_hooks_queue_wait_seconds: {
    type: 'histogram',
    help: 'Time a key waited in a work queue.',
    labels: ['queue'],
    buckets: SECONDS,
  },
  krake_hooks_queue_process_seconds: {
    type: 'histogram',
    help: 'Time a key took to process.',
    labels: ['queue', 'outcome'],
    buckets: SECONDS,
  },
  krake_hooks_queue_retries_total: {
    type: 'counter',
    help: 'Keys tried again after a failure.',
    labels: ['queue'],
  },
  krake_hooks_watch_lists_total: {
    type: 'counter',
    help: 'Complete lists of a resource; more than one means that a watch was lost for longer.',
    labels: ['resource'],
  },
  krake_hooks_watch_failures_total: {
    type: 'counter',
    help: 'Lists and watches that failed and were tried again.',
    labels: ['resource', 'reason'],
  },
  krake_hooks_watch_handler_failures_total: {
    type: 'counter',
    help: 'Watch events that our own handler failed on; should be 0.',
    labels: ['resource'],
  },
  krake_hooks_connections_refused_total: {
    type: 'counter',
    help: 'Connections refused by a limit of a listener.',
    labels: ['listener', 'reason'],
  },
  krake_hooks_client_failures_total: {
    type: 'counter',
    help: 'Connections that ended in a TLS or HTTP error of the client; `certificate`: refused for the one that it showed, or none.',
    labels: ['listener', 'failure'],
  },
  krake_hooks_delivery_attempts_total: {
    type: 'counter',
    help: 'Calls of webhooks, by the class of the answer or why there was none.',
    labels: ['outcome'],
  },
  krake_hooks_delivery_attempt_seconds: {
    type: 'histogram',
    help: 'Time of one call of a webhook.',
    labels: ['outcome'],
    buckets: SECONDS,
  },
  krake_hooks_deliveries_ended_total: {
    type: 'counter',
    help: 'Deliveries that came to their end: delivered, dead letters, cancelled, and why.',
    labels: ['phase', 'reason', 'event'],
  },
  krake_hooks_event_to_delivery_seconds: {
    type: 'histogram',
    help: "From a Job's event (its second) to its delivery.",
    labels: ['event'],
    buckets: [0.5, 1, 2, 5, 15, 60, 300, 1_800, 7_200, 43_200, 259_200],
  },
  krake_hooks_deliveries_pending: {
    type: 'gauge',
    help: 'Deliveries that wait for their next attempt, on the leader.',
    labels: [],
  },
  krake_hooks_deliveries_oldest_pending_seconds: {
    type: 'gauge',
    help: 'Age of the oldest delivery that waits, on the leader.',
    labels: [],
  },
  krake_hooks_jobs_api_requests_total: {
    type: 'counter',
    help: 'Requests at the REST listener of job-done webhooks.',
    labels: ['operation', 'code'],
  },
  krake_hooks_jobs_api_seconds: {
    type: 'histogram',
    help: 'Time to answer a request at that listener.',
    labels: ['operation', 'code'],
    buckets: SECONDS,
  },
  krake_hooks_certificate_expiry_timestamp_seconds: {
    type: 'gauge',
    help: 'When the CA (`ca`), the first serving certificate (`serving`), and on the controller what signs applications’ certificates (`signing`) end, Unix time.',
    labels: ['certificate'],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;
export type MetricLabels<N extends MetricName> = Readonly<
  Record<(typeof METRICS)[N]['labels'][number], string>
>;
