import { describe, expect, it } from '@jest/globals';
import { deliveryRow, describeDelivery } from '../../../../src/cli/job-webhooks/describe-delivery.ts';
import { describeWatcher, watcherRow } from '../../../../src/cli/job-webhooks/describe-watcher.ts';
import {
  describeWebhook,
  urlForPeople,
  webhookRow,
} from '../../../../src/cli/job-webhooks/describe-webhook.ts';
import { formatSpan, formatTable } from '../../../../src/cli/job-webhooks/table.ts';
import type { JobDoneWatcher } from '../../../../src/jobs/index.ts';
import { deadLetter, delivery, NOW, REDELIVER, webhook } from './job-webhook-fixtures.ts';

const AT = '2026-11-21T07:55:00.000Z';

describe('formatTable', () => {
  it('sets columns as kubectl does, and lets no text command the terminal', () => {
    expect(
      formatTable(
        ['NAME', 'URL'],
        [
          ['a', 'x\u001b[31m\ny'],
          ['longer', ''],
        ],
      ),
    ).toEqual(['NAME     URL', 'a        x [31m y', 'longer']);
  });

  it.each([
    [-1, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [200_000, '3m20s'],
    [45 * 60_000, '45m'],
    [5 * 3_600_000 + 600_000, '5h10m'],
    [12 * 3_600_000, '12h'],
    [76 * 3_600_000, '3d4h'],
    [40 * 86_400_000, '40d'],
  ])('%d ms are %s', (ms, text) => {
    expect(formatSpan(ms)).toBe(text);
  });
});

describe('Webhooks', () => {
  it.each([
    ['https://audit.example.com/jobs', 'https://audit.example.com/jobs'],
    [
      'https://user:canary@audit.example.com:8443/a?token=canary#canary',
      'https://…@audit.example.com:8443/a?…',
    ],
    ['http://[broken/?token=canary', '(not a URL)'],
    ['http://[user:canary@broken', 'http://…@broken/'],
  ])('%s is shown as %s', (url, shown) => {
    expect(urlForPeople(url)).toBe(shown);
  });

  it('in a row', () => {
    expect(webhookRow(webhook({ status: { lastDeliveredAt: AT } }), NOW)).toEqual([
      'audit',
      'https://audit.example.com/jobs',
      'cloudevents',
      'complete,failed',
      'Ready',
      '5m',
      '60m',
    ]);
    expect(webhookRow(webhook({ status: { failingSince: AT } }), NOW)[4]).toBe('Failing (5m)');
    expect(webhookRow(webhook({ spec: { disabled: true } }), NOW)[4]).toBe('Disabled');
  });

  it('in full, without what is secret', () => {
    const spec = {
      url: 'https://audit.example.com/?key=canary',
      format: 'verbatim',
      requestBody: '{"token":"canary"}',
      secretRefs: [{ name: 'krake-hooks-webhooks', key: 'audit' }],
    } as const;
    const text = describeWebhook(webhook({ spec: { ...spec, secretRefs: [...spec.secretRefs] } }), NOW).join(
      '\n',
    );
    expect(text).not.toContain('canary');
    expect(text).toContain('body:        18 bytes');
    expect(text).toContain('signed with: key audit of Secret krake-hooks-webhooks');
  });
});

describe('WebhookDeliveries', () => {
  it('in a row', () => {
    expect(deliveryRow(deadLetter('jd-1', AT), NOW)).toEqual([
      ...['jd-1', 'train', 'failed', 'audit', 'DeadLetter', '4', 'TooOld', '', '10m'],
    ]);
    const log = [{ number: 1, at: AT, durationMs: 5, status: 503 }];
    const retried = { attempts: 1, nextAttemptAt: '2026-11-21T08:00:04.200Z', log };
    expect(deliveryRow(delivery({ status: retried }), NOW).slice(4, 8)).toEqual([
      'Pending',
      '1',
      'HTTP 503',
      'in 5s',
    ]);
    const asked = {
      ...deadLetter('jd-1', AT),
      metadata: { ...delivery({ annotations: { [REDELIVER]: 'now' } }).metadata },
    };
    expect(deliveryRow(asked, NOW).slice(4, 8)).toEqual(['Pending', '4', '', '']);
  });

  it('in full, with the attempts that are remembered', () => {
    const log = [
      { number: 1, at: AT, durationMs: 5, error: 'timeout: no answer within 15 s' },
      { number: 2, at: AT, durationMs: 8, status: 500, response: 'oops\u001b[2J' },
    ];
    const lines = describeDelivery(
      delivery({ status: { phase: 'DeadLetter', reason: 'TooOld', attempts: 2, log } }),
      NOW,
    );
    expect(lines).toContain('why:       TooOld: HTTP 500');
    expect(lines.slice(-3)).toEqual([
      'ATTEMPT   AT                         TOOK   RESULT                           ANSWER',
      '1         2026-11-21T07:55:00.000Z   5ms    timeout: no answer within 15 s',
      '2         2026-11-21T07:55:00.000Z   8ms    HTTP 500                         oops [2J',
    ]);
  });
});

describe('JobDoneWatchers', () => {
  const watcher: JobDoneWatcher = {
    apiVersion: 'hooks.krake.dev/v1alpha1',
    kind: 'JobDoneWatcher',
    metadata: { name: 'w1', namespace: 'shop', uid: 'u', creationTimestamp: '2026-11-21T07:59:00Z' },
    spec: {
      jobName: 'train',
      timeoutSeconds: 0,
      webhooks: [
        { id: 'a', webhook: 'audit', timeoutSeconds: 30 },
        { id: 'b', webhook: 'chat', timeoutSeconds: 0 },
      ],
    },
  };
  const called = { id: 'a', status: 'CALLED', calledAt: AT, delivery: 'jd-1' } as const;

  it('before and after', () => {
    expect(watcherRow(watcher, NOW)).toEqual(['w1', 'train', 'PENDING', '0/2', '', '60s']);
    const status = { phase: 'PROCESSING', jobUid: 'uid-train', webhooks: [called] } as const;
    const after = { ...watcher, status: { ...status, webhooks: [called] } };
    expect(watcherRow(after, NOW).slice(2, 4)).toEqual(['PROCESSING', '1/2']);
    expect(describeWatcher(after)).toEqual([
      'name:       w1',
      'namespace:  shop',
      'job:        train (UID uid-train)',
      'status:     PROCESSING',
      'time limit: none',
      'created:    2026-11-21T07:59:00Z',
      '',
      'WEBHOOK   STATUS       TIME LIMIT   CALLED                     DELIVERY   WHY',
      'audit     CALLED       30 s         2026-11-21T07:55:00.000Z   jd-1',
      'chat      NOT_CALLED   none',
    ]);
  });
});
