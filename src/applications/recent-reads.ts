import type { ApplicationView } from './application-view.ts';
import { isHolding } from './conversation.ts';

/** What a pass has read live, for the next one. */
export type RecentView = Pick<ApplicationView, 'application' | 'live'>;

/**
 * What was read of an Application a moment ago, while it is asked to shut down: most passes of a conversation only note how a call ended, and change
 * nothing that cannot be written again. Whatever a watch shows of it makes this forgotten; what no watch shows (its Secret, its Service) is
 * believed for {@link BELIEVED_MS}.
 */
export interface RecentReads {
  /** A pass begins; one at a time for each key. Undefined: everything has to be read. */
  begin(key: string): RecentView | undefined;
  /** Something has changed, also if a pass is just reading it. */
  forget(key: string): void;
  /** The pass has ended and has seen this; undefined: nothing that can be relied on. */
  end(key: string, view: RecentView | undefined): void;
}

export const BELIEVED_MS = 5_000;
/** Some 10 KB each. */
const REMEMBERED = 2_000;

export function createRecentReads(monotonic: () => number): RecentReads {
  const views = new Map<string, { readonly view: RecentView; readonly endsAt: number }>();
  const underWay = new Map<string, { changed: boolean }>();
  return {
    begin(key) {
      const recent = views.get(key);
      views.delete(key);
      underWay.set(key, { changed: false });
      return recent !== undefined && monotonic() < recent.endsAt ? recent.view : undefined;
    },
    forget(key) {
      views.delete(key);
      const pass = underWay.get(key);
      if (pass !== undefined) pass.changed = true;
    },
    end(key, view) {
      const isChanged = underWay.get(key)?.changed === true;
      underWay.delete(key);
      if (view === undefined || isChanged || !isAsked(view)) return;
      views.set(key, { view, endsAt: monotonic() + BELIEVED_MS });
      const oldest = views.size > REMEMBERED ? views.keys().next() : undefined;
      if (oldest?.done === false) views.delete(oldest.value);
    },
  };
}

function isAsked({ application }: RecentView): boolean {
  return application?.status?.shutdown?.conversations.some(isHolding) === true;
}
