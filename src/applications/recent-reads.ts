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

interface Remembered {
  readonly view: RecentView;
  readonly endsAt: number;
}

export const BELIEVED_MS = 5_000;
/** Some 10 KB each. */
const REMEMBERED = 2_000;

export function createRecentReads(monotonic: () => number): RecentReads {
  const views = new Map<string, Remembered>();
  const underWay = new Map<string, { changed: boolean; readonly from: Remembered | undefined }>();
  return {
    begin(key) {
      const recent = views.get(key);
      views.delete(key);
      const from = recent !== undefined && monotonic() < recent.endsAt ? recent : undefined;
      underWay.set(key, { changed: false, from });
      return from?.view;
    },
    forget(key) {
      views.delete(key);
      const pass = underWay.get(key);
      if (pass !== undefined) pass.changed = true;
    },
    end(key, view) {
      const { changed = false, from } = underWay.get(key) ?? {};
      underWay.delete(key);
      if (view === undefined || changed || !isAsked(view)) return;
      // From the reading, however many passes have believed it since.
      const endsAt = view.live === from?.view.live ? from?.endsAt : undefined;
      views.set(key, { view, endsAt: endsAt ?? monotonic() + BELIEVED_MS });
      const oldest = views.size > REMEMBERED ? views.keys().next() : undefined;
      if (oldest?.done === false) views.delete(oldest.value);
    },
  };
}

function isAsked({ application }: RecentView): boolean {
  return application?.status?.shutdown?.conversations.some(isHolding) === true;
}
