import { constants } from "node:os";

/* Node's table has no such name. */
const MORE = { ETOOMANYREFS: 109 };

/** Linux's errno numbers by name, for example `errno.EAGAIN`. */
export const errno = { ...constants.errno, ...MORE };

const NAMES = new Map<number, string>(
  Object.entries(errno).map(([name, number]) => [number, name]),
);

/** The name of an errno number, for example "EPERM"; `errno 4095` for one without a name. */
export function errnoName(number: number): string {
  return NAMES.get(number) ?? `errno ${number}`;
}

/** A native function failed: which one, and with which errno. */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  /** The errno's name, for example "ENOENT". */
  readonly code: string;
  /** The errno's number, positive. */
  readonly errno: number;
  /** The function that failed, for example "bind". */
  readonly call: string;

  constructor(call: string, number: number) {
    super(`${call}: ${errnoName(number)}`);
    this.call = call;
    this.errno = number;
    this.code = errnoName(number);
  }
}

/**
 * Passes on what a native function returned, unless that is an error.
 *
 * @throws {SyscallError} if `rc` is negative
 */
export function checked(call: string, rc: number): number {
  if (rc < 0) throw new SyscallError(call, -rc);
  return rc;
}
