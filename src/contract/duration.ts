import { parse } from 'tinyduration';

const GO_UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
/** No duration that somebody means is longer; an annotation may be. */
const MAX_LENGTH = 64;
const GO_FORM = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;

/**
 * Milliseconds of a duration in Go's form (`90s`, `1h30m`, `500ms`) or ISO 8601 (`PT90S`, `P1D`). Years and months are refused:
 * their length is not fixed.
 *
 * @returns undefined when the text is neither
 */
export function parseDuration(text: string): number | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  if (GO_FORM.test(text)) {
    let totalMs = 0;
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
      totalMs += Number(amount) * GO_UNIT_MS[unit as keyof typeof GO_UNIT_MS];
    }
    return totalMs;
  }
  return parseIsoDuration(text);
}

function parseIsoDuration(text: string): number | undefined {
  try {
    const d = parse(text);
    if (d.negative === true || d.years !== undefined || d.months !== undefined) return undefined;
    const days = (d.weeks ?? 0) * 7 + (d.days ?? 0);
    return ((days * 24 + (d.hours ?? 0)) * 60 + (d.minutes ?? 0)) * 60_000 + (d.seconds ?? 0) * 1_000;
  } catch {
    return undefined; // the library throws on anything that is not ISO 8601
  }
}

/** Whole milliseconds in Go's form, in the largest unit that leaves no rest; {@link parseDuration} reads the same from it. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms > 0 && ms % GO_UNIT_MS[unit] === 0) return `${ms / GO_UNIT_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}
