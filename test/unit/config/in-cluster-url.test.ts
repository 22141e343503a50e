import { describe, expect, it } from '@jest/globals';
import { inClusterUrl } from '../../../src/config/index.ts';

describe('inClusterUrl', () => {
  it.each([
    [{}, undefined],
    [{ KUBERNETES_SERVICE_HOST: '10.96.0.1' }, undefined],
    [{ KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }, 'https://10.96.0.1:443'],
    [{ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }, 'https://[fd00::1]:6443'],
  ])('reads %j', (env, url) => {
    expect(inClusterUrl(env)).toBe(url);
  });
});
