import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import { type Address, DEFAULT_ADDRESS, parseAddress } from "@xsocket/protocol";
import { loadSyscalls, reasonOf, type Syscalls, tried } from "@xsocket/xbind-native";
import { checkedOptions } from "../_check-options.ts";
import { O_PATH } from "../_path.ts";
import { type Bounds, fitBounds } from "../bounds.ts";
import { ServeError } from "../error.ts";
import { type Log, say } from "../log.ts";
import { DEFAULT_MODE, DEFAULT_THREADS, type ServeOptions } from "../options.ts";
import { adoptListener } from "./adopt.ts";
import { type Claim, claimAddress } from "./claim.ts";
import { strangersWarning, type User } from "./directory.ts";
import { groupId } from "./group.ts";
import type { SocketFile } from "./socket-file.ts";

/**
 * Reads the address of a socket that is to be made.
 *
 * @throws {ServeError} ADDRESS
 */
export function readAddress(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    throw new ServeError("ADDRESS", reasonOf(error), { cause: error });
  }
}

/** The user that this process runs as. */
export function ownUser(): User {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}

/** Warns if others can replace a socket in this directory, for a server that runs as `user`. */
export function warnOfStrangers(log: Log | undefined, directory: string, user = ownUser()): void {
  const message = strangersWarning(directory, user);
  if (message !== undefined) say(log, "warning", "directory", message);
}

/**
 * Makes the control socket, or takes the one that was given.
 *
 * @throws {ServeError} with any code but MISUSE and LIMIT
 */
export async function listen(sys: Syscalls, options: ServeOptions, bounds: Bounds): Promise<Claim> {
  if (options.listenFd !== undefined) {
    const ownsFile = options.ownsFile ?? false;
    const adopted = adoptListener(sys, options.listenFd, ownsFile, bounds.backlog);
    // of its own file a server has warned before it became another user
    if (!ownsFile && adopted.file) warnOfStrangers(options.log, dirname(adopted.file.path));
    return adopted;
  }
  const address = readAddress(options.address ?? DEFAULT_ADDRESS);
  const claim = await claimAddress(sys, address, {
    mode: options.mode ?? DEFAULT_MODE,
    gid: options.group === undefined ? undefined : groupId(options.group),
    backlog: bounds.backlog,
    sharedDirectory: options.sharedDirectory,
    refuseDescriptors: options.refuseDescriptors,
  });
  if (address.kind === "path") warnOfStrangers(options.log, dirname(address.path));
  return claim;
}

/**
 * Makes the control socket for a server that will run as another user, and gives it to that user, who can then
 * open it whatever its group is. If nothing else lies in the directory of the default address, the user gets that as
 * well, so that the file can be removed at the end.
 *
 * @returns the listening socket; to be released only if this process could not become the user
 * @throws {ServeError} if it cannot be made
 */
export async function bindControl(given: ServeOptions, user: User): Promise<Claim> {
  const sys = loadSyscalls();
  const options = checkedOptions(given);
  const bounds = fitBounds(options, sys.descriptorLimit(), options.threads ?? DEFAULT_THREADS);
  const claim = await listen(sys, { ...options, log: undefined }, bounds);
  const { address, file } = claim;
  if (!file) return claim;
  giveFile(file, user);
  const giveBack = address === DEFAULT_ADDRESS ? giveDirectory(dirname(address), user) : undefined;
  warnOfStrangers(options.log, dirname(file.path), user); // the former owner has no rights there any more
  const release = async () => {
    await claim.release();
    giveBack?.();
  };
  return { ...claim, release };
}

/*
 * By descriptor, since whoever owns the directory may have put another file there. It stays root's without CAP_CHOWN,
 * and where root, without CAP_DAC_OVERRIDE, could not connect any more to see whether a server listens.
 */
function giveFile({ path, dev, ino }: SocketFile, user: User): void {
  const fd = tried(() => openSync(path, O_PATH | constants.O_NOFOLLOW)) ?? -1;
  if (fd < 0) return;
  const file = `/proc/self/fd/${fd}`;
  const found = fstatSync(fd, { bigint: true });
  try {
    if (!found.isSocket() || found.dev !== dev || found.ino !== ino) return;
    chownSync(file, user.uid, -1);
    accessSync(file, constants.W_OK);
  } catch {
    tried(() => chownSync(file, 0, -1));
  } finally {
    closeSync(fd);
  }
}

/* Without CAP_CHOWN it stays root's, and the file stays at the end: the next start replaces it. */
function giveDirectory(directory: string, user: User) {
  if (readdirSync(directory).length !== 1) return undefined;
  const { uid, gid } = statSync(directory);
  return tried(() => {
    chownSync(directory, user.uid, user.gid);
    return () => chownSync(directory, uid, gid);
  });
}
