import { describe, expect, it } from '@jest/globals';
import { callbackUrl } from '../../../src/contract/index.ts';

const path = '/kubernetes/namespaces/shop/applications/deployment-web/complete';

describe('callbackUrl', () => {
  it.each([
    ['https://hooks.krake-system.svc', `https://hooks.krake-system.svc:443${path}`],
    ['https://hooks.krake-system.svc:8444', `https://hooks.krake-system.svc:8444${path}`],
    ['http://hooks.example', `http://hooks.example:80${path}`],
    ['https://edge.example/krake', `https://edge.example:443/krake${path}`],
    ['https://edge.example/krake/', `https://edge.example:443/krake${path}`],
    ['https://[::1]:8444', `https://[::1]:8444${path}`],
  ])('writes the port out and keeps the prefix of %s', (endpoint, expected) => {
    expect(callbackUrl(endpoint, 'shop', 'deployment-web', 'complete')).toBe(expected);
  });
});
