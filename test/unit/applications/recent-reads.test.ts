import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Conversation } from '../../../src/applications/conversation.ts';
import {
  BELIEVED_MS,
  createRecentReads,
  type RecentReads,
  type RecentView,
} from '../../../src/applications/recent-reads.ts';

const KEY = 'shop/deployment-web';
const held = { form: 'service' } as Conversation;

let now: number;
let reads: RecentReads;
beforeEach(() => {
  now = 1_000;
  reads = createRecentReads(() => now);
});

function viewOf(conversations: readonly Conversation[] = [held]): RecentView {
  const status = { shutdown: { sequence: 1, going: {}, conversations } };
  return { application: { status }, live: {} } as unknown as RecentView;
}

/** A pass that reads this. */
function pass(view: RecentView | undefined, key = KEY): RecentView | undefined {
  const recent = reads.begin(key);
  reads.end(key, view);
  return recent;
}

describe('what a pass has read', () => {
  it('is believed by the next one, and by that one alone', () => {
    const view = viewOf();
    expect(pass(view)).toBeUndefined();
    expect(reads.begin(KEY)).toBe(view);
    expect(reads.begin(KEY)).toBeUndefined();
  });

  it('is nobody else’s', () => {
    pass(viewOf());
    expect(reads.begin('shop/deployment-api')).toBeUndefined();
  });

  it('is believed for as long as ever when a pass that believed it hands it on', () => {
    const view = viewOf();
    pass(view);
    now += BELIEVED_MS - 1;
    expect(pass(view)).toBe(view);
    now += 1;
    expect(reads.begin(KEY)).toBeUndefined();
  });

  it('is believed for a while only', () => {
    pass(viewOf());
    now += BELIEVED_MS;
    expect(reads.begin(KEY)).toBeUndefined();
  });

  it('is forgotten when a watch shows a change', () => {
    pass(viewOf());
    reads.forget(KEY);
    expect(reads.begin(KEY)).toBeUndefined();
  });

  it('is not kept when the change came while it was read', () => {
    reads.begin(KEY);
    reads.forget(KEY);
    reads.end(KEY, viewOf());
    expect(reads.begin(KEY)).toBeUndefined();
  });

  it('is kept again by the pass after such a change', () => {
    reads.begin(KEY);
    reads.forget(KEY);
    reads.end(KEY, undefined);
    const view = viewOf();
    pass(view);
    expect(reads.begin(KEY)).toBe(view);
  });

  it.each([
    ['of a pass that failed', undefined],
    ['of an application that nobody has asked', viewOf([])],
    ['of one whose conversations are over', viewOf([{ ...held, outcome: 'confirmed' }])],
  ])('is not kept %s', (_, view) => {
    pass(view);
    expect(reads.begin(KEY)).toBeUndefined();
  });

  it('is bounded: the oldest goes first', () => {
    const newest = 2_000;
    for (let i = 0; i <= newest; i++) pass(viewOf(), `shop/app-${i}`);
    expect(reads.begin('shop/app-0')).toBeUndefined();
    expect(reads.begin('shop/app-1')).toBeDefined();
    expect(reads.begin(`shop/app-${newest}`)).toBeDefined();
  });
});
