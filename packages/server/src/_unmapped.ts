import { readFileSync } from "node:fs";
import { codeOf, tried } from "@xsocket/xbind-native";

const IDS = 0xffffffff; // as many as there are

/* A line of a map has the first id inside, the first one outside, and how many. */
function spans(map: string): { first: number; count: number }[] {
  const lines = readFileSync(`/proc/self/${map}`, "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const [first, , count] = line.trim().split(/\s+/);
    return { first: Number(first), count: Number(count) };
  });
}

function isWhole(map: string): boolean {
  return spans(map).reduce((sum, { count }) => sum + count, 0) === IDS;
}

function lacks(map: string, id: number): boolean {
  return !spans(map).some(({ first, count }) => first <= id && id < first + count);
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

/** Answers whether this user namespace lacks a user of the machine, or a group of that user. */
export function isUnmapped({ uid, groups }: { uid: number; groups: readonly number[] }): boolean {
  const lacksAny = () => lacks("uid_map", uid) || groups.some((gid) => lacks("gid_map", gid));
  return tried(lacksAny) ?? false;
}
