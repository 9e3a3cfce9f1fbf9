/*
 * This process stays in /, because Bun reads package.json and tsconfig.json of the current
 * directory at its start and again for each Worker. So names that a user gives are resolved here,
 * and never by way of the current directory.
 */
import { closeSync, readlinkSync } from "node:fs";
import { resolve } from "node:path";
import { MisuseError } from "./errors.ts";

/* What stands in a decoded text for bytes that are no UTF-8. */
const LOST = "\uFFFD";

let directory: string | undefined;

/** Remembers the directory that the launcher was started in, -1 for one that may not be entered. */
export function startedIn(fd: number): void {
  if (fd < 0) return;
  directory = readlinkSync(`/proc/self/fd/${fd}`);
  closeSync(fd);
}

/** Whether a text still says what the user has written, or has lost bytes on the way to us. */
export function isText(text: string): boolean {
  return !text.includes(LOST);
}

/** Whether a name can be resolved: a relative one needs a directory that may be entered. */
export function isResolvable(name: string): boolean {
  return name.startsWith("/") || directory !== undefined;
}

/**
 * The absolute path of a file that the user has named, even if it is not to be used ({@link isText}).
 *
 * @throws {MisuseError} for a relative one in a directory that may not be entered
 */
export function resolvedPath(name: string): string {
  if (!isResolvable(name))
    throw new MisuseError(
      `"${name}" cannot be found, because the current directory may not be entered: give an absolute path`,
    );
  return resolve(directory ?? "/", name);
}

/**
 * The absolute path of a file that the user has named.
 *
 * @throws {MisuseError} for a relative one in a directory that may not be entered, and for one that
 * is not UTF-8: it would be another file's
 */
export function userPath(name: string): string {
  const path = resolvedPath(name);
  if (isText(path)) return path;
  throw new MisuseError(`${path} is not UTF-8: give a path that is, such as that of a link to it`);
}
