/*
 * This process stays in /, because Bun reads package.json and tsconfig.json of the current
 * directory at its start and again for each Worker. So names that a user gives are resolved here,
 * and never by way of the current directory.
 */
import { closeSync, readlinkSync } from "node:fs";
import { resolve } from "node:path";
import { MisuseError } from "./errors.ts";

let directory: string | undefined;

/** Remembers the directory that the launcher was started in, -1 for one that may not be entered. */
export function startedIn(fd: number): void {
  if (fd < 0) return;
  directory = readlinkSync(`/proc/self/fd/${fd}`);
  closeSync(fd);
}

/**
 * The absolute path of a file that the user has named.
 *
 * @throws {MisuseError} for a relative one in a directory that may not be entered
 */
export function userPath(name: string): string {
  if (name.startsWith("/")) return resolve(name);
  if (directory === undefined)
    throw new MisuseError(
      `"${name}" cannot be found, because the current directory may not be entered: give an absolute path`,
    );
  return resolve(directory, name);
}
