import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory of its own for one test; removed with all that is in it. */
export interface TempDir extends Disposable {
  readonly path: string;
  /** The path of `name` in it. */
  join(name: string): string;
}

/**
 * Makes an empty directory. It is open to every user (0755), so that servers and clients of
 * different users meet in it; `mode` says otherwise.
 */
export function tempDir(mode = 0o755): TempDir {
  const path = mkdtempSync(join(tmpdir(), "xsocket-test-"));
  chmodSync(path, mode);
  return {
    path,
    join: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
