import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { applicationName, generatedApplicationName, secretName } from '../../../src/contract/index.ts';

/** Label values, object names and path segments all accept this. */
const SAFE = /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/;

const objectName = fc
  .stringMatching(/^[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?$/)
  .filter((name) => name.length <= 253 && !name.includes('..'));

describe('applicationName', () => {
  it.each([
    ['Deployment', 'web', 'deployment-web'],
    ['Job', 'train', 'job-train'],
    ['ReplicationController', 'old.one', 'replicationcontroller-old.one'],
  ])('names %s %s as %s', (kind, name, expected) => {
    expect(applicationName(kind, name)).toBe(expected);
  });

  it('keeps a name of exactly 63 characters and hashes a longer one', () => {
    const fits = 'a'.repeat(63 - 'pod-'.length);
    expect(applicationName('Pod', fits)).toBe(`pod-${fits}`);
    expect(applicationName('Pod', `${fits}a`)).toMatch(/^pod-a+-[0-9a-f]{10}$/);
    expect(applicationName('Pod', `${fits}a`)).toHaveLength(63);
  });

  it('fits a label value, a Secret name and a URL for every object name', () => {
    fc.assert(
      fc.property(objectName, (name) => {
        const application = applicationName('StatefulSet', name);
        expect(application).toMatch(SAFE);
        expect(application.length).toBeLessThanOrEqual(63);
        expect(secretName(application)).toMatch(SAFE);
        expect(encodeURIComponent(application)).toBe(application);
      }),
    );
  });

  it('gives different names to long names that differ only at their end', () => {
    const long = 'x'.repeat(100);
    expect(applicationName('Job', `${long}-1`)).not.toBe(applicationName('Job', `${long}-2`));
  });
});

describe('generatedApplicationName', () => {
  it('is the same for one request and another for the next', () => {
    const first = generatedApplicationName('Pod', 'task-', '11111111-1111-4111-8111-111111111111');
    expect(first).toMatch(/^pod-task-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(generatedApplicationName('Pod', 'task-', '11111111-1111-4111-8111-111111111111')).toBe(first);
    expect(generatedApplicationName('Pod', 'task-', '22222222-2222-4222-8222-222222222222')).not.toBe(first);
  });
});
