import { basename } from "node:path";
import type { Program } from "./program.ts";

/* Whether a program drops LD_PRELOAD, by its arguments before "--". */
type Drops = (words: readonly string[]) => boolean;

const always: Drops = () => true;
const given =
  (option: RegExp): Drops =>
  (words) =>
    words.some((word) => option.test(word));
/* Long options may be abbreviated: getopt_long(3). */
const login = given(/^(?:-|-[fmpPT]*l\w*|--lo?g?i?n?)$/);
const until = (words: readonly string[], end: number) => (end < 0 ? words : words.slice(0, end));
/* Options of env(1), which stand before its program's name. */
const ignores = given(/^(?:-|-[0v]*i\w*|--ignore-e[a-z]*)$/);
const TAKES_VALUE = /^(?:-[0v]*[aCu]|--[acu][a-z0]*)$/;
const envDrops: Drops = (words) => {
  const isName = (word: string, index: number) =>
    !/^-|=/.test(word) && !TAKES_VALUE.test(words[index - 1] ?? "");
  return ignores(until(words, words.findIndex(isName)));
};
const DROPS: Readonly<Record<string, Drops>> = {
  bwrap: given(/^--clearenv$/),
  doas: always,
  env: envDrops,
  pkexec: always,
  run0: always,
  runuser: login,
  setpriv: given(/^--reset-e?n?v?$/),
  su: login,
  sudo: always,
  "systemd-run": (words) => !words.includes("--scope"),
};

/**
 * Whether a program drops LD_PRELOAD from the environment of what it starts.
 *
 * @param words its arguments
 */
export function dropsPreload({ path }: Program, words: readonly string[]): boolean {
  if (words.some((word) => word.includes("LD_PRELOAD"))) return false; // it is handed on by name
  const name = basename(path);
  const drops = Object.hasOwn(DROPS, name) ? DROPS[name] : undefined;
  return drops?.(until(words, words.indexOf("--"))) === true;
}
