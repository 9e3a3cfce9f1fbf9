import { existsSync } from "node:fs";
import { dirname } from "node:path";

/** open(2)'s flag for a directory that may be entered and not read; node:fs has no name for it. */
export const O_PATH = 0o10000000;

/**
 * Makes a path absolute, so that it leads to the same file after a change of directory. It stays relative
 * where this process cannot reach the current directory by its absolute path.
 */
export function lastingPath(path: string): string {
  if (path.startsWith("/")) return path;
  const absolute = `${process.cwd()}/${path}`;
  return existsSync(dirname(absolute)) ? absolute : path;
}
