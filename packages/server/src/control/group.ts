import { ServeError } from "../error.ts";
import { readAccounts } from "../policy/accounts.ts";
import { ID_MAX } from "../policy/ids.ts";

/* What getent(1) takes for an option or a number. It wraps 4294967296 to 0, root's. */
const NOT_A_NAME = /^\s*(?:[-+]|\d+$)/;

/* Groups of LDAP and the like are in no file; getent(1) asks wherever nsswitch.conf(5) says. */
function askGetent(name: string): number | undefined {
  const getent = Bun.which("getent");
  if (!getent || NOT_A_NAME.test(name)) return undefined;
  const { exitCode, stdout } = Bun.spawnSync([getent, "group", name]);
  const gid = stdout.toString().split(":")[2];
  return exitCode === 0 && gid ? Number(gid) : undefined;
}

/**
 * Finds a group's number.
 *
 * @throws {ServeError} GROUP_UNKNOWN
 */
export function groupId(group: string | number): number {
  const text = String(group);
  const isNumber = /^\d+$/.test(text);
  if (isNumber && Number(text) <= ID_MAX) return Number(text);
  const gid = readAccounts().groups.get(text)?.gid ?? askGetent(text);
  if (gid !== undefined) return gid;
  const remedy = isNumber
    ? `the largest number is ${ID_MAX}`
    : "make it first (groupadd), or name another";
  throw new ServeError("GROUP_UNKNOWN", `there is no group ${JSON.stringify(text)}: ${remedy}`);
}
