import { basename } from "node:path";
import type { Program } from "./program.ts";

/* Whether a program drops LD_PRELOAD, by its arguments before "--". */
type Drops = (words: readonly string[]) => boolean;

const always: Drops = () => true;
const given =
  (option: RegExp): Drops =>
  (words) =>
    words.some((word) => option.test(word));
const login = given(/^(?:-|-l\w*|--login)$/);
const IGNORES = /^(?:-|-[0v]*i\w*|--ignore-environment)$/; // of env(1), before its program's name
const DROPS: Readonly<Record<string, Drops>> = {
  bwrap: given(/^--clearenv$/),
  doas: always,
  env: (words) =>
    IGNORES.test(words.find((word) => IGNORES.test(word) || !/^-|=/.test(word)) ?? ""),
  pkexec: always,
  run0: always,
  runuser: login,
  setpriv: given(/^--reset-env$/),
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
  const end = words.indexOf("--");
  return drops?.(end < 0 ? words : words.slice(0, end)) === true;
}
