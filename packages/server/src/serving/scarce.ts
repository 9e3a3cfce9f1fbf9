import { errno, errnoName } from "@xsocket/xbind-native";

const MEMORY = "Free some memory, or raise its limit (MemoryMax=)";

/* What the kernel says where it has no room for one more descriptor or socket, and what helps. */
const REMEDIES = new Map([
  [errno.EMFILE, "Raise the limit of open files (ulimit -n, LimitNOFILE=)"],
  [errno.ENFILE, "Raise fs.file-max (sysctl), or end what has so many files open"],
  [errno.ENOMEM, MEMORY],
  [errno.ENOBUFS, MEMORY],
]);

/** Whether a failure is want of descriptors or memory, and so nobody's fault who asks. */
export function isScarcity(error: number): boolean {
  return REMEDIES.has(error);
}

/** Writes a failure that may pass, with what helps where that is known. */
export function forNow(attempt: string, error: number): string {
  const remedy = REMEDIES.get(error);
  return `cannot ${attempt} for now: ${errnoName(error)}${remedy === undefined ? "" : `. ${remedy}`}`;
}
