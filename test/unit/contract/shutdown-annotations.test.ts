import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  DEFAULT_SHUTDOWN,
  SHUTDOWN_ANNOTATIONS,
  parseHookAnnotations,
  parseShutdownService,
  type ShutdownChoice,
} from '../../../src/contract/index.ts';

const key = (name: string): string => `hooks.krake.dev/shutdown-${name}`;
const read = (annotations: Record<string, string>) => {
  const { shutdown, warnings } = parseHookAnnotations(annotations);
  return { shutdown, warnings };
};

describe('the shutdown annotations', () => {
  it('have the defaults of the documentation', () => {
    expect(read({})).toEqual({
      shutdown: {
        service: 'shutdown',
        timeoutSeconds: 60,
        retries: 0,
        failure: 'delete',
        causes: ['deletion', 'eviction'],
        when: 'all',
      },
      warnings: [],
    });
  });

  it.each<[string, string, Partial<ShutdownChoice>]>([
    ['service', ' saver:8080/stop ', { service: 'saver:8080/stop' }],
    ['service', 'pod:http', { service: 'pod:http' }],
    ['timeout', '90s', { timeoutSeconds: 90 }],
    ['timeout', ' 5m', { timeoutSeconds: 300 }],
    ['timeout', 'PT5M', { timeoutSeconds: 300 }],
    ['timeout', '1s', { timeoutSeconds: 1 }],
    ['timeout', '24h', { timeoutSeconds: 86_400 }],
    ['timeout', 'P1D', { timeoutSeconds: 86_400 }],
    // Up, never down: nobody gets less time than was asked for.
    ['timeout', '1001ms', { timeoutSeconds: 2 }],
    ['retries', '0', { retries: 0 }],
    ['retries', ' 10 ', { retries: 10 }],
    ['failure', 'give-up', { failure: 'give-up' }],
    ['failure', ' delete', { failure: 'delete' }],
    ['on', 'deletion', { causes: ['deletion'] }],
    ['on', 'scale-down, eviction ,,deletion,eviction', { causes: ['deletion', 'eviction', 'scale-down'] }],
    ['when', 'any', { when: 'any' }],
    ['when', ' 3 ', { when: '3' }],
    ['when', '9999', { when: '9999' }],
  ])('%s: %j', (name, value, expected) => {
    expect(read({ [key(name)]: value })).toEqual({
      shutdown: { ...DEFAULT_SHUTDOWN, ...expected },
      warnings: [],
    });
  });

  it.each<[string, string, string]>([
    ['service', '', '"shutdown" is used; write [http://|https://]NAME[:PORT][/PATH]'],
    ['service', 'http://10.0.0.1', 'is no shutdown service'],
    ['service', 'pod', 'is no shutdown service'],
    ['timeout', '', '60s is used'],
    ['timeout', '60', 'write a duration from 1s to 24h'],
    ['timeout', '0s', 'cannot be used'],
    ['timeout', '999ms', 'cannot be used'],
    ['timeout', '86401s', 'cannot be used'],
    ['timeout', `${'9'.repeat(60)}h`, 'cannot be used'],
    ['timeout', 'P1M', 'cannot be used'],
    ['retries', '', '0 is used; write a number from 0 to 10'],
    ['retries', '11', 'cannot be used'],
    ['retries', '-1', 'cannot be used'],
    ['retries', '1.5', 'cannot be used'],
    ['retries', '1e1', 'cannot be used'],
    ['retries', '0x1', 'cannot be used'],
    ['when', '', '"all" is used; write all, any or a number from 1'],
    ['when', '0', 'cannot be used'],
    ['when', '10000', 'cannot be used'],
    ['when', 'half', 'cannot be used'],
    ['on', '', 'names no cause, "deletion,eviction" is used'],
  ])('%s: %j is replaced by the default, and said', (name, value, problem) => {
    const { shutdown, warnings } = read({ [key(name)]: value });
    expect(shutdown).toEqual(DEFAULT_SHUTDOWN);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${key(name)}: `);
    expect(warnings[0]).toContain(problem);
  });

  it('ignores a misspelt cause and keeps the others', () => {
    const { shutdown, warnings } = read({ [key('on')]: 'evicton,scale-down' });
    expect(shutdown.causes).toEqual(['scale-down']);
    expect(warnings).toEqual([
      'hooks.krake.dev/shutdown-on: unknown value "evicton", it is ignored; did you mean "eviction"?',
    ]);
  });

  it.each(['', 'Delete', 'deleted', 'giveup', 'give up', 'no'])(
    'never deletes after the deadline for the misspelt failure %j',
    (value) => {
      const { shutdown, warnings } = read({ [key('failure')]: value });
      expect(shutdown.failure).toBe('give-up');
      expect(warnings).toHaveLength(1);
    },
  );

  it.each(['service', 'timeout', 'retries', 'failure', 'on', 'when'])('knows the key %s', (name) => {
    expect(SHUTDOWN_ANNOTATIONS).toContain(key(name));
    const misspelt = `${key(name)}s`;
    expect(read({ [misspelt]: 'x' }).warnings[0]).toContain(`did you mean "${key(name)}"?`);
  });

  it('never throw, whatever they hold: a choice within its limits, short warnings', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.constantFrom(
        '1s'.repeat(40_000),
        '9'.repeat(100_000),
        ','.repeat(100_000),
        'P'.repeat(50_000),
        '🧵'.repeat(40),
      ),
      fc.constantFrom('pod:80', '1h', '3', 'give-up', 'eviction', 'any'),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 6, maxLength: 6 }), (values) => {
        const given = Object.fromEntries(SHUTDOWN_ANNOTATIONS.map((name, i) => [name, values[i] ?? '']));
        const { shutdown, warnings } = read(given);
        expect(parseShutdownService(shutdown.service)).toBeDefined();
        expect(Number.isInteger(shutdown.timeoutSeconds)).toBe(true);
        expect(shutdown.timeoutSeconds).toBeGreaterThanOrEqual(1);
        expect(shutdown.timeoutSeconds).toBeLessThanOrEqual(86_400);
        expect([...Array(11).keys()]).toContain(shutdown.retries);
        expect(['delete', 'give-up']).toContain(shutdown.failure);
        expect(shutdown.causes.length).toBeGreaterThan(0);
        expect(new Set(shutdown.causes).size).toBe(shutdown.causes.length);
        expect(shutdown.when).toMatch(/^(all|any|[1-9]\d{0,3})$/);
        for (const warning of warnings) expect(warning.length).toBeLessThan(400);
      }),
      { numRuns: 300 },
    );
  });
});
