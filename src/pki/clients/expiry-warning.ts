import type { Logger } from '../../observability/index.ts';

const DAY_MS = 86_400_000;
/** Somebody has to make another one by hand, maybe on leave. */
const MAX_NOTICE_MS = 30 * DAY_MS;
/** Short lives, as of an intermediate that is made anew each week, have a shorter notice. */
const LAST_PART = 1 / 3;

/** Times are milliseconds since the epoch. */
export interface Validity {
  readonly subject: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/**
 * Warns of the end of a certificate that nobody but a person replaces: in the last third of its life, at most 30 days before its end, once a day;
 * and as an error when it has ended.
 *
 * @returns a function to be called at each look, as often as one likes
 */
export function createExpiryWarning(logger: Logger): (certificate: Validity, now: number) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  let saidOf = '';
  return ({ subject, notBefore, notAfter }, now) => {
    if (notAfter - now > Math.min(MAX_NOTICE_MS, (notAfter - notBefore) * LAST_PART)) return;
    const hasEnded = now >= notAfter;
    const what = `${notAfter} ${hasEnded}`;
    if (saidOf === what && now - saidAt < DAY_MS) return;
    saidOf = what;
    saidAt = now;
    const fields = { subject, notAfter: new Date(notAfter).toISOString() };
    if (hasEnded) {
      logger.error(
        'the signing certificate of applications has ended, no certificate can be issued; put its successor into the files',
        fields,
      );
    } else {
      logger.warn(
        'the signing certificate of applications ends soon; put its successor into the files',
        fields,
      );
    }
  };
}
