import { openSync } from "node:fs";
import { SyscallError, type Syscalls } from "@xsocket/xbind-native";
import { O_PATH } from "../_path.ts";
import { type Accounts, groupsOf } from "../policy/accounts.ts";
import { ACTIVATION_NAME, BOUND_NAME } from "./activation.ts";

/** Where the program that {@link execAs} starts finds the directory that this one was started in. */
export const CWD_FD = 4;

/** The user that a server becomes. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** The supplementary groups, with `gid` among them. */
  readonly groups: readonly number[];
}

/** Finds a user of this machine by name or number; undefined if there is none. */
export function findIdentity(accounts: Accounts, who: string): Identity | undefined {
  const named = accounts.users.get(who);
  const numbered = [...accounts.users.values()].find((user) => String(user.uid) === who);
  const user = named ?? numbered;
  return user && { uid: user.uid, gid: user.gid, groups: groupsOf(accounts, user) };
}

/* NUL-terminated texts one after the other. */
function block(texts: readonly string[]): Uint8Array {
  return new TextEncoder().encode(texts.map((text) => `${text}\0`).join(""));
}

/** What takes the place of this process, and as whom. */
export interface Successor {
  readonly user: Identity;
  /** The program by its path, and its arguments. */
  readonly argv: readonly string[];
  /** The program's own files, which the user must be able to read. */
  readonly files: readonly string[];
  /** The directory from which the user's relative paths start. */
  readonly directory: string;
}

/**
 * Replaces this process by a program that runs as another user, with the control socket as descriptor 3.
 *
 * Every thread of it has the user's ids and no capability but CAP_CHOWN, which stamps sockets.
 *
 * @param ownsFile whether the file of the control socket is the server's own, to be removed at the end
 * @throws {SyscallError} for what the kernel refused; otherwise it does not return
 */
export function execAs(
  sys: Syscalls,
  listenFd: number,
  { user: { uid, gid, groups }, argv, directory }: Successor,
  ownsFile: boolean,
): never {
  const env = {
    ...process.env,
    LISTEN_PID: String(process.pid),
    LISTEN_FDS: "1",
    LISTEN_FDNAMES: ownsFile ? BOUND_NAME : ACTIVATION_NAME,
  };
  const args = block(argv);
  const vars = block(Object.entries(env).map(([name, value]) => `${name}=${value}`));
  const rc = sys.execAs(
    listenFd,
    openSync(directory, O_PATH),
    uid,
    gid,
    Uint32Array.from(groups),
    groups.length,
    args,
    args.byteLength,
    vars,
    vars.byteLength,
  );
  throw new SyscallError(`exec ${argv[0]} as uid ${uid}`, -rc);
}
