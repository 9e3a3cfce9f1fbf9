/*
 * Taking a control socket's address, and giving it back.
 *
 * How it works: whoever probes, removes or makes a socket file holds flock(2) on its directory, so
 * that servers that start at the same instant do it one after the other. A file that answers a
 * connect is a live server's; one that refuses is left over from a dead server and is replaced; what
 * is no socket is never touched. At the end the file goes only if it is still the one we made.
 */
import { closeSync, fchmodSync, lchownSync, lstatSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import {
  type Address,
  AF_UNIX,
  encodeAddress,
  formatAddress,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SUN_PATH_BYTES,
} from "@xsocket/protocol";
import { checked, codeOf, errno, SyscallError, type Syscalls, tried } from "@xsocket/xbind-native";
import { listenerOf } from "../_process.ts";
import { ALLOW_UNIX, attempt, systemError } from "../_failure.ts";
import { ServeError } from "../error.ts";
import { lockDirectory, prepareDirectory, underLock } from "./directory.ts";
import { refuseDescriptorsOf } from "./passrights.ts";
import { fileAt, type Pinned, pinned, removeOwn, type SocketFile } from "./socket-file.ts";

/** How a socket is made; an abstract name has neither mode nor group. */
interface ClaimOptions {
  readonly mode: number;
  readonly gid?: number | undefined;
  readonly backlog: number;
  readonly refuseDescriptors?: boolean | undefined;
  readonly sharedDirectory?: boolean | undefined;
}

/** A listening socket, with what is to be undone at the end. */
export interface Claim {
  readonly listenFd: number;
  /** Where it listens, as text. */
  readonly address: string;
  /** Its file, where it has one that can be seen from here. */
  readonly file?: SocketFile | undefined;
  /** Removes the socket file if it is still ours. The listening socket stays. */
  release(): Promise<void>;
}

/**
 * Makes the listening socket of a server.
 *
 * @throws {ServeError} IN_USE, NOT_A_SOCKET, DIRECTORY_MISSING, DIRECTORY_UNSAFE, DIRECTORY_BUSY, PERMISSION, SYSTEM
 */
export async function claimAddress(
  sys: Syscalls,
  address: Address,
  options: ClaimOptions,
): Promise<Claim> {
  if (address.kind === "abstract") return claimName(sys, address, options);
  prepareDirectory(address.path, options.sharedDirectory === true);
  const lock = await lockDirectory(sys, dirname(address.path));
  try {
    return claimPath(sys, address.path, options);
  } finally {
    closeSync(lock);
  }
}

/**
 * Makes a listening socket at a path, whose directory the caller has locked if possible.
 *
 * @throws {ServeError} IN_USE, NOT_A_SOCKET, PERMISSION, SYSTEM
 */
export function claimPath(
  sys: Syscalls,
  path: string,
  options: ClaimOptions,
  type = SOCK_SEQPACKET,
): Claim & { readonly file: SocketFile } {
  return pinned(path, (place) => {
    removeStale(sys, place);
    const fd = makeSocket(sys, path, type);
    try {
      if (options.refuseDescriptors) refuseDescriptorsOf(sys, fd);
      const file = bindPath(sys, fd, place, options);
      return { listenFd: fd, address: path, file, release: () => releasePath(sys, file) };
    } catch (error) {
      sys.close(fd);
      throw error;
    }
  });
}

function makeSocket(sys: Syscalls, path: string, type = SOCK_SEQPACKET): number {
  const fd = sys.socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return attempt(`make a socket for ${path}`, () => checked("socket", fd), ALLOW_UNIX);
}

/*
 * The mode is there from the first instant: the kernel takes it from the socket, less the umask. Bound by its path,
 * not by `here`, since that is what others are shown as its name.
 */
function bindPath(
  sys: Syscalls,
  fd: number,
  { path, here }: Pinned,
  options: ClaimOptions,
): SocketFile {
  const bytes = encodeAddress({ kind: "path", path });
  attempt(
    `set the mode of ${path}`,
    () => fchmodSync(fd, options.mode),
    "Let the seccomp filter allow fchmod",
  );
  const umask = sys.umask(0); // process.umask() does not set it in a Worker
  const rc = sys.bind(fd, bytes, bytes.byteLength);
  sys.umask(umask);
  attempt(
    `make ${path}`,
    () => checked("bind", rc),
    "Use a directory that this user may write to, on a file system that supports sockets, or run as another user",
  );
  try {
    if (options.gid !== undefined) giveToGroup({ path, here }, options.gid);
    const file = fileAt(path, here); // before anybody can see that it listens, and replace it
    checked("listen", sys.listen(fd, options.backlog));
    return file;
  } catch (error) {
    tried(() => unlinkSync(here)); // the next start replaces a file that stays
    throw error instanceof ServeError ? error : systemError(`listen at ${path}`, error);
  }
}

/* Nobody can connect yet: this comes before listen(2). */
function giveToGroup({ path, here }: Pinned, gid: number): void {
  try {
    lchownSync(here, -1, gid);
  } catch (error) {
    const isUnmapped = codeOf(error) === "EINVAL";
    const remedy = isUnmapped
      ? "Name one that this user namespace has (/proc/self/gid_map)"
      : "Run as root or as a member of the group";
    throw systemError(`give ${path} to group ${gid}`, error, `${remedy}, or leave --group out`);
  }
}

/*
 * Removes a socket file that a dead server has left behind; nothing else is removed.
 *
 * @throws {ServeError} NOT_A_SOCKET; IN_USE if somebody listens there; PERMISSION, SYSTEM
 */
function removeStale(sys: Syscalls, { path, here }: Pinned): void {
  const found = attempt(`look at ${path}`, () => lstatSync(here, { throwIfNoEntry: false }));
  if (!found) return;
  if (!found.isSocket())
    throw new ServeError(
      "NOT_A_SOCKET",
      `${path} exists and is not a socket: it is left alone, so choose another path or move it away`,
    );
  const fits = Buffer.byteLength(here) < SUN_PATH_BYTES; // a long name in a short directory does not
  expectDead(sys, { kind: "path", path: fits ? here : path }, path);
  try {
    unlinkSync(here);
  } catch (error) {
    const isMount = codeOf(error) === "EBUSY";
    const remedy = isMount
      ? "It is mounted there by itself: mount its directory instead"
      : undefined;
    throw systemError(`replace the socket of a dead server at ${path}`, error, remedy);
  }
}

/* Connects, to see whether somebody listens. */
function expectDead(sys: Syscalls, address: Address, text = formatAddress(address)): void {
  const bytes = encodeAddress(address);
  const fd = makeSocket(sys, text);
  try {
    const rc = sys.connect(fd, bytes, bytes.byteLength);
    if (rc === -errno.ECONNREFUSED || rc === -errno.ENOENT) return;
    if (rc === 0 || rc === -errno.EAGAIN || rc === -errno.EPROTOTYPE)
      throw inUse(text, listenerOf(sys, fd));
    throw systemError(
      `see whether a server listens at ${text}`,
      new SyscallError("connect", -rc),
      address.kind === "path"
        ? "Choose another path, or remove that file if no server listens there"
        : "Choose another name",
    );
  } finally {
    sys.close(fd);
  }
}

function inUse(text: string, listener?: ReturnType<typeof listenerOf>): ServeError {
  const pid = listener?.pid ?? 0;
  if (listener?.command === "systemd") {
    const list = `systemctl${pid === 1 ? "" : " --user"} list-sockets`;
    return new ServeError(
      "IN_USE",
      `cannot serve ${text}: process ${pid} (systemd, for a socket unit) listens there, and starts its server when somebody asks. Stop that unit (${list}), or choose another path`,
    );
  }
  const isOwn = pid === process.pid;
  const who = isOwn ? "this process itself" : pid > 0 ? `process ${pid}` : "another process";
  const remedy = isOwn ? "Choose another path" : "Stop it, or choose another path";
  return new ServeError("IN_USE", `cannot serve ${text}: ${who} listens there. ${remedy}`);
}

function claimName(sys: Syscalls, address: Address, options: ClaimOptions): Claim {
  const text = formatAddress(address);
  const bytes = encodeAddress(address);
  const fd = makeSocket(sys, text);
  try {
    if (options.refuseDescriptors) refuseDescriptorsOf(sys, fd);
    const rc = sys.bind(fd, bytes, bytes.byteLength);
    if (rc === -errno.EADDRINUSE) {
      expectDead(sys, address);
      throw inUse(text);
    }
    checked("bind", rc);
    checked("listen", sys.listen(fd, options.backlog));
    return { listenFd: fd, address: text, release: () => Promise.resolve() };
  } catch (error) {
    sys.close(fd);
    throw error instanceof ServeError ? error : systemError(`take the name ${text}`, error);
  }
}

/** Removes a socket file under the lock of its directory, or without the lock if it cannot be had. */
export function releasePath(sys: Syscalls, file: SocketFile): Promise<void> {
  return underLock(sys, file.path, () => removeOwn(file));
}
