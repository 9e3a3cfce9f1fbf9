import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { changedEnv } from "../../../tests/harness/changed.ts";
import { tempDir } from "../../../tests/harness/temp.ts";
import { preloadWith } from "./preload.ts";

/* Calls preloadWith() with the library in a directory of that name. */
function preloadFrom(name: string, existing: string): string {
  using dir = tempDir();
  const directory = dir.join(name);
  mkdirSync(directory);
  writeFileSync(join(directory, "libxbind.so"), "");
  using _ = changedEnv({ XSOCKET_LIBDIR: directory });
  return preloadWith(existing).replace(directory, "DIR");
}

test.each([
  ["", "DIR/libxbind.so"],
  ["/a/libfoo.so", "DIR/libxbind.so:/a/libfoo.so"],
  ["libfoo.so libbar.so", "DIR/libxbind.so:libfoo.so:libbar.so"],
  ["/usr/lib/libasan.so.8:/a/libfoo.so", "/usr/lib/libasan.so.8:DIR/libxbind.so:/a/libfoo.so"],
  ["libclang_rt.tsan-x86_64.so", "libclang_rt.tsan-x86_64.so:DIR/libxbind.so"],
  ["libxbind.so", "DIR/libxbind.so"],
  ["/a/libfoo.so:/old/libxbind.so", "/a/libfoo.so:DIR/libxbind.so"],
])("LD_PRELOAD %j becomes %j", (existing, expected) => {
  expect(preloadFrom("plain", existing)).toBe(expected);
});

test.each(["with space", "with:colon", "with\ttab"])("refuses a directory named %j", (name) => {
  expect(() => preloadFrom(name, "")).toThrow("move xsocket to a directory without them");
});
