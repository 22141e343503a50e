import { describe, expect, it } from '@jest/globals';
import { createMetrics, METRICS } from '../../../src/observability/index.ts';

describe('createMetrics', () => {
  it('renders what was counted, set and observed', async () => {
    const metrics = createMetrics({ beforeRender: (m) => m.set('krake_hooks_leader', {}, 1) });
    metrics.count('krake_hooks_admission_reviews_total', {
      kind: 'Pod',
      outcome: 'patched',
      reason: 'injected',
    });
    metrics.observe('krake_hooks_admission_seconds', { outcome: 'patched' }, 0.002);
    const { text, contentType } = await metrics.render();
    expect(contentType).toContain('text/plain');
    expect(text).toContain(
      'krake_hooks_admission_reviews_total{kind="Pod",outcome="patched",reason="injected"} 1',
    );
    expect(text).toContain('krake_hooks_admission_seconds_bucket{le="0.0025",outcome="patched"} 1');
    expect(text).toContain('krake_hooks_leader 1');
    expect(text).toContain('process_resident_memory_bytes');
  });

  it('keeps two instances apart', async () => {
    createMetrics().count('krake_hooks_admission_errors_total', {});
    expect((await createMetrics().render()).text).toContain('krake_hooks_admission_errors_total 0');
  });

  it('names units and totals as Prometheus wants them', () => {
    for (const [name, { type }] of Object.entries(METRICS)) {
      expect(name).toMatch(/^krake_hooks_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    }
  });
});
