/** Prints one table; numbers are right-aligned and short. */
export function printTable(
  title: string,
  header: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  const cells = [header, ...rows].map((row) =>
    row.map((cell) => (typeof cell === 'number' ? short(cell) : cell)),
  );
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  console.log(`\n${title}`);
  for (const [index, row] of cells.entries()) {
    console.log(
      `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`,
    );
    if (index === 0) console.log(`  ${widths.map((width) => '─'.repeat(width)).join('──')}`);
  }
}

/** One target of the issue against what was measured; `atLeast` or `atMost`. */
export interface Verdict {
  readonly what: string;
  readonly measured: number;
  readonly target: number;
  readonly better: 'higher' | 'lower';
  readonly unit?: string;
}

export function printVerdicts(verdicts: readonly Verdict[]): void {
  printTable(
    'Targets',
    ['what', 'measured', 'target', ''],
    verdicts.map((v) => {
      const reached = v.better === 'higher' ? v.measured >= v.target : v.measured <= v.target;
      const unit = v.unit ?? '';
      return [
        v.what,
        `${short(v.measured)}${unit}`,
        `${v.better === 'higher' ? '≥' : '≤'} ${short(v.target)}${unit}`,
        reached ? 'reached' : 'MISSED',
      ];
    }),
  );
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Of values to their floors by round, since what the machine does besides falls on both in the same round. */
export function medianRatio(values: readonly number[], floor: readonly number[]): number {
  return median(values.map((value, i) => value / (floor[i] ?? Number.NaN)));
}

/** Nearest-rank percentile; NaN for no values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

function short(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}
