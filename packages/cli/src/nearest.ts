import { editDistance } from "@xsocket/protocol";

const SHARE = 3; // one letter in so many may be wrong

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
    .map((other) => ({ other, wrong: editDistance(word, withoutDashes(other)) }))
    .toSorted((one, two) => one.wrong - two.wrong);
  return best && best.wrong <= Math.max(2, word.length / SHARE) && best.wrong < word.length
    ? best.other
    : undefined;
}

/** The same as text to put behind the unknown word: " (did you mean …?)", or nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  const found = nearest(word, known);
  return found === undefined ? "" : ` (did you mean ${found}?)`;
}
