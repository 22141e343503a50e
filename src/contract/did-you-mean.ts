/** The candidate nearest to a misspelt word, if one is near enough to be what was meant. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    // Each letter more or less is one step at least: most words need no comparison.
    if (Math.abs(candidate.length - word.length) > tolerance(candidate)) continue;
    const distance = editDistance(lower, candidate.toLowerCase());
    if (best === undefined || distance < best.distance) best = { candidate, distance };
  }
  return best !== undefined && best.distance <= tolerance(best.candidate) ? best.candidate : undefined;
}

/** A third of the letters wrong is a slip; more is another word. */
function tolerance(candidate: string): number {
  return Math.max(1, Math.ceil(candidate.length / 3));
}

/** Levenshtein distance; words longer than 100 characters are not compared further, they are no slips. */
function editDistance(a: string, b: string): number {
  if (a.length > 100 || b.length > 100) return Number.POSITIVE_INFINITY;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitute, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
