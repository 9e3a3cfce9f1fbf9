import { type Stats, statSync } from "node:fs";
import { dirname } from "node:path";
import { loadSyscalls, XATTR_ACL } from "@xsocket/xbind-native";
import type { Identity } from "./drop.ts";

const MAY_READ = 4;
const MAY_ENTER = 1;

/* Which of the three groups of permission bits holds for a user. */
function bitsFor({ uid, gid, groups }: Identity, stats: Stats): number {
  if (stats.uid === uid) return stats.mode >> 6;
  return stats.gid === gid || groups.includes(stats.gid) ? stats.mode >> 3 : stats.mode;
}

function isClosed(user: Identity, path: string, wanted: number): boolean {
  if ((bitsFor(user, statSync(path)) & wanted) !== 0) return false;
  return loadSyscalls().xattr(path, XATTR_ACL, null, 0) <= 0; // an access list may say otherwise: the kernel decides
}

/**
 * Finds what keeps a user without privilege from reading a file: the first directory on the way that
 * it may not enter, or the file itself; undefined if there is nothing.
 */
export function barrierTo(user: Identity, path: string): string | undefined {
  const parent = dirname(path);
  try {
    const above = parent === path ? undefined : barrierTo(user, parent);
    if (above !== undefined) return above;
    const wanted = statSync(path).isDirectory() ? MAY_ENTER : MAY_READ;
    return isClosed(user, path, wanted) ? path : undefined;
  } catch {
    return undefined; // what is not there is somebody else's to report
  }
}
