import { MisuseError } from "./errors.ts";

/**
 * Reads the value of an option that takes a whole number.
 *
 * @throws {MisuseError} for anything else
 */
export function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new MisuseError(`${option} takes a whole number, not "${text}"`);
}
