import { existsSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a path absolute, so that it leads to the same file after a change of directory. It stays relative
 * where this process cannot reach the current directory by its absolute path.
 */
export function lastingPath(path: string): string {
  if (path.startsWith("/")) return path;
  const absolute = `${process.cwd()}/${path}`;
  return existsSync(dirname(absolute)) ? absolute : path;
}
