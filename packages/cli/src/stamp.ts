import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FILE = "stamp";

/* When a file was last changed, in milliseconds, and its size in bytes. */
function stateOf(path: string): string {
  const { mtimeMs, size } = statSync(path);
  return `${mtimeMs} ${size}`;
}

/** Notes in a directory which files its contents were built from. Their paths are relative to `root`. */
export function writeStamp(directory: string, root: string, files: readonly string[]): void {
  const lines = files.map((file) => `${stateOf(join(root, file))} ${file}`);
  writeFileSync(join(directory, FILE), lines.join("\n"));
}

/** Whether all these files are unchanged since then; false if none were noted. */
export function isCurrent(directory: string, root: string): boolean {
  try {
    const lines = readFileSync(join(directory, FILE), "utf8").split("\n");
    return lines.every((line) => {
      const [mtime, size, ...file] = line.split(" ");
      return stateOf(join(root, file.join(" "))) === `${mtime} ${size}`;
    });
  } catch {
    return false;
  }
}
