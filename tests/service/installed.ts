import { dirname, join } from "node:path";
import type { TempDir } from "../harness/index.ts";

const ROOT = join(import.meta.dir, "../..");

/**
 * The command that runs `xsocket ARGUMENT…` where every user may read it: this repository and Bun
 * may lie where only root may look, so they are mounted a second time, below `dir`. Needs root.
 *
 * @param before a command that runs it in turn, for example setpriv
 */
export function xsocketForEveryone(
  dir: TempDir,
  args: readonly string[],
  before: readonly string[] = [],
): string[] {
  const script = `set -eu
    cd "$1"
    chmod 755 .
    mkdir -m 755 repository bun
    mount --bind "$2" repository
    mount --bind "$3" bun
    export PATH="$1/bun:$PATH" XSOCKET_BUN="$1/bun/bun"
    shift 3
    exec "$@"`;
  const mounts = [dir.path, ROOT, dirname(process.execPath)];
  const command = [...before, join(dir.path, "repository/packages/cli/bin/xsocket"), ...args];
  const unshare = ["unshare", "--mount", "--propagation=private"];
  return [...unshare, "sh", "-c", script, "sh", ...mounts, ...command];
}
