import { readFileSync } from "node:fs";

const IDS = 0xffffffff; // as many as there are

/* A line has the first number in here, the first one outside, and how many. */
function isWhole(map: string): boolean {
  const lines = readFileSync(`/proc/self/${map}`, "utf8").trimEnd().split("\n");
  return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[2]), 0) === IDS;
}

/** Answers whether some of the machine's users or groups are unmapped here (user_namespaces(7)). */
export function hasUnmappedIds(): boolean {
  try {
    return !isWhole("uid_map") || !isWhole("gid_map");
  } catch {
    return false; // a kernel without user namespaces: without /proc there is no Bun
  }
}
