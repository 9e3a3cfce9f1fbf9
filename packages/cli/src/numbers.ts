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
