import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The directory of the repository. */
export const ROOT = join(import.meta.dir, "../..");

/** The text of a file of the repository, or of another directory. */
export function textOf(path: string, root = ROOT): string {
  return readFileSync(join(root, path), "utf8");
}
