/** The user that tests use who is not root: nobody. */
export const ORDINARY_UID = 65534;

/**
 * The command that runs `argv` as a user without privilege: as nobody when the tests run as root,
 * else as who they run as anyway. A program outside the system's own directories must be readable
 * to every user.
 */
export function asOrdinaryUser(argv: readonly string[], uid = ORDINARY_UID): string[] {
  if (process.geteuid?.() !== 0) return [...argv];
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return ["setpriv", ...ids, "--inh-caps=-all", "--", ...argv];
}
