import { dirname, join } from "node:path";
import type { TempDir } from "./temp.ts";

const ROOT = join(import.meta.dir, "../..");

/** Whether the tests run as root. */
export const isRoot = process.geteuid?.() === 0;

/** The user that tests use who is not root: nobody. */
export const ORDINARY_UID = 65534;

/** For a program of such a user: a python3 in root's own directories is not for others. */
export const ORDINARY_ENV = { PATH: "/usr/bin:/bin" };

/** In a chroot the kernel gives nobody a user namespace; scripts/steps.sh finds that out. */
export const isChrooted = process.env["TEST_CHROOTED"] === "1";

/** In a container without privileges there are no new namespaces; scripts/steps.sh finds that out, too. */
export const isContained = process.env["TEST_NO_NAMESPACES"] === "1";

/**
 * The command that runs `argv` as a user without privilege: as nobody when the tests run as root,
 * else as who they run as anyway. A program outside the system's own directories must be readable
 * to every user.
 */
export function asOrdinaryUser(argv: readonly string[], uid = ORDINARY_UID): string[] {
  if (!isRoot) return [...argv];
  const ids = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  return ["setpriv", ...ids, "--inh-caps=-all", "--", ...argv];
}

/** What to put before a command so that even root obeys the permissions of files. */
export const HELD_TO_MODES: readonly string[] = isRoot
  ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
  : [];

/* Another user than root is root in a user namespace. */
const AS_ROOT = isRoot ? [] : ["--map-root-user"];

/** What to put before a command that mounts, for itself alone. */
export const OWN_MOUNTS: readonly string[] = ["unshare", "--mount", ...AS_ROOT];

/**
 * What to put before a command that is to have mounts, a network and processes of its own. It is the
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
 * The command that runs `argv` with the repository and Bun mounted a second time, below `dir`: they may
 * lie where only root may look. Root is needed for that.
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

/** The command that runs `bun ARGUMENT…` in this repository as an ordinary user, which takes root. */
export function bunAsOrdinaryUser(dir: TempDir, args: readonly string[]): string[] {
  const start = ["env", "-C", dir.join("repository"), dir.join("bun/bun")];
  return withRepository(dir, asOrdinaryUser([...start, ...args]));
}

/**
 * The command that runs `xsocket ARGUMENT…` where every user may read it, which takes root.
 *
 * @param before a command that runs it in turn, for example setpriv
 */
export function xsocketForEveryone(
  dir: TempDir,
  args: readonly string[],
  before: readonly string[] = [],
): string[] {
  return withRepository(dir, [...before, dir.join("repository/packages/cli/bin/xsocket"), ...args]);
}
