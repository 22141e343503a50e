import type { send } from './canary-setting.ts';

export type CanaryRequest = readonly [
  what: string,
  path: string,
  options: NonNullable<Parameters<typeof send>[2]>,
];

/** One secret, everywhere in a request where somebody may put it; each by PUT and by POST. */
export function requestsWith(good: string, secret: string): CanaryRequest[] {
  const body = JSON.stringify({ token: secret });
  const cases: CanaryRequest[] = [
    ['malformed', good, { body: `{"token":"${secret}` }],
    ['a list', good, { body: `["${secret}"]` }],
    ['a wrong field', good, { body: JSON.stringify({ [secret]: secret, token: { a: secret } }) }],
    ['oversized', good, { body: JSON.stringify({ token: secret, more: 'x'.repeat(8_000_000) }) }],
    ['wrong method', good, { method: 'DELETE', body }],
    ['wrong content type', good, { body, headers: { 'Content-Type': `text/${secret}` } }],
    ['header', good, { body: '{}', headers: { 'X-Token': secret, Cookie: `a=${secret}` } }],
    ['bearer', good, { body: '{}', headers: { Authorization: `Bearer ${secret}` } }],
    [
      'basic',
      good,
      { body: '{}', headers: { Authorization: `Basic ${Buffer.from(`a:${secret}`).toString('base64')}` } },
    ],
    ['webhook-id', good, { body, headers: { 'webhook-id': secret, 'User-Agent': secret } }],
    ['query', `${good}?token=${secret}`, { body: '{}' }],
    ['path', `/${secret}`, { body }],
    ['path below', `${good}/${secret}`, { body }],
    ['name', good.replace(/applications\/[^/]+/, `applications/${secret.toLowerCase()}`), { body }],
    ['header flood', good, { body, headers: { 'X-Long': secret.repeat(1_000) } }],
    ['no method', good, { method: 'BREW', body }],
  ];
  return ['PUT', 'POST'].flatMap((method) =>
    cases.map(([what, path, options]): CanaryRequest => [
      `${what} (${method})`,
      path,
      { method, ...options },
    ]),
  );
}
