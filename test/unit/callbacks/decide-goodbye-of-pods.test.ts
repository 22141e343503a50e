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
    [
      'cancelled, its deadline passed',
      {
        podForm: true,
        conversations: [ofPods('1', [pod('a')], { ...ended('cancelled'), deadline: at(-1) })],
        sender: { pod: 'a' },
      },
      'shutdown-cancelled',
    ],
    [
      'cancelled, of another pod that is proven',
      {
        podForm: true,
        conversations: [ofPods('1', [pod('a')], ended('cancelled'))],
        sender: { proven: { name: 'b', uid: 'uid-b' } },
      },
      'volunteer uid-b',
    ],
    [
      'timed out, its own comes late',
      {
        podForm: true,
        conversations: [ofPods('1', [pod('a', confirmation(-20)), pod('b')], ended('timed-out'))],
        sender: { pod: 'b' },
      },
      'goodbye-too-late',
    ],
    [
      'timed out, a repeat of one that had come',
      {
        podForm: true,
        conversations: [ofPods('1', [pod('a', confirmation(-20)), pod('b')], ended('timed-out'))],
        sender: { pod: 'a' },
      },
      `already 1 a ${at(-20)}`,
    ],
    [
      'released, its own comes late, while another is asked',
      {
        conversations: [ofPods('1', [pod('a')], ended('released')), ofPods('2', [pod('b')])],
        sender: { pod: 'a' },
      },
      'goodbye-too-late',
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
