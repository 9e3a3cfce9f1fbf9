import { ServeError } from "../error.ts";

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

/** Names that systemd gives when a unit says nothing: the unit's own name, or "unknown". */
function isOurs(name: string): boolean {
  return (
    name === ACTIVATION_NAME ||
    name === BOUND_NAME ||
    name === "unknown" ||
    name.endsWith(".socket")
  );
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
