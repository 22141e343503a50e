import { describe, expect, it } from '@jest/globals';
import {
  at,
  confirmation,
  service,
  ofPods,
  pod,
  ended,
  addressOf,
  decide,
  type Case,
} from './goodbye-cases.ts';

describe('service form', () => {
  it.each<[string, Case, string]>([
    ['nobody has asked', {}, 'volunteer service'],
    ['nobody has asked, said before', { signals: { shutdown: { receivedAt: at(-5) } } }, `already ${at(-5)}`],
    ['asked', { conversations: [service('1')] }, 'confirm 0'],
    [
      'asked, behind one that ended',
      { conversations: [service('1', ended('confirmed')), service('2')] },
      'confirm 1',
    ],
    ['asked, given up', { conversations: [service('1', { givenUpAt: at(-1) })] }, 'confirm 0'],
    ['asked, deadline passed', { conversations: [service('1', { deadline: at(-1) })] }, 'confirm 0'],
    [
      'asked, said before that nobody asked',
      { conversations: [service('1')], signals: { shutdown: { receivedAt: at(-5) } } },
      'confirm 0',
    ],
    ['confirmed, not ended', { conversations: [service('1', confirmation(-3))] }, `already 1 ${at(-3)}`],
    [
      'ended, confirmed',
      { conversations: [service('1', { ...ended('confirmed'), ...confirmation(-20) })] },
      `already 1 ${at(-20)}`,
    ],
    ['ended, timed out', { conversations: [service('1', ended('timed-out'))] }, 'goodbye-too-late'],
    ['ended, released', { conversations: [service('1', ended('released'))] }, 'goodbye-too-late'],
    ['ended, its pods gone', { conversations: [service('1', ended('pods-gone'))] }, `already 1 ${at(-10)}`],
    ['ended, completed', { conversations: [service('1', ended('completed'))] }, `already 1 ${at(-10)}`],
    [
      'timed out, the next one is asked',
      { conversations: [service('1', ended('timed-out')), service('2')] },
      'confirm 1',
    ],
    [
      'timed out before another that confirmed',
      {
        conversations: [
          service('1', ended('timed-out', -20)),
          service('2', { ...ended('confirmed'), ...confirmation(-15) }),
        ],
      },
      `already 2 ${at(-15)}`,
    ],
    ['cancelled, in time', { conversations: [service('1', ended('cancelled'))] }, 'shutdown-cancelled'],
    [
      'cancelled, its deadline passed',
      { conversations: [service('1', { ...ended('cancelled'), deadline: at(-1) })] },
      'shutdown-cancelled',
    ],
    [
      'cancelled, then another ended',
      { conversations: [service('1', ended('cancelled', -20)), service('2', ended('released'))] },
      'goodbye-too-late',
    ],
    [
      'one ended, then cancelled',
      { conversations: [service('2', ended('cancelled')), service('1', ended('released', -20))] },
      'shutdown-cancelled',
    ],
    [
      'names a pod, which says nothing here',
      { conversations: [service('1')], sender: { pod: 'a' } },
      'confirm 0',
    ],
  ])('%s', (_name, given, expected) => {
    expect(decide(given)).toBe(expected);
  });
});

describe('a conversation is named', () => {
  const two = [service('1', { ...ended('confirmed'), ...confirmation(-20) }), service('2')];
  it.each<[string, Case, string]>([
    ['the open one', { conversations: two, sender: { conversation: '2' } }, 'confirm 1'],
    ['the confirmed one', { conversations: two, sender: { conversation: '1' } }, `already 1 ${at(-20)}`],
    ['none', { conversations: two, sender: { conversation: '3' } }, 'conversation-over'],
    ['nobody has asked', { sender: { conversation: '1' } }, 'conversation-over'],
    ...['timed-out', 'released', 'cancelled', 'completed'].map((outcome): [string, Case, string] => [
      outcome,
      { conversations: [service('1', ended(outcome)), service('2')], sender: { conversation: '1' } },
      'conversation-over',
    ]),
    [
      'one of several, by address',
      {
        conversations: [ofPods('1', [pod('a')]), ofPods('2', [pod('b')])],
        sender: { conversation: '2', address: addressOf('b') },
      },
      'confirm 1/0',
    ],
    [
      'another than the pod is asked in: the only pod of it',
      {
        conversations: [ofPods('1', [pod('a')]), ofPods('2', [pod('b')])],
        sender: { conversation: '2', address: addressOf('a') },
      },
      'guess 1/0',
    ],
    [
      'another than the named pod is asked in',
      {
        conversations: [ofPods('1', [pod('a')]), ofPods('2', [pod('b')])],
        sender: { conversation: '2', pod: 'a' },
      },
      'pod-unknown',
    ],
    [
      'confirmed without this pod',
      {
        conversations: [ofPods('1', [pod('a')], ended('confirmed'))],
        sender: { conversation: '1', pod: 'b' },
      },
      `already 1 ${at(-10)}`,
    ],
  ])('%s', (_name, given, expected) => {
    expect(decide(given)).toBe(expected);
  });
});
