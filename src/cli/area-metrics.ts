import type { AdmissionMetrics } from '../admission/index.ts';
import type { ControllerMetrics } from '../applications/index.ts';
import type { CallbackMetrics } from '../callbacks/index.ts';
import type { GateMetrics } from '../gate/index.ts';
import type { ListenerMetrics } from '../http/index.ts';
import type { ReflectorMetrics, WorkQueueMetrics } from '../kube/index.ts';
import { outcomeLabel, type DelivererMetrics } from '../deliveries/index.ts';
import type { JobsApiMetrics } from '../jobs-api/index.ts';
import type { Metrics } from '../observability/index.ts';
import type { OutboundMetrics } from '../outbound/index.ts';

// Each area declares what it wants to have counted; here that meets the table of metrics.

export function admissionMetrics(metrics: Metrics): AdmissionMetrics {
  return {
    reviewed(kind, outcome, reason, seconds) {
      metrics.count('krake_hooks_admission_reviews_total', { kind, outcome, reason });
      metrics.observe('krake_hooks_admission_seconds', { outcome }, seconds);
    },
    rejected: (status) =>
      metrics.count('krake_hooks_admission_rejected_requests_total', { code: String(status) }),
    failed: () => metrics.count('krake_hooks_admission_errors_total', {}),
  };
}

export function gateMetrics(metrics: Metrics): GateMetrics {
  return {
    reviewed(request, outcome, reason, seconds) {
      metrics.count('krake_hooks_gate_reviews_total', { request, outcome, reason });
      metrics.observe('krake_hooks_gate_seconds', { outcome }, seconds);
    },
    rejected: (status) => metrics.count('krake_hooks_gate_rejected_requests_total', { code: String(status) }),
    failed: () => metrics.count('krake_hooks_gate_errors_total', {}),
    stored: (outcome, seconds) => metrics.observe('krake_hooks_gate_store_seconds', { outcome }, seconds),
  };
}

export function controllerMetrics(metrics: Metrics): ControllerMetrics {
  return {
    action: (action) => metrics.count('krake_hooks_actions_total', { action }),
    signalToAction: (action, seconds) =>
      metrics.observe('krake_hooks_signal_to_action_seconds', { action }, seconds),
    conversationEnded: (reason, outcome, seconds) =>
      metrics.observe('krake_hooks_shutdown_seconds', { reason, outcome }, seconds),
  };
}

export function callbackMetrics(metrics: Metrics): CallbackMetrics {
  return {
    answered(hook, status, reason, seconds) {
      metrics.count('krake_hooks_callback_requests_total', { hook, code: String(status), reason });
      metrics.observe('krake_hooks_callback_seconds', { hook, code: String(status) }, seconds);
    },
    stored: (outcome, seconds) => metrics.observe('krake_hooks_callback_store_seconds', { outcome }, seconds),
    reviewed: (outcome, seconds) =>
      metrics.observe('krake_hooks_callback_token_reviews_seconds', { outcome }, seconds),
  };
}

export function outboundMetrics(metrics: Metrics): OutboundMetrics {
  return {
    called(purpose, outcome, seconds) {
      metrics.count('krake_hooks_outbound_calls_total', { purpose, outcome });
      metrics.observe('krake_hooks_outbound_seconds', { purpose, outcome }, seconds);
    },
    load(active, waiting) {
      metrics.set('krake_hooks_outbound_active_calls', {}, active);
      metrics.set('krake_hooks_outbound_waiting_calls', {}, waiting);
    },
  };
}

export function listenerMetrics(metrics: Metrics): ListenerMetrics {
  return {
    connectionRefused: (listener, reason) =>
      metrics.count('krake_hooks_connections_refused_total', { listener, reason }),
    clientFailed: (listener, failure) =>
      metrics.count('krake_hooks_client_failures_total', { listener, failure }),
  };
}

export function reflectorMetrics(metrics: Metrics): ReflectorMetrics {
  return {
    listed: (resource) => metrics.count('krake_hooks_watch_lists_total', { resource }),
    failed: (resource, reason) => metrics.count('krake_hooks_watch_failures_total', { resource, reason }),
    handlerFailed: (resource) => metrics.count('krake_hooks_watch_handler_failures_total', { resource }),
  };
}

export function queueMetrics(metrics: Metrics): WorkQueueMetrics {
  return {
    depth: (queue, keys) => metrics.set('krake_hooks_queue_depth', { queue }, keys),
    waited: (queue, seconds) => metrics.observe('krake_hooks_queue_wait_seconds', { queue }, seconds),
    processed: (queue, outcome, seconds) =>
      metrics.observe('krake_hooks_queue_process_seconds', { queue, outcome }, seconds),
    retried: (queue) => metrics.count('krake_hooks_queue_retries_total', { queue }),
  };
}

export function delivererMetrics(metrics: Metrics): DelivererMetrics {
  return {
    attempted(outcome, seconds) {
      const label = { outcome: outcomeLabel(outcome) };
      metrics.count('krake_hooks_delivery_attempts_total', label);
      metrics.observe('krake_hooks_delivery_attempt_seconds', label, seconds);
    },
    ended(phase, reason, event, seconds) {
      metrics.count('krake_hooks_deliveries_ended_total', { phase, reason, event });
      if (phase === 'Delivered') metrics.observe('krake_hooks_event_to_delivery_seconds', { event }, seconds);
    },
  };
}

export function jobsApiMetrics(metrics: Metrics): JobsApiMetrics {
  return {
    answered(operation, status, seconds) {
      metrics.count('krake_hooks_jobs_api_requests_total', { operation, code: String(status) });
      metrics.observe('krake_hooks_jobs_api_seconds', { operation, code: String(status) }, seconds);
    },
  };
}
