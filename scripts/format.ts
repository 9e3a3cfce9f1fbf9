import { join } from "node:path";

const OXFMT = join(import.meta.dir, "../node_modules/oxfmt/bin/oxfmt");

/** Formats a file that a program has written, as `./dev check` wants it. @throws {Error} with what the formatter says */
export function format(file: string): void {
  const options = { stdin: "ignore", stdout: "ignore" } as const;
  const { success, stderr } = Bun.spawnSync([process.execPath, OXFMT, file], options);
  if (!success) throw new Error(`cannot format ${file}: ${stderr.toString()}`);
}
