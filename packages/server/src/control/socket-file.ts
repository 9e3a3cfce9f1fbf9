/* The file of a listening socket: whether it is where it was made, and taking it away. */
import { closeSync, constants, existsSync, lstatSync, openSync, unlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import { tried } from "@xsocket/xbind-native";
import { lastingPath, O_PATH } from "../_path.ts";

/** A path whose directory stays the same. */
export interface Pinned {
  /** As it was given: for messages, and where others are shown it. */
  readonly path: string;
  /** What leads there, even if the directory's name leads to another one by now. */
  readonly here: string;
}

/**
 * Does something with a path whose directory stays the same meanwhile: the directory's owner may put a link to
 * another one in its place at any moment, even between a look at a file and its removal. Without /proc it is
 * the path as given.
 */
export function pinned<Result>(path: string, run: (place: Pinned) => Result): Result {
  const parent = tried(() => openSync(dirname(path), O_PATH | constants.O_DIRECTORY)) ?? -1;
  const directory = `/proc/self/fd/${parent}`;
  try {
    const isPinned = parent >= 0 && existsSync(directory);
    return run({ path, here: isPinned ? `${directory}/${basename(path)}` : path });
  } finally {
    if (parent >= 0) closeSync(parent);
  }
}

/** A socket file by path and inode, so that what lies there later is not taken for it. */
export interface SocketFile {
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
}

/**
 * Notes what lies at a path.
 *
 * @param here the same path, if it is pinned
 * @throws {Error} if it cannot be looked at
 */
export function fileAt(path: string, here = path): SocketFile {
  const { dev, ino } = lstatSync(here, { bigint: true });
  return { path: lastingPath(path), dev, ino };
}

function isStill({ dev, ino }: SocketFile, path: string): boolean {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found?.dev === dev && found.ino === ino;
}

/**
 * Answers whether a socket file is where it was made: somebody may have removed or replaced it, or a part of its
 * path is no directory any more, or closed to this user.
 */
export function isInPlace(file: SocketFile): boolean {
  return tried(() => isStill(file, file.path)) ?? false;
}

/** Removes a socket file if it is still the one that was made. */
export function removeOwn(file: SocketFile): void {
  pinned(file.path, ({ here }) => {
    if (isStill(file, here)) unlinkSync(here);
  });
}
