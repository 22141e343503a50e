import { describe, expect, it } from '@jest/globals';
import { createExpiryWarning } from '../../../src/pki/clients/expiry-warning.ts';
import { createMemoryLogger } from './fakes.ts';

const DAY = 86_400_000;

/** Days before the end at which it speaks, looked at each hour. */
function daysOfWarnings(lifeDays: number): { warned: number[]; failed: number[] } {
  const logger = createMemoryLogger();
  const look = createExpiryWarning(logger);
  const days: number[] = [];
  for (let now = 0; now <= (lifeDays + 2) * DAY; now += DAY / 24) {
    const before = logger.lines.length;
    look({ subject: 'CN=operator', notBefore: 0, notAfter: lifeDays * DAY }, now);
    if (logger.lines.length > before) days.push(lifeDays - now / DAY);
  }
  const { lines } = logger;
  expect(lines.every(({ level }) => level === 'warn' || level === 'error')).toBe(true);
  return {
    warned: days.filter((_day, i) => lines[i]?.level === 'warn'),
    failed: days.filter((_day, i) => lines[i]?.level === 'error'),
  };
}

describe('the warning of the end of an operator’s intermediate', () => {
  it.each<[string, number, number]>([
    ['of a year: 30 days before', 365, 30],
    ['of a week: in its last third', 6, 2],
  ])('%s, then once a day, and an error at the end', (_what, lifeDays, first) => {
    const { warned, failed } = daysOfWarnings(lifeDays);
    expect(warned[0]).toBeCloseTo(first, 5);
    expect(warned).toHaveLength(first);
    expect(failed[0]).toBeCloseTo(0, 5);
    expect(failed).toHaveLength(3);
  });

  it('begins anew with another one, and says which', () => {
    const logger = createMemoryLogger();
    const look = createExpiryWarning(logger);
    look({ subject: 'CN=one', notBefore: 0, notAfter: 30 * DAY }, 29 * DAY);
    look({ subject: 'CN=two', notBefore: 0, notAfter: 60 * DAY }, 29 * DAY);
    look({ subject: 'CN=two', notBefore: 0, notAfter: 60 * DAY }, 59 * DAY);
    expect(logger.lines.map(({ fields }) => fields?.['subject'])).toEqual(['CN=one', 'CN=two']);
    expect(logger.lines[1]?.fields?.['notAfter']).toBe(new Date(60 * DAY).toISOString());
  });
});
