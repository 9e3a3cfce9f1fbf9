import { dirname, resolve } from "node:path";
import {
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { DEFAULT_ADDRESS, shellWord } from "@xsocket/protocol";
import { codeOf, errno, SyscallError, type Syscalls, tried, worded } from "@xsocket/xbind-native";
import { attempt, systemError } from "../_failure.ts";
import { hasUnmappedIds } from "../_unmapped.ts";
import { ServeError } from "../error.ts";
import { NOBODY } from "../policy/ids.ts";
import { aclWriters } from "./acl.ts";

const LOCK_EX_NB = 2 | 4;
const LOCK_WAIT_MS = 5000; // longer than any start holds it
const LOCK_RETRY_MS = 10;

/* Everybody may enter; the socket's own mode says who may connect. Nobody but the owner may read the directory: whoever
   can read it can also lock it (flock(2)), and so keep every server from starting there. */
const DIRECTORY_MODE = 0o711;
const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;

/* The default socket's directory is for servers, so it is made if it is missing, for any other socket in it too. */
const OURS = dirname(DEFAULT_ADDRESS);

function makeOurs(directory: string): void {
  try {
    mkdirSync(directory, { mode: DIRECTORY_MODE });
    chmodSync(directory, DIRECTORY_MODE); // whatever the umask is
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    throw systemError(`make the directory ${directory}`, error);
  }
}

function find(directory: string) {
  try {
    return statSync(directory, { throwIfNoEntry: false });
  } catch (error) {
    if (codeOf(error) === "ENOTDIR") return undefined;
    throw systemError(`look at the directory ${directory}`, error);
  }
}

/*
 * The error for a missing directory. The remedy is to make it only if mkdir(1) can: not if something above it is no
 * directory, or a dangling link.
 */
function missing(path: string, directory: string): ServeError {
  let above = directory;
  for (; find(above) === undefined; above = dirname(above))
    if (tried(() => lstatSync(above)))
      return new ServeError(
        "DIRECTORY_MISSING",
        `${path} cannot be made, since ${above} is a link to nothing: make what it names, or remove it (rm ${shellWord(above)})`,
      );
  const sentence = find(above)?.isDirectory()
    ? `the directory ${directory} of ${path} does not exist: make it first (mkdir -p ${shellWord(directory)})`
    : `${path} cannot be made, since ${above} is not a directory: choose another path`;
  return new ServeError("DIRECTORY_MISSING", sentence);
}

/* Whoever may write to a directory may put another socket in the place of ours. */
function expectSafe(directory: string, mode: number, gid: number, shared: boolean): void {
  const group = (mode & GROUP_WRITES) !== 0 && gid !== 0 && gid !== process.getegid?.();
  if ((mode & OTHERS_WRITE) === 0 && !group) return;
  if ((mode & STICKY) !== 0 && shared) return;
  const other = shared
    ? `make this one sticky (chmod +t ${shellWord(directory)})`
    : (mode & STICKY) !== 0
      ? `allow a shared directory (${worded("sharedDirectory", "--shared-directory")})`
      : `remove that permission (chmod go-w ${shellWord(directory)})`;
  throw new ServeError(
    "DIRECTORY_UNSAFE",
    `other users may write to ${directory} and so could put their own socket there first: use a directory of its own, or ${other}`,
  );
}

/** Looks at the directory in which a socket is to be made. @throws {ServeError} DIRECTORY_MISSING, SYSTEM */
export function expectDirectory(path: string): Stats {
  const directory = dirname(path);
  const found = find(directory);
  if (found?.isDirectory()) return found;
  throw missing(path, directory);
}

/** The user and group that a server runs as. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/* Who may replace what is in a directory: its owner, and all who may write to it. */
function strangersOf(
  directory: string,
  isKnown: (kind: "uid" | "gid", id: number) => boolean,
): string[] {
  const stats = tried(() => statSync(directory));
  if (stats === undefined) return [];
  const { uid, gid, mode } = stats;
  const owner = isKnown("uid", uid) ? [] : [`uid ${uid}`];
  if ((mode & STICKY) !== 0) return owner;
  const everybody = (mode & OTHERS_WRITE) === 0 ? [] : ["everybody"];
  const group = (mode & GROUP_WRITES) === 0 || isKnown("gid", gid) ? [] : [`gid ${gid}`];
  const writers = aclWriters(directory).filter(({ kind, id }) => !isKnown(kind, id));
  return [...owner, ...everybody, ...group, ...writers.map(({ kind, id }) => `${kind} ${id}`)];
}

/*
 * A directory and all above it, by its name and by its real path behind links. The name as given is included,
 * since a relative one works even where its absolute path cannot be reached.
 */
function wayTo(directory: string): Set<string> {
  const way = new Set<string>();
  // not realpathSync(), which drops "link/.." from the text without following the link
  const real = tried(() => realpathSync.native(directory)) ?? directory;
  for (const start of [resolve(directory), real])
    for (let [at, below] = [start, ""]; at !== below; [at, below] = [dirname(at), at]) way.add(at);
  return way.add(directory);
}

/**
 * Says in one sentence who besides root and the server's own user and group may replace the socket in its
 * directory; undefined if nobody may. It does not prevent a start: root may mean to serve a user in that
 * user's own directory.
 */
export function strangersWarning(directory: string, { uid, gid }: User): string | undefined {
  const unmapped = hasUnmappedIds() ? [NOBODY] : []; // the machine's root may be among those
  const known = { uid: [0, uid, ...unmapped], gid: [0, gid] };
  for (const place of wayTo(directory)) {
    const strangers = strangersOf(place, (kind, id) => known[kind].includes(id)).join(", ");
    if (strangers !== "")
      return `${strangers} can replace the socket in ${directory}, since ${place} is theirs to change: serve only them there, or use a directory of your own, below none of theirs`;
  }
  return undefined;
}

/**
 * Makes sure that the directory of a control socket is there, and nobody else's to change.
 *
 * @throws {ServeError} DIRECTORY_MISSING, DIRECTORY_UNSAFE, PERMISSION, SYSTEM
 */
export function prepareDirectory(path: string, shared: boolean): void {
  const directory = dirname(path);
  if (directory === OURS) makeOurs(directory);
  const { mode, gid } = expectDirectory(path);
  expectSafe(directory, mode, gid, shared);
}

/**
 * Takes the lock of a directory. It ends when its descriptor is closed, at the latest with the process.
 *
 * @returns that descriptor
 * @throws {ServeError} DIRECTORY_BUSY, PERMISSION, SYSTEM
 */
export async function lockDirectory(sys: Syscalls, directory: string): Promise<number> {
  const fd = attempt(
    `open the directory ${directory}`,
    () => openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY),
    "Use a directory that this user may write to and, for its lock, read, or run as another user",
  );
  const until = sys.monotonic() + LOCK_WAIT_MS;
  let rc = sys.flock(fd, LOCK_EX_NB);
  while (rc === -errno.EAGAIN && sys.monotonic() < until) {
    await Bun.sleep(LOCK_RETRY_MS);
    rc = sys.flock(fd, LOCK_EX_NB);
  }
  if (rc === 0) return fd;
  closeSync(fd);
  if (rc === -errno.EAGAIN)
    throw new ServeError(
      "DIRECTORY_BUSY",
      `another process has held the lock of ${directory} for ${LOCK_WAIT_MS / 1000} s: end it (as root lslocks names it), or use a directory of its own`,
    );
  const isFiltered = rc === -errno.EPERM; // no file system gives that
  const remedy = isFiltered
    ? "Let the seccomp filter allow flock"
    : "Use a directory of a local file system";
  throw systemError(`lock ${directory}`, new SyscallError("flock", -rc), remedy);
}

/** Does something under the lock of a path's directory, or without it where that cannot be had. */
export async function underLock<Result>(
  sys: Syscalls,
  path: string,
  run: () => Result,
): Promise<Result> {
  const lock = await lockDirectory(sys, dirname(path)).catch(() => -1);
  try {
    return run();
  } finally {
    if (lock >= 0) closeSync(lock);
  }
}
