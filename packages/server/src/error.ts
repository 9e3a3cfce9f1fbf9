/**
 * Why a server cannot start. Stable: programs may compare it.
 *
 * - `MISUSE`: an option that cannot be right, or options that contradict each other
 * - `ADDRESS`: an address that is empty or does not fit a UNIX socket address
 * - `IN_USE`: another server listens there; the message names its process where the kernel does
 * - `NOT_A_SOCKET`: something else lies at the path, and it is never removed
 * - `DIRECTORY_MISSING`: the directory of the path does not exist, or something above it is not one
 * - `DIRECTORY_UNSAFE`: others may replace what is in the directory of the path
 * - `DIRECTORY_BUSY`: another process holds the lock of the directory
 * - `GROUP_UNKNOWN`: there is no such group
 * - `PERMISSION`: this user may not do what the message names, such as make the socket or give it to the group
 * - `LISTEN_FD`: the given descriptor is not a listening SOCK_SEQPACKET socket, or a manager passed several, or one of another name
 * - `LIMIT`: RLIMIT_NOFILE leaves no room for connections
 * - `SYSTEM`: any other failure of the kernel, with the call as `cause`, or no thread that serves
 */
export type ServeErrorCode =
  | "MISUSE"
  | "ADDRESS"
  | "IN_USE"
  | "NOT_A_SOCKET"
  | "DIRECTORY_MISSING"
  | "DIRECTORY_UNSAFE"
  | "DIRECTORY_BUSY"
  | "GROUP_UNKNOWN"
  | "PERMISSION"
  | "LISTEN_FD"
  | "LIMIT"
  | "SYSTEM";

/** A server cannot start, or has ended by itself. The message is one sentence with what was found and what to do. */
export class ServeError extends Error {
  override readonly name = "ServeError";
  readonly code: ServeErrorCode;

  constructor(code: ServeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
