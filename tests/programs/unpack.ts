import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../harness/root.ts";

/** Where packages are unpacked, each in a directory of its name. */
export const UNPACKED = join(ROOT, "build/programs");

/*
 * Downloads the package and unpacks it beside its version. In a directory of its own first, so that half a
 * package is never taken for a whole one.
 */
const SCRIPT = `apt-get -q download "$1" && dpkg-deb -x "$1"_*.deb . && dpkg-deb -f "$1"_*.deb Version >VERSION && rm -f -- *.deb`;

/**
 * Unpacks what is not there yet of packages that cannot be installed beside others.
 *
 * @throws {Error} with the output of apt-get, as when its lists are old
 */
export function unpack(names: readonly string[] = []): void {
  for (const name of names.filter((one) => !existsSync(join(UNPACKED, one)))) {
    const fresh = join(UNPACKED, `new.${name}.${process.pid}`);
    mkdirSync(fresh, { recursive: true });
    try {
      const argv = ["sh", "-c", SCRIPT, "sh", name];
      const { success, stderr } = Bun.spawnSync(argv, { cwd: fresh });
      if (!success) throw new Error(`cannot unpack ${name}: ${stderr.toString()}`);
      renameSync(fresh, join(UNPACKED, name));
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
}
