import { MisuseError } from "./errors.ts";

/** The ids that a user or a group can have; the one above them means none. */
export const IDS = { least: 0, most: 0xffff_fffe };

/**
 * Reads the value of an option that takes a whole number.
 *
 * @throws {MisuseError} for anything else
 */
export function wholeNumber(option: string, text: string, { least, most }: typeof IDS): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new MisuseError(`${option} takes a whole number from ${least} to ${most}, not "${text}"`);
}

/**
 * Reads the value of an option that takes several names or ids.
 *
 * @param read finds the meaning of one, or throws
 * @throws {MisuseError} for words that have no commas between, and for nothing
 * @throws what `read` throws
 */
export function idList<Found>(
  option: string,
  list: string,
  read: (word: string) => Found,
): Found[] {
  const refuse = (cause?: unknown) =>
    new MisuseError(`${option} takes names or ids separated by commas, not "${list}"`, { cause });
  return list.split(",").map((part) => {
    const word = part.trim();
    if (word === "") throw refuse();
    try {
      return read(word);
    } catch (error) {
      throw /\s/.test(word) ? refuse(error) : error; // a space may stand in a name
    }
  });
}
