const SHARE = 3; // one letter in so many may be wrong

/* How many letters have to be added, removed or changed to make one word of the other. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of from.split("").entries()) {
    const above = row;
    row = [index + 1];
    for (const [at, other] of to.split("").entries()) {
      const changed = (above[at] ?? 0) + (letter === other ? 0 : 1);
      row.push(Math.min(changed, (above[at + 1] ?? 0) + 1, (row[at] ?? 0) + 1));
    }
  }
  return row.at(-1) ?? 0;
}

function withoutDashes(word: string): string {
  return word.replace(/^-+/, "");
}

/**
 * Finds what was probably meant by an unknown word, ignoring dashes in front of either; undefined if nothing is
 * close.
 */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const word = withoutDashes(given);
  // one letter behind a dash is short for an option, and for no command
  const isShort = word.length === 1 && given !== word;
  const begins = (other: string): boolean =>
    isShort ? other.startsWith(`--${word}`) : withoutDashes(other).startsWith(word);
  const longer = word === "" ? undefined : known.find(begins);
  if (longer !== undefined) return longer;
  const [best] = known
    .map((other) => ({ other, wrong: distance(word, withoutDashes(other)) }))
    .toSorted((one, two) => one.wrong - two.wrong);
  // at least 2: two swapped letters count as two changes
  return best && best.wrong <= Math.max(2, word.length / SHARE) && best.wrong < word.length
    ? best.other
    : undefined;
}

/** The same as text to put behind the unknown word: " (did you mean …?)", or nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  const found = nearest(word, known);
  return found === undefined ? "" : ` (did you mean ${found}?)`;
}
