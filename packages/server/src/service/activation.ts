import { statSync } from "node:fs";
import { tried } from "@xsocket/xbind-native";
import { groupId } from "../control/group.ts";
import { ServeError } from "../error.ts";
import type { ServeOptions } from "../options.ts";

/** The first descriptor that a manager passes: sd_listen_fds(3). */
const LISTEN_FDS_START = 3;
/** The name that our own socket unit gives its descriptor. */
export const ACTIVATION_NAME = "xsocket";
/** The name under which the server passes the socket that it bound to itself, across an exec. */
export const BOUND_NAME = "xsocket-bound";

/** A listening socket that was there before the program: who made it decides who removes its file. */
export interface Activation {
  readonly fd: number;
  /** True if this server bound it before it gave up root, and so removes the file at the end. */
  readonly own: boolean;
}

/* A unit that gives no name has its own, which ends in .socket; without a unit it is "unknown". */
function isOurs(name: string): boolean {
  return [ACTIVATION_NAME, BOUND_NAME, "unknown"].includes(name) || name.endsWith(".socket");
}

/**
 * Takes the control socket that a manager has passed in LISTEN_FDS.
 *
 * The variables are removed from the environment, even if they are for another process: children must not use them.
 *
 * @returns undefined if none was passed to this process
 * @throws {ServeError} LISTEN_FD if several were passed, or one with another name; serve() checks what it is
 */
export function takeActivation(
  env: NodeJS.ProcessEnv = process.env,
  pid = process.pid,
): Activation | undefined {
  const { LISTEN_PID: target, LISTEN_FDS: text, LISTEN_FDNAMES: list = "" } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete env[name];
  if (text === undefined || Number(target) !== pid) return undefined;
  const count = Number(text);
  const names = list === "" ? [] : list.split(":");
  if (count === 0) return undefined;
  if (count !== 1 || names.length > 1)
    throw new ServeError(
      "LISTEN_FD",
      `exactly one socket is expected at start, and LISTEN_FDS says ${text}${list && ` (${list})`}: give each server a socket unit of its own`,
    );
  const name = names[0] ?? "unknown";
  if (!isOurs(name))
    throw new ServeError(
      "LISTEN_FD",
      `the socket that was passed at start is named ${JSON.stringify(name)}: use FileDescriptorName=${ACTIVATION_NAME}`,
    );
  return { fd: LISTEN_FDS_START, own: name === BOUND_NAME };
}

/** Writes permission bits as users give them. */
export const octal = (mode: number): string => mode.toString(8).padStart(4, "0");

/**
 * Compares the file of a socket that was passed at start with the options that such a socket overrides: it may
 * let in more users than its server's command line says. A mode that lets in fewer is not mentioned: our units have
 * 0666 on both sides, and a drop-in may narrow SocketMode=.
 *
 * @returns a sentence for a mode that is exceeded, and for a group that the file does not have; one for each where
 *   it has a name instead of a file
 */
export function overridden({ mode, group }: ServeOptions, address: string): string[] {
  const been = "has no effect: the socket was there before this server, with";
  const sentences = [];
  if (address.startsWith("@")) {
    if (mode !== undefined) sentences.push(`--mode ${octal(mode)} ${been} an abstract name`);
    if (group !== undefined) sentences.push(`--group ${group} ${been} an abstract name`);
    return sentences;
  }
  // of a relative path nobody knows the directory
  const file = address.startsWith("/") ? tried(() => statSync(address)) : undefined;
  if (!file) return []; // made in another mount namespace, or in a directory that is closed to this user
  const found = file.mode & 0o777;
  if (mode !== undefined && (found & ~mode) !== 0)
    sentences.push(`--mode ${octal(mode)} ${been} mode ${octal(found)} (SocketMode= of its unit)`);
  if (group !== undefined && tried(() => groupId(group)) !== file.gid)
    sentences.push(`--group ${group} ${been} group ${file.gid} (SocketGroup= of its unit)`);
  return sentences;
}
