import { existsSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a path one that leads to the same file after a change of directory, unless that is below a directory
 * which this process may not pass: only the name leads there.
 */
export function lastingPath(path: string): string {
  if (path.startsWith("/")) return path;
  const absolute = `${process.cwd()}/${path}`;
  return existsSync(dirname(absolute)) ? absolute : path;
}
