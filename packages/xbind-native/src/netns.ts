import { readdirSync, statSync } from "node:fs";
import { tried } from "./thrown.ts";

/* Where ip-netns(8) keeps named network namespaces. */
const NAMED = "/run/netns";

/**
 * Answers whether ip-netns(8) knows a network namespace by a name, without taking a descriptor. False
 * also for a name that links to the namespace of a process that has ended, or that this user may not look into.
 */
export function isNetnsName(inode: bigint, name: string): boolean {
  return tried(() => statSync(`${NAMED}/${name}`, { bigint: true }).ino) === inode;
}

/** The name by which ip-netns(8) knows a network namespace, by its inode; undefined for one without. */
export function netnsName(inode: bigint): string | undefined {
  return tried(() => readdirSync(NAMED))?.find((name) => isNetnsName(inode, name));
}
