import { MisuseError } from "./errors.ts";

/** The ids that a user or a group can have; the one above them means none. */
export const IDS = { least: 0, most: 0xffff_fffe };

/**
 * Reads the value of an option that takes a whole number.
 *
 * @param range what is allowed, 0 and above by default
 * @throws {MisuseError} for anything else
 */
export function wholeNumber(
  option: string,
  text: string,
  { least, most } = { least: 0, most: Number.MAX_SAFE_INTEGER },
): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? "" : ` from ${least} to ${most}`;
  throw new MisuseError(`${option} takes a whole number${range}, not "${text}"`);
}
