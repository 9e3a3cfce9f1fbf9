import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A temporary directory for one test, removed with its content. */
export interface TempDir extends Disposable {
  readonly path: string;
  /** The path of `name` in the directory. */
  join(name: string): string;
}

/**
 * Makes an empty directory. By default every user may enter it (0755), so that servers and clients of
 * different users can share it.
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
