import { codeOf } from "@xsocket/xbind-native";
import { ServeError } from "./error.ts";

const PERMISSION = new Set(["EACCES", "EPERM", "EROFS"]);

/** Refuses an option that cannot be right. @throws {ServeError} MISUSE */
export function misuse(message: string): never {
  throw new ServeError("MISUSE", message);
}

/** What a user without the permission can do, where the caller knows nothing better. */
const PERMISSION_REMEDY = "Use a directory that this user may write to, or run as another user";

/** What lets a server make UNIX sockets. */
export const ALLOW_UNIX =
  "Allow AF_UNIX in RestrictAddressFamilies= of its unit, or in its seccomp filter";

const ROOM =
  "Free some room on that file system (df), or remove some files where it can have no more (df -i)";

const MEMORY = "Free some memory, or raise its limit (MemoryMax=)";

/** What helps whatever the call was. */
export const REMEDIES: Readonly<Partial<Record<string, string>>> = {
  EDQUOT: ROOM,
  ELOOP: "The symbolic links in the path form a loop: repair them, or choose another path",
  EMFILE: "Raise the limit of open files (ulimit -n, LimitNOFILE=)",
  ENAMETOOLONG: "Use a shorter path",
  ENFILE: "Raise fs.file-max (sysctl), or end what has so many files open",
  ENOBUFS: MEMORY,
  ENOMEM: MEMORY,
  ENOSPC: ROOM,
  ETOOMANYREFS:
    "Servers of this user, including ended ones, have more sockets on their way than they may have files open: end the clients that receive nothing, give this server a user of its own, or raise the limit of open files (ulimit -n, LimitNOFILE=)",
};

/**
 * Makes the error for a failed system call: PERMISSION if this user is not allowed to do it, else SYSTEM.
 *
 * @param what    to be read after "cannot"
 * @param remedy  one or more sentences, the last one without its full stop
 */
export function systemError(what: string, error: unknown, remedy?: string): ServeError {
  const code = codeOf(error);
  const isForbidden = PERMISSION.has(code);
  const found = `cannot ${what}${isForbidden ? ` as uid ${process.geteuid?.()}` : ""}: ${code}`;
  const advice = REMEDIES[code] ?? remedy ?? (isForbidden ? PERMISSION_REMEDY : undefined);
  const message = advice === undefined ? found : `${found}. ${advice}`;
  return new ServeError(isForbidden ? "PERMISSION" : "SYSTEM", message, { cause: error });
}

/** Does what the kernel may refuse, and returns its result. @throws {ServeError} that {@link systemError} makes */
export function attempt<Result>(what: string, run: () => Result, remedy?: string): Result {
  try {
    return run();
  } catch (error) {
    throw systemError(what, error, remedy);
  }
}

/** Makes the error for an epoll set that takes no further descriptor: this user has as many in such sets as it may. */
export function watchError(what: string, cause: unknown): ServeError {
  const message = `cannot ${what}: ENOSPC. Raise fs.epoll.max_user_watches (sysctl)`;
  return new ServeError("SYSTEM", message, { cause });
}
