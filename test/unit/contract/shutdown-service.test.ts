import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseShutdownService, type ShutdownService } from '../../../src/contract/index.ts';

const base: ShutdownService = {
  scheme: 'http',
  form: 'service',
  service: 'shutdown',
  port: undefined,
  path: '/shutdown',
};
const pod: ShutdownService = { ...base, form: 'pod', service: undefined, port: 8080 };

describe('parseShutdownService', () => {
  it.each<[string, ShutdownService]>([
    ['shutdown', base],
    [' shutdown\n', base],
    ['http://shutdown', base],
    ['https://shutdown', { ...base, scheme: 'https' }],
    ['saver', { ...base, service: 'saver' }],
    ['saver:8080', { ...base, service: 'saver', port: 8080 }],
    ['saver:1/', { ...base, service: 'saver', port: 1, path: '/' }],
    ['saver:65535', { ...base, service: 'saver', port: 65_535 }],
    ['saver:http/api/v1/stop', { ...base, service: 'saver', port: 'http', path: '/api/v1/stop' }],
    ['saver:8-http', { ...base, service: 'saver', port: '8-http' }],
    [
      'https://s:443/a/b?now=1&x=%20',
      { ...base, scheme: 'https', service: 's', port: 443, path: '/a/b?now=1&x=%20' },
    ],
    ['a/~_.@:!$', { ...base, service: 'a', path: '/~_.@:!$' }],
    [`${'a'.repeat(63)}:${'p'.repeat(15)}`, { ...base, service: 'a'.repeat(63), port: 'p'.repeat(15) }],
    ['pod:8080', pod],
    ['https://pod:8080/stop', { ...pod, scheme: 'https', path: '/stop' }],
    ['pod:admin/stop', { ...pod, port: 'admin', path: '/stop' }],
    ['podium', { ...base, service: 'podium' }],
  ])('reads %j', (text, service) => {
    expect(parseShutdownService(text)).toEqual(service);
  });

  it.each([
    '',
    ' ',
    '/shutdown',
    ':8080',
    '8080',
    'Shutdown',
    'shut_down',
    '-shutdown',
    'shutdown-',
    'a'.repeat(64),
    'ftp://shutdown',
    'HTTP://shutdown',
    'http:/shutdown',
    'http://',
    'http://http://shutdown',
    // Another host or namespace than the application's own.
    '10.0.0.1',
    '10.0.0.1:80/shutdown',
    '[::1]:80',
    'shutdown.other',
    'shutdown.other.svc.cluster.local',
    'user@shutdown',
    'user:pass@shutdown/x',
    'shutdown:80@example.com',
    'localhost.',
    // Ports
    'shutdown:',
    'shutdown:0',
    'shutdown:65536',
    'shutdown:123456',
    'shutdown:-1',
    'shutdown:80:90',
    `shutdown:${'p'.repeat(16)}`,
    'shutdown:HTTP',
    'pod',
    'pod/shutdown',
    'https://pod',
    // Paths that a URL parser may read in another way than a person
    'shutdown//example.com/x',
    'shutdown/\\example.com',
    'shutdown/a b',
    'shutdown/a\tb',
    'shutdown/a\r\nHost: x',
    'shutdown/ä',
    'shutdown/#x',
    'shutdown/"x"',
    `shutdown/${'a'.repeat(256)}`,
    'shutdown?x=1',
    'shutdown\n/x',
    'constructor:__proto__',
  ])('refuses %j', (text) => {
    expect(parseShutdownService(text)).toBeUndefined();
  });

  const name = fc.stringMatching(/^[a-z](?:[-a-z0-9]{0,30}[a-z0-9])?$/);
  const port = fc.oneof(
    fc.integer({ min: 1, max: 65_535 }),
    fc.stringMatching(/^[a-z](?:[-a-z0-9]{0,13}[a-z0-9])?$/),
  );
  const path = fc.stringMatching(/^\/(?:[-\w.~%][-\w.~%/?=&]{0,40})?$/);

  it('reads back whatever is written in its form, and a URL parser agrees', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('', 'http://', 'https://'),
        name,
        fc.option(port, { nil: undefined }),
        fc.option(path, { nil: undefined }),
        (scheme, service, aPort, aPath) => {
          fc.pre(service !== 'pod' || aPort !== undefined);
          const text = `${scheme}${service}${aPort === undefined ? '' : `:${aPort}`}${aPath ?? ''}`;
          const parsed = parseShutdownService(text);
          expect(parsed).toEqual({
            scheme: scheme === 'https://' ? 'https' : 'http',
            form: service === 'pod' ? 'pod' : 'service',
            service: service === 'pod' ? undefined : service,
            port: aPort,
            path: aPath ?? '/shutdown',
          });
          const url = new URL(parsed?.path ?? '', 'http://10.0.0.1:8080');
          expect(url.host).toBe('10.0.0.1:8080');
          expect(url.hash).toBe('');
        },
      ),
    );
  });

  it('never throws; what it takes stays with the host that it is put on', () => {
    const piece = fc.constantFrom(
      'http',
      '://',
      'pod',
      ':',
      '/',
      '//',
      '\\',
      '80',
      'a',
      '.',
      '@',
      '?',
      '#',
      '[',
      ' ',
      '\n',
      '%',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    );
    fc.assert(
      fc.property(text, (written) => {
        const parsed = parseShutdownService(written);
        if (parsed === undefined) return;
        expect(parsed.path.startsWith('/')).toBe(true);
        expect((parsed.service === undefined) === (parsed.form === 'pod')).toBe(true);
        expect(new URL(parsed.path, 'http://10.0.0.1:8080').host).toBe('10.0.0.1:8080');
        expect(new URL(`http://10.0.0.1:8080${parsed.path}`).host).toBe('10.0.0.1:8080');
      }),
      { numRuns: 2_000 },
    );
  });
});
