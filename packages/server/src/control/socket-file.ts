/* The file of a listening socket: whether it is where it was made, and taking it away. */
import { lstatSync, unlinkSync } from "node:fs";
import { lastingPath } from "../_path.ts";

/** A socket file by path and inode, so that what lies there later is not taken for it. */
export interface SocketFile {
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
}

/** Notes what lies at a path. @throws {Error} if it cannot be looked at */
export function fileAt(name: string): SocketFile {
  const path = lastingPath(name);
  const { dev, ino } = lstatSync(path, { bigint: true });
  return { path, dev, ino };
}

function isStill({ path, dev, ino }: SocketFile): boolean {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found?.dev === dev && found.ino === ino;
}

/** Answers whether a socket file is where it was made; somebody may have removed or replaced it. */
export function isInPlace(file: SocketFile): boolean {
  try {
    return isStill(file);
  } catch {
    return false; // a part of the path is no directory any more, or closed to this user
  }
}

/** Removes a socket file if it is still the one that was made. */
export function removeOwn(file: SocketFile): void {
  if (isStill(file)) unlinkSync(file.path);
}
