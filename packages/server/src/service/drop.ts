import { closeSync, constants, openSync } from "node:fs";
import { checked, type Syscalls } from "@xsocket/xbind-native";
import { type Accounts, groupsOf } from "../policy/accounts.ts";
import { ACTIVATION_NAME, BOUND_NAME } from "./activation.ts";

/** Where the program that {@link execAs} starts finds the directory that this one was started in. */
export const CWD_FD = 4;

/** Whom a server becomes. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** The supplementary groups. */
  readonly groups: readonly number[];
}

/** Finds a user of this machine by name or number; undefined if there is none. */
export function findIdentity(accounts: Accounts, who: string): Identity | undefined {
  const named = accounts.users.get(who);
  const numbered = [...accounts.users.values()].find((user) => String(user.uid) === who);
  const user = named ?? numbered;
  return user && { uid: user.uid, gid: user.gid, groups: groupsOf(accounts, user) };
}

/* NUL-terminated texts one after the other, on memory that does not move. */
function block(texts: readonly string[]): Uint8Array {
  const bytes = new TextEncoder().encode(texts.map((text) => `${text}\0`).join(""));
  const fixed = new Uint8Array(new ArrayBuffer(bytes.byteLength));
  fixed.set(bytes);
  return fixed;
}

function variables(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
}

/** What takes the place of this process. */
export interface Successor {
  /** The program by its path, and its arguments. */
  readonly argv: readonly string[];
  /** Those words of it that are the program's own files, which the user must be able to read. */
  readonly files: readonly string[];
  /** The directory that relative names of the user are meant from. */
  readonly directory: string;
  /** Whether the file of the control socket is the server's own, to be removed at the end. */
  readonly ownsFile: boolean;
}

/**
 * Runs a program in the place of this one as somebody else, with the control socket as descriptor 3.
 *
 * Every thread of it has the user's ids and no capability but CAP_CHOWN, which stamps sockets. After
 * a failure this process may have lost its privileges, and should end.
 *
 * @throws {SyscallError} for what the kernel refused; otherwise it does not return
 */
export function execAs(
  native: Syscalls,
  listenFd: number,
  { uid, gid, groups }: Identity,
  { argv, directory, ownsFile }: Successor,
  env: Readonly<Record<string, string | undefined>> = process.env,
): never {
  const passed = {
    ...env,
    LISTEN_PID: String(process.pid),
    LISTEN_FDS: "1",
    LISTEN_FDNAMES: ownsFile ? BOUND_NAME : ACTIVATION_NAME,
  };
  // One spare cell: no pointer can be taken of an empty array.
  const ids = new Uint32Array(new ArrayBuffer(4 * (groups.length + 1)));
  ids.set(groups);
  const [args, vars] = [block(argv), block(variables(passed))];
  const cwd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const rc = native.execAs(
    listenFd,
    cwd,
    uid,
    gid,
    ids,
    groups.length,
    args,
    args.byteLength,
    vars,
    vars.byteLength,
  );
  closeSync(cwd);
  checked(`exec ${argv[0]} as uid ${uid}`, rc);
  throw new Error("execve returned without an error");
}
