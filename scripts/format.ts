import { join } from "node:path";

const OXFMT = join(import.meta.dir, "../node_modules/oxfmt/bin/oxfmt");

/** Formats a generated file, as `./dev check` requires. @throws {Error} with the output of the formatter */
export function format(file: string): void {
  const options = { stdin: "ignore", stdout: "ignore" } as const;
  const { success, stderr } = Bun.spawnSync([process.execPath, OXFMT, file], options);
  if (!success) throw new Error(`cannot format ${file}: ${stderr.toString()}`);
}
