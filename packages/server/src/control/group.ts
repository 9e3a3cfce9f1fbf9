import { ServeError } from "../error.ts";
import { readAccounts } from "../policy/accounts.ts";
import { ID_MAX } from "../policy/ids.ts";

/* What getent(1) takes for an option or a number. It wraps 4294967296 to 0, root's. */
const NOT_A_NAME = /^\s*(?:[-+]|\d+$)/;

const GETENT_WAIT_MS = 5000; // a reload waits as well, and a watchdog sees no sign of life meanwhile

/* Groups of LDAP and the like are in no file; getent(1) asks wherever nsswitch.conf(5) says. */
function askGetent(name: string): number | undefined {
  const getent = Bun.which("getent");
  if (!getent || NOT_A_NAME.test(name)) return undefined;
  const { exitCode, stdout, exitedDueToTimeout } = Bun.spawnSync([getent, "group", name], {
    timeout: GETENT_WAIT_MS,
    killSignal: "SIGKILL", // SIGTERM is blocked in a server, and so in what it starts
  });
  if (exitedDueToTimeout)
    throw new ServeError(
      "GROUP_UNKNOWN",
      `getent has not found group ${JSON.stringify(name)} within ${GETENT_WAIT_MS / 1000} s: name it by number`,
    );
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
