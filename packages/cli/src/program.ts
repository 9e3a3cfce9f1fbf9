import { accessSync, constants, openSync, closeSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { codeOf, tried } from "@xsocket/xbind-native";
import { isResolvable, isText, kernelPath } from "./directory.ts";
import { FailureError } from "./errors.ts";

/* What execvp(3) uses without PATH. */
const DEFAULT_PATH = "/bin:/usr/bin";
const LINE_BYTES = 256; // of a script's first line, as the kernel reads it
const INTERPRETERS_MAX = 5; // scripts that are interpreters of scripts, as the kernel allows

/* env(1)'s options after which the program is simply the next word. */
const PLAIN_ENV_OPTION = /^-[ivS]*$/;
/* Words that are not the name of a program to env(1), or only after unquoting or expansion. */
const ENV_SYNTAX = /^-|["'\\$]/;

/* Why execvp(3) would find nothing to run. */
function whyNot(name: string): string {
  const [first = ""] = name.split(" ");
  if (lookUp(first) !== undefined)
    return "program and arguments are one word, so give them without the quotes around it";
  if (!name.includes("/"))
    return "no directory in PATH has an executable of this name, so install it or give its path";
  try {
    if (statSync(kernelPath(name)).isDirectory())
      return "it is a directory, so give the path of a program in it";
    return "it is not executable for this user, so check its mode (chmod +x) and its owner";
  } catch (error) {
    return codeOf(error) === "EACCES"
      ? "this user may not enter its directory, so run it as another one or make the directory accessible (chmod +x)"
      : "there is no such file, so check its path";
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/* The paths that execvp(3) tries, in order; it skips those that it may not run. */
function candidates(name: string): string[] {
  if (name.includes("/")) return [kernelPath(name)];
  const path = process.env["PATH"] ?? DEFAULT_PATH;
  const paths = path.split(":").map((directory) => (directory ? `${directory}/${name}` : name));
  return paths.filter((found) => isResolvable(found)).map((found) => kernelPath(found));
}

/*
 * Finds a program as execvp(3) does. Returns undefined if that would find nothing to run. The path may have lost
 * bytes (isText): then the program may exist under its real name, but this process cannot use the path.
 */
function lookUp(name: string): string | undefined {
  return candidates(name).find((path) => !isText(path) || isExecutable(path));
}

/* The first line of a script; empty for a program that may be run but not read. */
function firstLine(path: string): string {
  const fd = tried(() => openSync(path, "r"));
  if (fd === undefined) return "";
  try {
    const buffer = Buffer.alloc(LINE_BYTES);
    const got = readSync(fd, buffer, 0, LINE_BYTES, 0);
    return buffer.toString("utf8", 0, got).split("\n")[0] ?? "";
  } finally {
    closeSync(fd);
  }
}

/* The program that env(1) starts; env itself if only env can tell. */
function startedByEnv(env: string, words: readonly string[]): string {
  const word = words.find((part) => !PLAIN_ENV_OPTION.test(part) && !/^\w+=/.test(part));
  return word === undefined || ENV_SYNTAX.test(word) ? env : word;
}

/*
 * The program after "#!", also through env(1). The kernel splits at spaces and tabs only, so the carriage
 * return of a DOS line end is part of its name.
 */
function interpreterOf(path: string): string | undefined {
  const [, word = "", rest = ""] = /^#![ \t]*([^ \t]+)[ \t]*(.*)$/s.exec(firstLine(path)) ?? [];
  if (word === "") return undefined;
  const interpreter = word.includes("/") ? word : `./${word}`; // the kernel does not search PATH
  if (basename(interpreter) !== "env" || lookUp(interpreter) === undefined) return interpreter;
  return startedByEnv(interpreter, rest.split(/[ \t]+/).filter(Boolean));
}

function whyMissing(interpreter: string): string {
  return interpreter.endsWith("\r")
    ? "its first line ends in a carriage return, so its interpreter is not found: convert its line endings (sed -i 's/\\r$//')"
    : `its interpreter ${interpreter} is missing, so install it or correct the script's first line`;
}

/** A program that was found. */
export interface Program {
  /** As the user has named it. */
  readonly name: string;
  readonly path: string;
  /** What the kernel loads in the end: the interpreter of a script, else the program itself. */
  readonly image: string;
}

/** A program's name, with that of its interpreter, which decides whether it can be preloaded. */
export function spoken({ name, path, image }: Program): string {
  return image === path ? name : `${name} (run by ${image})`;
}

/**
 * Finds what a command would run.
 *
 * @returns undefined if its path is not UTF-8, so that only the launcher has it
 * @throws {FailureError} if there is no such program, or its interpreter is missing
 */
export function findProgram(name: string): Program | undefined {
  const path = lookUp(name);
  if (path === undefined) throw new FailureError(`cannot run ${name}: ${whyNot(name)}`);
  let image = path;
  for (let depth = 0; depth < INTERPRETERS_MAX; depth++) {
    if (!isText(image)) return undefined;
    const interpreter = interpreterOf(image);
    if (interpreter === undefined) break;
    const found = lookUp(interpreter);
    if (found === undefined)
      throw new FailureError(`cannot run ${name}: ${whyMissing(interpreter)}`);
    image = found;
  }
  return { name, path, image };
}

/*
 * The words that these take before the name of the program that they start, a NUL byte behind each; not those with
 * which that name may mean another program to them, such as PATH=, or another root directory.
 */
const WORDS_BEFORE: Readonly<Record<string, RegExp>> = {
  chrt: /^(?:-[bfior]\0)*\d+\0/,
  env: /^(?:(?:-[0v]+|(?:-u\0?|--unset=)(?!PATH\0)[^\0]+|(?!PATH=)\w+=[^\0]*)\0)*/,
  ionice: /^(?:(?:-[cn]\0?\w+|-t)\0)*/,
  ip: /^netns\0exec\0[^\0]*\0/,
  nice: /^(?:(?:-n\0?-?\d+|--adjustment=-?\d+|-\d+)\0)*/,
  nohup: /^/,
  nsenter:
    /^(?:(?:-t\0?\d+|--target[=\0]\d+|-[nuipUCT][^\0]*|--(?:net|uts|ipc|pid|user|cgroup|time)(?:=[^\0]*)?)\0)*/,
  setsid: /^(?:-[cfw]+\0)*/,
  stdbuf: /^(?:-[eio]\0?\w+\0)*/,
  taskset: /^(?:-[ac]+\0)*[\da-fx,:-]+\0/,
  timeout:
    /^(?:(?:-[ks]\0?[^\0]+|--(?:kill-after|signal)=[^\0]+|-[fpv]|--(?:foreground|preserve-status|verbose))\0)*[\d.]+[smhd]?\0/,
};

/** The program that a command line of env(1) and the like starts, with its arguments; empty if that is not known. */
export function startedBy([name = "", ...words]: readonly string[]): readonly string[] {
  const key = basename(name);
  const text = words.map((word) => `${word}\0`).join("");
  const before = Object.hasOwn(WORDS_BEFORE, key) ? WORDS_BEFORE[key]?.exec(text) : undefined;
  const started = before ? text.slice(before[0].length).split("\0").slice(0, -1) : [];
  return /^-|=/.test(started[0] ?? "") ? [] : started;
}
