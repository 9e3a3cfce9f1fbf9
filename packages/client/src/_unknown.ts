/*
 * A misspelt option would be silently ignored, and the default used instead. Where all options are ours,
 * every other key is refused. Where they stand beside Bun's, of which its next version may have more, only a
 * key that looks like one of ours is, or that may stand for a host where there is none.
 */
import { inspect } from "node:util";
import { editDistance } from "@xsocket/protocol";
import { checkLimits } from "./_deadline.ts";
import { allOf, misuse } from "./_options.ts";

/** The most letters that differ between a misspelt key and the one that was meant. */
const DIFFERENT_MAX = 2;
/** Keys below this length are too short for that many different letters. */
const SHORT_LETTERS = 6;

/** What others call the host, such as node:dgram's bind and address(): without one a socket is open at every address. */
const HOST_WORD = /^ip$|addr(?:ess)?$/i;
const HOST_NAMES = ["hostname", "host"];

function meant(key: string, known: readonly string[]): string | undefined {
  const lower = key.toLowerCase();
  const most = key.length < SHORT_LETTERS ? 1 : DIFFERENT_MAX;
  const near = known.find((name) => editDistance(lower, name.toLowerCase()) <= most);
  if (near !== undefined || !HOST_WORD.test(key)) return near;
  return HOST_NAMES.find((name) => known.includes(name));
}

/** Whether a key is a word for the host, and harmless: it has no value, or the host is there as well. */
function isSpare(key: string, options: object): boolean {
  const isGiven = (name: string) => Reflect.get(options, name) !== undefined;
  return HOST_WORD.test(key) && (!isGiven(key) || HOST_NAMES.some(isGiven));
}

/**
 * Refuses what is no object, every key that is not among the known ones, and wrong limits.
 *
 * @param elsewhere where other options go that a caller may mean
 * @returns the options, inherited ones as well, as properties of one object
 * @throws {XSocketError} EINVAL
 */
export function refuseUnknown<Options>(
  asked: string,
  options: Options,
  known: readonly string[],
  elsewhere?: string,
): Options {
  if (typeof options !== "object" || options === null)
    throw misuse(
      asked,
      `the options are ${inspect(options)}`,
      `Give an object with any of ${known.join(", ")}.`,
    );
  for (const key in options) {
    if (known.includes(key) || Reflect.get(options, key) === undefined) continue;
    const near = meant(key, known) ?? known.find((name) => key.startsWith(name)); // hostname where it is host
    const hint = near === undefined ? "" : `Did you mean ${near}? `;
    const others = elsewhere === undefined ? "" : `; ${elsewhere}`;
    throw misuse(
      asked,
      `there is no option ${key}`,
      `${hint}There are ${known.join(", ")}${others}.`,
    );
  }
  checkLimits(asked, options);
  return allOf(options);
}

/**
 * Refuses keys that look like a misspelt known one, and wrong limits.
 *
 * @returns the options, inherited ones as well, as properties of one object
 * @throws {XSocketError} EINVAL
 */
export function refuseMisspelt<Options>(
  asked: string,
  options: Options,
  known: readonly string[],
): Options {
  if (typeof options !== "object" || options === null)
    throw misuse(asked, `the options are ${inspect(options)}`, "Give an object.");
  for (const key in options) {
    const near = known.includes(key) || isSpare(key, options) ? undefined : meant(key, known);
    if (near !== undefined)
      throw misuse(asked, `there is no option ${key}`, `Did you mean ${near}?`);
  }
  checkLimits(asked, options);
  return allOf(options);
}
