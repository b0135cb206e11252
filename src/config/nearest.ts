// "Did you mean": the known word that is nearest to a mistyped one. Pure; any thread.

/**
 * Edit distance (insert, delete, replace, swap of neighbours) between two words; more than `limit` returns `limit + 1`.
 */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length] ?? 0, limit + 1);
}

/** Words longer than this are no typing mistakes, and comparing them would cost. */
const MAX_WORD = 64;

/** The nearest of `words`, or undefined where none is near enough to be meant (about one mistake in three letters). */
export function nearestWord(typed: string, words: Iterable<string>): string | undefined {
  if (typed.length > MAX_WORD) return undefined;
  const wanted = typed.toLowerCase();
  let limit = Math.max(1, Math.floor(typed.length / 3) + (typed.length > 3 ? 1 : 0));
  let best: string | undefined;
  for (const word of words) {
    const distance = editDistance(wanted, word.toLowerCase(), limit);
    if (distance < limit || (distance === limit && best === undefined)) {
      best = word;
      limit = distance;
    }
  }
  return best;
}

/** A hint for a message: "did you mean 'x'?", or undefined. */
export function didYouMean(typed: string, words: Iterable<string>): string | undefined {
  const best = nearestWord(typed, words);
  return best === undefined ? undefined : `did you mean '${best}'?`;
}
