import { basename } from "node:path";
import type { Program } from "./program.ts";

/* Tells from a program's arguments before "--" whether it drops LD_PRELOAD. */
type Drops = (words: readonly string[]) => boolean;

const always: Drops = () => true;
const given =
  (option: RegExp): Drops =>
  (words) =>
    words.some((word) => option.test(word));
/* Long options may be abbreviated: getopt_long(3). */
const login = given(/^(?:-|-[fmpPT]*l\w*|--lo?g?i?n?)$/);
const until = (words: readonly string[], end: number) => (end < 0 ? words : words.slice(0, end));
/* The options before the name of the program that is started, some of which take the next word. */
const options = (words: readonly string[], takesValue: RegExp) =>
  until(
    words,
    words.findIndex((word, at) => !word.startsWith("-") && !takesValue.test(words[at - 1] ?? "")),
  );
const ignores = given(/^(?:-|-[0v]*i\w*|--ignore-e[a-z]*)$/);
const envDrops: Drops = (words) => {
  const split = words.join(" ").split(/\s+/); // as -S does
  return ignores(options(split, /^(?:-[0v]*[aCu]|--[acu][a-z0]*)$/));
};
const inherits = given(/^(?:-[acFZ]*e\w*|--en?v?)$/);
const nsenterDrops: Drops = (words) =>
  inherits(options(words, /^(?:-\w*[tNW]|--(?:target|net-socket|wdns))$/));
const DROPS: Readonly<Record<string, Drops>> = {
  bwrap: given(/^--clearenv$/),
  doas: always,
  env: envDrops,
  nsenter: nsenterDrops,
  pkexec: always,
  run0: always,
  runuser: login,
  setpriv: given(/^--reset-e?n?v?$/),
  su: login,
  sudo: always,
  "systemd-run": (words) => !words.includes("--scope"),
  tmux: () => "TMUX" in process.env, // the program gets the environment of tmux's server
};

/**
 * Whether a program drops LD_PRELOAD from the environment of what it starts.
 *
 * @param words its arguments
 */
export function dropsPreload({ path }: Program, words: readonly string[]): boolean {
  if (words.some((word) => word.includes("LD_PRELOAD"))) return false; // the arguments hand it on by name
  const name = basename(path);
  const drops = Object.hasOwn(DROPS, name) ? DROPS[name] : undefined;
  return drops?.(until(words, words.indexOf("--"))) === true;
}
