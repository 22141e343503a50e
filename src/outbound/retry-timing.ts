export interface BackoffOptions {
  /** The first delay at most; each further one twice as much. */
  readonly baseMs: number;
  /** No delay is longer. */
  readonly capMs: number;
}

/**
 * Exponential backoff with full jitter: any time from 0 to the delay of this attempt, so that those who failed together do not come back together.
 *
 * @param attempt attempts made so far, from 1
 * @param random from 0 to below 1
 */
export function backoffMs(attempt: number, { baseMs, capMs }: BackoffOptions, random: number): number {
  // 2 ** 1024 is Infinity, which the cap takes as well.
  return Math.floor(random * Math.min(capMs, baseMs * 2 ** (Math.max(1, attempt) - 1)));
}

export interface RetryDelayOptions extends BackoffOptions {
  /** A receiver cannot ask for a longer wait. */
  readonly retryAfterCeilingMs: number;
}

/**
 * When the next attempt may begin, from now. What the receiver asks for is the least, and the jitter comes on top: it has told everybody the
 * same time.
 *
 * @param retryAfterMs of the answer; undefined: it said nothing
 */
export function retryDelayMs(
  attempt: number,
  retryAfterMs: number | undefined,
  options: RetryDelayOptions,
  random: number,
): number {
  const ownMs = backoffMs(attempt, options, random);
  if (retryAfterMs === undefined) return ownMs;
  const askedMs = Math.min(retryAfterMs, options.retryAfterCeilingMs);
  return Math.max(ownMs, askedMs + Math.floor(random * options.baseMs));
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The three forms of RFC 9110, 5.6.7, of which recipients must understand all. */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^[A-Z][a-z]+day, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[\d ]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/,
];

/**
 * Milliseconds from now that a Retry-After header asks for, in seconds or as an HTTP date; a date that has passed: 0.
 *
 * @returns undefined when it is neither
 */
export function parseRetryAfter(text: string, nowMs: number): number | undefined {
  const value = text.trim();
  if (/^\d{1,15}$/.test(value)) return Number(value) * 1_000;
  const dateMs = parseHttpDate(value, nowMs);
  return dateMs === undefined ? undefined : Math.max(0, dateMs - nowMs);
}

function parseHttpDate(text: string, nowMs: number): number | undefined {
  for (const form of HTTP_DATES) {
    const { day = '', month = '', year = '', time = '' } = form.exec(text)?.groups ?? {};
    const monthIndex = MONTHS.indexOf(month);
    if (monthIndex < 0) continue;
    const [hours = NaN, minutes = NaN, seconds = NaN] = time.split(':').map(Number);
    return Date.UTC(fullYear(year, nowMs), monthIndex, Number(day), hours, minutes, seconds);
  }
  return undefined;
}

/** Two digits that would be more than 50 years ahead mean the past (RFC 9110, 5.6.7). */
function fullYear(year: string, nowMs: number): number {
  if (year.length === 4) return Number(year);
  const thisYear = new Date(nowMs).getUTCFullYear();
  const inThisCentury = Math.floor(thisYear / 100) * 100 + Number(year);
  return inThisCentury > thisYear + 50 ? inThisCentury - 100 : inThisCentury;
}
