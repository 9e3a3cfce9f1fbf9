import { basename } from "node:path";
import type { Program } from "./program.ts";

/* Tells from a program's arguments before "--" whether it drops LD_PRELOAD. */
type Drops = (words: readonly string[]) => boolean;

const always: Drops = () => true;
/* Long options may be abbreviated: getopt_long(3). */
const has =
  (option: RegExp): Drops =>
  (words) =>
    words.some((word) => option.test(word));
const until = (words: readonly string[], end: number) => (end < 0 ? words : words.slice(0, end));
/* The options before the name of the program that is started, some of which take the next word. */
const ownOptions = (words: readonly string[], takesValue: RegExp) =>
  until(
    words,
    words.findIndex((word, at) => !word.startsWith("-") && !takesValue.test(words[at - 1] ?? "")),
  );
const startsLogin = has(/^(?:-|-[fmpPT]*l\w*|--lo?g?i?n?)$/);
const emptiesEnvironment = has(/^(?:-|-[0v]*i\w*|--ignore-e[a-z]*)$/);
const takesEnvironment = has(/^(?:-[acFZ]*e\w*|--en?v?)$/);
const DROPS: Readonly<Record<string, Drops>> = {
  bwrap: has(/^--clearenv$/),
  doas: always,
  // -S splits its value into words
  env: (words) =>
    emptiesEnvironment(
      ownOptions(words.join(" ").split(/\s+/), /^(?:-[0v]*[aCu]|--[acu][a-z0]*)$/),
    ),
  nsenter: (words) =>
    takesEnvironment(ownOptions(words, /^(?:-\w*[tNW]|--(?:target|net-socket|wdns))$/)),
  pkexec: always,
  run0: always,
  runuser: startsLogin,
  setpriv: has(/^--reset-e?n?v?$/),
  su: startsLogin,
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
