import { readFileSync } from "node:fs";
import { codeOf } from "@xsocket/xbind-native";

const IDS = 0xffffffff; // as many as there are

/* A line has the first id inside, the first one outside, and how many. */
function isWhole(map: string): boolean {
  const lines = readFileSync(`/proc/self/${map}`, "utf8").trimEnd().split("\n");
  return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[2]), 0) === IDS;
}

/** Answers whether some of the machine's users or groups are unmapped here (user_namespaces(7)), or may be. */
export function hasUnmappedIds(): boolean {
  try {
    return !isWhole("uid_map") || !isWhole("gid_map");
  } catch (error) {
    // ENOENT: a kernel without user namespaces, since Bun does not run without /proc
    return codeOf(error) !== "ENOENT";
  }
}
