import { describe, expect, it } from '@jest/globals';
import { MAX_VOLUNTEERED } from '../../../src/callbacks/decide-goodbye.ts';
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
    ['ended, timed out', { conversations: [service('1', ended('timed-out'))] }, `already 1 ${at(-10)}`],
    ['ended, released', { conversations: [service('1', ended('released'))] }, `already 1 ${at(-10)}`],
    ['cancelled, in time', { conversations: [service('1', ended('cancelled'))] }, 'shutdown-cancelled'],
    [
      'cancelled, long ago',
      { conversations: [service('1', { ...ended('cancelled'), deadline: at(-1) })] },
      'volunteer service',
    ],
    [
      'cancelled, then another ended',
      { conversations: [service('1', ended('cancelled', -20)), service('2', ended('released'))] },
      `already 2 ${at(-10)}`,
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

describe('pod form', () => {
  const three = [ofPods('1', [pod('a'), pod('b', confirmation(-3))]), ofPods('2', [pod('c')])];
  it.each<[string, Case, string]>([
    ['by name', { conversations: three, sender: { pod: 'c' } }, 'confirm 1/0'],
    ['by UID', { conversations: three, sender: { pod: 'uid-a' } }, 'confirm 0/0'],
    ['by address', { conversations: three, sender: { address: addressOf('a') } }, 'confirm 0/0'],
    [
      'the name says more than the address',
      { conversations: three, sender: { pod: 'c', address: addressOf('a') } },
      'confirm 1/0',
    ],
    [
      'said before, by address',
      { conversations: three, sender: { address: addressOf('b') } },
      `already 1 b ${at(-3)}`,
    ],
    ['of two that wait neither', { conversations: three }, 'pod-unknown'],
    ['a name that is not asked', { conversations: three, sender: { pod: 'x' } }, 'pod-unknown'],
    [
      'a name that is not asked is not the only one',
      { conversations: [ofPods('1', [pod('a')])], sender: { pod: 'x' } },
      'pod-unknown',
    ],
    [
      'a name that is not asked does not go by its address',
      { conversations: three, sender: { pod: 'x', address: addressOf('a') } },
      'pod-unknown',
    ],
    ['the only one', { conversations: [ofPods('1', [pod('a', confirmation(-3)), pod('b')])] }, 'guess 0/1'],
    [
      'asked in two conversations',
      { conversations: [ofPods('1', [pod('a')]), ofPods('2', [pod('b'), pod('a')])], sender: { pod: 'a' } },
      'confirm 0/0 1/1',
    ],
    [
      'asked again',
      {
        conversations: [ofPods('1', [pod('a', confirmation(-3))]), ofPods('2', [pod('a')])],
        sender: { pod: 'a' },
      },
      'confirm 1/0',
    ],
    [
      'an address that two have',
      {
        conversations: [ofPods('1', [pod('a'), pod('b', { address: addressOf('a') })])],
        sender: { address: addressOf('a') },
      },
      'pod-unknown',
    ],
    [
      'an address that two have, and a name',
      {
        conversations: [ofPods('1', [pod('a'), pod('b', { address: addressOf('a') })])],
        sender: { pod: 'b', address: addressOf('a') },
      },
      'confirm 0/1',
    ],
    [
      'all have said it, not ended',
      { conversations: [ofPods('1', [pod('a', confirmation(-3))])] },
      `already 1 a ${at(-3)}`,
    ],
    [
      'a repeat while another is asked',
      {
        conversations: [
          ofPods('1', [pod('a', confirmation(-9))], ended('confirmed')),
          ofPods('2', [pod('b')]),
        ],
        sender: { address: addressOf('a') },
      },
      `already 1 a ${at(-9)}`,
    ],
    [
      'ended, a repeat',
      {
        conversations: [ofPods('1', [pod('a', confirmation(-9))], ended('confirmed'))],
        sender: { pod: 'a' },
      },
      `already 1 a ${at(-9)}`,
    ],
    [
      'ended with any, its own comes late',
      {
        conversations: [ofPods('1', [pod('a', confirmation(-9)), pod('b')], ended('confirmed'))],
        sender: { pod: 'b' },
      },
      `already 1 b ${at(-10)}`,
    ],
    [
      'ended, from another pod',
      { podForm: true, conversations: [ofPods('1', [pod('a', confirmation(-9))], ended('confirmed'))] },
      'volunteer 10.9.9.9',
    ],
    [
      'cancelled, in time',
      { podForm: true, conversations: [ofPods('1', [pod('a')], ended('cancelled'))], sender: { pod: 'a' } },
      'shutdown-cancelled',
    ],
    ['nobody has asked', { podForm: true }, 'volunteer 10.9.9.9'],
    [
      'nobody has asked, said before',
      { podForm: true, signals: { shutdownFrom: { '10.9.9.9': { receivedAt: at(-5) } } } },
      `already ${at(-5)}`,
    ],
    [
      'nobody has asked, a proven pod',
      { podForm: true, sender: { proven: { name: 'a', uid: 'uid-a' } } },
      'volunteer uid-a',
    ],
    [
      'nobody has asked, a proven pod, its neighbour on the node has said it',
      {
        podForm: true,
        signals: { shutdownFrom: { '10.9.9.9': { receivedAt: at(-5) }, 'uid-b': { receivedAt: at(-5) } } },
        sender: { proven: { name: 'a', uid: 'uid-a' } },
      },
      'volunteer uid-a',
    ],
    [
      'nobody has asked, a proven pod, said before',
      {
        podForm: true,
        signals: { shutdownFrom: { 'uid-a': { receivedAt: at(-5) } } },
        sender: { proven: { name: 'a', uid: 'uid-a' } },
      },
      `already ${at(-5)}`,
    ],
    [
      'nobody has asked, a proven pod from nowhere',
      { podForm: true, sender: { address: undefined, proven: { name: 'a', uid: 'uid-a' } } },
      'volunteer uid-a',
    ],
    ['nobody has asked, from nowhere', { podForm: true, sender: { address: undefined } }, 'pod-unknown'],
    [
      'nobody has asked, no room',
      {
        podForm: true,
        signals: {
          shutdownFrom: Object.fromEntries(
            Array.from({ length: MAX_VOLUNTEERED }, (_, i) => [
              `10.1.${i >> 8}.${i & 255}`,
              { receivedAt: at(-5) },
            ]),
          ),
        },
      },
      'too-many-goodbyes',
    ],
  ])('%s', (_name, given, expected) => {
    expect(decide(given)).toBe(expected);
  });

  it.each<[string, Case, string]>([
    ['no pod named', { sender: { address: addressOf('a') } }, 'confirm 0'],
    ['an asked pod named', { sender: { pod: 'a' } }, 'confirm 1/0'],
    ['another pod named', { sender: { pod: 'x' } }, 'confirm 0'],
  ])('both forms open, %s', (_name, given, expected) => {
    expect(decide({ ...given, conversations: [service('1'), ofPods('2', [pod('a')])] })).toBe(expected);
  });
});
