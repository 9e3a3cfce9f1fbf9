import { readFileSync } from "node:fs";
import { tried } from "@xsocket/xbind-native";
import { ID_MAX } from "./ids.ts";

/** A line of passwd(5). */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** A line of group(5). */
export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The users and groups that names in a policy stand for. */
export interface Accounts {
  readonly users: ReadonlyMap<string, User>;
  readonly groups: ReadonlyMap<string, Group>;
}

function fields(text: string): string[][] {
  return text.split("\n").map((line) => line.split(":"));
}

/* An empty field would read as 0, and one of 33 bits could wrap to it: that is root. */
function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= ID_MAX;
}

/**
 * Reads the texts of /etc/passwd and /etc/group. The first line of a name wins, and lines with invalid ids
 * are skipped, as in getpwnam(3).
 */
export function parseAccounts(passwd: string, group: string): Accounts {
  const users = new Map<string, User>();
  for (const [name = "", , uid = "", gid = ""] of fields(passwd))
    if (isId(uid) && isId(gid) && !users.has(name))
      users.set(name, { name, uid: Number(uid), gid: Number(gid) });
  const groups = new Map<string, Group>();
  for (const [name = "", , gid = "", members = ""] of fields(group))
    if (isId(gid) && !groups.has(name))
      groups.set(name, { name, gid: Number(gid), members: members.split(",").filter(Boolean) });
  return { users, groups };
}

/** Without the file, as in a sandbox or a container, there are no names, but ids still work. */
function textOf(path: string): string {
  return tried(() => readFileSync(path, "utf8")) ?? "";
}

/** Reads this machine's local accounts. Other sources of nsswitch.conf(5) are not asked: a rule names those by id. */
export function readAccounts(): Accounts {
  return parseAccounts(textOf("/etc/passwd"), textOf("/etc/group"));
}

/** The groups that login would give a user: the primary one, and each that lists the name. */
export function groupsOf(accounts: Accounts, user: User): readonly number[] {
  const listed = [...accounts.groups.values()].filter((group) => group.members.includes(user.name));
  return [...new Set([user.gid, ...listed.map((group) => group.gid)])];
}
