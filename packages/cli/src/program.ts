import { accessSync, constants, openSync, closeSync, readSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { userPath } from "./directory.ts";
import { FailureError } from "./errors.ts";

/* What execvp(3) takes where there is no PATH. */
const DEFAULT_PATH = "/bin:/usr/bin";
const LINE_BYTES = 256; // of a script's first line, as the kernel reads it
const INTERPRETERS_MAX = 5; // scripts that are interpreters of scripts, as the kernel allows

/* Why the kernel would not run what was named by its path. */
function whyNot(path: string): string {
  try {
    if (statSync(path).isDirectory())
      return "it is a directory, so give the path of a program in it";
    return "it is not executable for this user, so check its mode (chmod +x) and its owner";
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EACCES"
      ? "this user may not enter its directory, so run it as another one or make the directory passable (chmod +x)"
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

/** Finds a program as execvp(3) does. Returns undefined where that would find nothing to run. */
function lookUp(name: string): string | undefined {
  if (name.includes("/")) return isExecutable(userPath(name)) ? userPath(name) : undefined;
  return (process.env["PATH"] ?? DEFAULT_PATH)
    .split(":")
    .map((directory) => userPath(join(directory, name)))
    .find((path) => isExecutable(path));
}

function firstLine(path: string): string {
  const fd = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(LINE_BYTES);
    const got = readSync(fd, buffer, 0, LINE_BYTES, 0);
    return buffer.toString("latin1", 0, got).split("\n")[0] ?? "";
  } finally {
    closeSync(fd);
  }
}

/* The program behind "#!", through env(1) too. */
function interpreterOf(path: string): string | undefined {
  const [, interpreter = "", rest = ""] = /^#!\s*(\S+)\s*(.*)$/.exec(firstLine(path)) ?? [];
  if (interpreter === "") return undefined;
  if (basename(interpreter) !== "env") return interpreter;
  const word = rest.split(/\s+/).find((part) => !part.startsWith("-") && !part.includes("="));
  return word ?? interpreter;
}

/** A program that was found. */
export interface Program {
  /** As the user has named it. */
  readonly name: string;
  readonly path: string;
  /** What the kernel loads in the end: the interpreter of a script, else the program itself. */
  readonly image: string;
}

/**
 * Finds what a command would run.
 *
 * @throws {FailureError} if there is no such program, or its interpreter is missing
 */
export function findProgram(name: string): Program {
  const path = lookUp(name);
  if (path === undefined)
    throw new FailureError(
      name.includes("/")
        ? `cannot run ${name}: ${whyNot(userPath(name))}`
        : `cannot run ${name}: no directory in PATH has an executable of this name, so install it or give its path`,
    );
  let image = path;
  for (let depth = 0; depth < INTERPRETERS_MAX; depth++) {
    const interpreter = interpreterOf(image);
    if (interpreter === undefined) break;
    const found = lookUp(interpreter);
    if (found === undefined)
      throw new FailureError(
        `cannot run ${name}: its interpreter ${interpreter} is missing, so install it or correct the script's first line`,
      );
    image = found;
  }
  return { name, path, image };
}
