import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { fileAt, isInPlace, removeOwn } from "./socket-file.ts";

test("removes the socket file only if device and inode are its own", () => {
  using dir = tempDir();
  const path = dir.join("control");
  writeFileSync(path, "");
  const own = fileAt(path);
  const others = [
    { ...own, dev: own.dev + 1n }, // as if another file system had been mounted since
    { ...own, ino: own.ino + 1n },
  ];
  for (const other of others) removeOwn(other);
  expect([...others, own].map(isInPlace)).toEqual([false, false, true]);
  removeOwn(own);
  expect(existsSync(path)).toBe(false);
});
