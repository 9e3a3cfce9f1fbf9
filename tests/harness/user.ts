import { dirname } from "node:path";
import { ROOT } from "./root.ts";
import type { TempDir } from "./temp.ts";

/** There is one user, and root cannot become another; scripts/steps.sh detects that. */
export const isAlone = process.env["TEST_ONE_USER"] === "1";

/** Whether the tests run as root, who can become other users. */
export const isRoot = process.geteuid?.() === 0 && !isAlone;

/** The ordinary user in tests that run as root: nobody. */
export const ORDINARY_UID = 65534;

/** For programs of that user, who may not use a python3 in root's directories. */
export const ORDINARY_ENV = { PATH: "/usr/bin:/bin" };

/** The kernel refuses user namespaces in a chroot; scripts/steps.sh detects that. */
export const isChrooted = process.env["TEST_CHROOTED"] === "1";

/** A container without privileges cannot make namespaces; scripts/steps.sh detects that, too. */
export const isContained = process.env["TEST_NO_NAMESPACES"] === "1";

/**
 * The command that runs `argv` as a user without privilege: nobody when the tests run as root,
 * else the user that they run as. A program outside the system's own directories must be readable
 * to every user.
 */
export function asOrdinaryUser(argv: readonly string[], uid = ORDINARY_UID): string[] {
  if (!isRoot) return [...argv];
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return ["setpriv", ...ids, "--inh-caps=-all", "--", ...argv];
}

/** A prefix for a command that makes even root obey the permissions of files. */
export const HELD_TO_MODES: readonly string[] =
  process.geteuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];

/* Another user than root is root in a user namespace. */
const AS_ROOT = isRoot ? [] : ["--map-root-user"];

/** A prefix for a command that gets mounts of its own. */
export const OWN_MOUNTS: readonly string[] = ["unshare", "--mount", ...AS_ROOT];

/**
 * A prefix for a command that gets mounts, a network and process ids of its own. The command is the
 * first process there, so that everything it starts ends with it.
 */
export const OWN_MACHINE: readonly string[] = [
  "unshare",
  "--mount",
  "--net",
  "--pid",
  "--fork",
  "--mount-proc",
  "--kill-child",
  ...AS_ROOT,
];

/*
 * Runs `argv` with the repository and Bun mounted a second time, below `dir`, since they may
 * lie where only root may read. Needs root.
 */
function withRepository(dir: TempDir, argv: readonly string[]): string[] {
  const script = `set -eu
    cd "$1"
    mkdir -m 755 repository bun
    mkdir -m 777 home tmp
    mount --bind "$2" repository
    mount --bind "$3" bun
    export PATH="$1/bun:$PATH" XSOCKET_BUN="$1/bun/bun" HOME="$1/home" TMPDIR="$1/tmp"
    shift 3
    exec "$@"`;
  const unshare = ["unshare", "--mount", "--propagation=private"];
  const places = [dir.path, ROOT, dirname(process.execPath)];
  return [...unshare, "sh", "-c", script, "sh", ...places, ...argv];
}

/** The command that runs `bun ARGUMENT…` in this repository as an ordinary user. Needs root. */
export function bunAsOrdinaryUser(dir: TempDir, args: readonly string[]): string[] {
  const start = ["env", "-C", dir.join("repository"), dir.join("bun/bun")];
  return withRepository(dir, asOrdinaryUser([...start, ...args]));
}

/**
 * The command that runs `xsocket ARGUMENT…` from a place that every user may read. Needs root.
 *
 * @param before a prefix for the command, for example setpriv
 */
export function xsocketForEveryone(
  dir: TempDir,
  args: readonly string[],
  before: readonly string[] = [],
): string[] {
  return withRepository(dir, [...before, dir.join("repository/packages/cli/bin/xsocket"), ...args]);
}
