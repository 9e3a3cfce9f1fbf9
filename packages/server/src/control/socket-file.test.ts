import { expect, test } from "bun:test";
import { existsSync, linkSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
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

test("removes nothing from a directory that is put in the place of its own meanwhile", () => {
  using dir = tempDir();
  const path = dir.join("own/control");
  mkdirSync(dir.join("own"));
  writeFileSync(path, "");
  const { dev, ino } = fileAt(path);
  removeOwn({
    path,
    dev,
    get ino() {
      renameSync(dir.join("own"), dir.join("moved"));
      mkdirSync(dir.join("own"));
      linkSync(dir.join("moved/control"), path);
      return ino;
    },
  });
  expect([path, dir.join("moved/control")].map((file) => existsSync(file))).toEqual([true, false]);
});
