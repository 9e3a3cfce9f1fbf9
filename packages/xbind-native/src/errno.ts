import { constants } from "node:os";

/* What Node's table lacks: a socket of another namespace may fail with any errno. */
const MORE = {
  ENOTBLK: 15,
  ECHRNG: 44,
  EL2NSYNC: 45,
  EL3HLT: 46,
  EL3RST: 47,
  ELNRNG: 48,
  EUNATCH: 49,
  ENOCSI: 50,
  EL2HLT: 51,
  EBADE: 52,
  EBADR: 53,
  EXFULL: 54,
  ENOANO: 55,
  EBADRQC: 56,
  EBADSLT: 57,
  EBFONT: 59,
  ENONET: 64,
  ENOPKG: 65,
  EREMOTE: 66,
  EADV: 68,
  ESRMNT: 69,
  ECOMM: 70,
  EDOTDOT: 73,
  ENOTUNIQ: 76,
  EBADFD: 77,
  EREMCHG: 78,
  ELIBACC: 79,
  ELIBBAD: 80,
  ELIBSCN: 81,
  ELIBMAX: 82,
  ELIBEXEC: 83,
  ERESTART: 85,
  ESTRPIPE: 86,
  EUSERS: 87,
  ESOCKTNOSUPPORT: 94,
  EPFNOSUPPORT: 96,
  ESHUTDOWN: 108,
  ETOOMANYREFS: 109,
  EHOSTDOWN: 112,
  EUCLEAN: 117,
  ENOTNAM: 118,
  ENAVAIL: 119,
  EISNAM: 120,
  EREMOTEIO: 121,
  ENOMEDIUM: 123,
  EMEDIUMTYPE: 124,
  ENOKEY: 126,
  EKEYEXPIRED: 127,
  EKEYREVOKED: 128,
  EKEYREJECTED: 129,
  EOWNERDEAD: 130,
  ENOTRECOVERABLE: 131,
  ERFKILL: 132,
  EHWPOISON: 133,
};

/** Linux's errno numbers by name, for example `errno.EAGAIN`. */
export const errno = { ...constants.errno, ...MORE };

/* Names that lose where a number has two: the kernel's own table has the other. */
const SECOND_NAMES = new Set(["EWOULDBLOCK", "ENOTSUP"]);

const NAMES = new Map<number, string>(
  Object.entries(errno)
    .filter(([name]) => !SECOND_NAMES.has(name))
    .map(([name, number]) => [number, name]),
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
