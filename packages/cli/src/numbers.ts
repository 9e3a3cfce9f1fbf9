import { MisuseError } from "./errors.ts";

/**
 * Reads the value of an option that takes a whole number.
 *
 * @param max if given, the number must be from 1 to this one
 * @throws {MisuseError} for anything else
 */
export function wholeNumber(option: string, text: string, max?: number): number {
  const value = Number(text);
  const fits = max === undefined ? Number.isSafeInteger(value) : value >= 1 && value <= max;
  if (/^\d+$/.test(text) && fits) return value;
  const span = max === undefined ? "" : ` from 1 to ${max}`;
  throw new MisuseError(`${option} takes a whole number${span}, not "${text}"`);
}
