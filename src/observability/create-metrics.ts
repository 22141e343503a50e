import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS, type MetricDefinition, type MetricLabels, type MetricName } from './metric-table.ts';

type NamesOf<T extends MetricDefinition['type']> = {
  [N in MetricName]: (typeof METRICS)[N]['type'] extends T ? N : never;
}[MetricName];

/** The service's metrics; a name, its type and its labels are checked by the compiler against the table. */
export interface Metrics {
  count<N extends NamesOf<'counter'>>(name: N, labels: MetricLabels<N>): void;
  set<N extends NamesOf<'gauge'>>(name: N, labels: MetricLabels<N>, value: number): void;
  observe<N extends NamesOf<'histogram'>>(name: N, labels: MetricLabels<N>, seconds: number): void;
  /** All metrics, those of the Node process included, in Prometheus' text format. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface MetricsOptions {
  /** Called before each scrape, to set what is only known when asked. */
  readonly beforeRender?: (metrics: Metrics) => void;
}

export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  for (const [name, definition] of Object.entries<MetricDefinition>(METRICS)) {
    const common = { name, help: definition.help, labelNames: [...definition.labels], registers: [registry] };
    if (definition.type === 'counter') counters.set(name, new Counter(common));
    else if (definition.type === 'gauge') gauges.set(name, new Gauge(common));
    else histograms.set(name, new Histogram({ ...common, buckets: [...(definition.buckets ?? [])] }));
  }
  const metrics: Metrics = {
    count: (name, labels) => counters.get(name)?.inc(labels),
    set: (name, labels, value) => gauges.get(name)?.set(labels, value),
    observe: (name, labels, seconds) => histograms.get(name)?.observe(labels, seconds),
    async render() {
      options.beforeRender?.(metrics);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
  return metrics;
}
