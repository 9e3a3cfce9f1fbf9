import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { makeDirectory, removeDirectory } from "./_directory.ts";

test("the exit of the process is listened for only as long as there is a directory to remove", () => {
  const before = process.listenerCount("exit");
  const directories = [makeDirectory(), makeDirectory()];
  for (const directory of directories) {
    expect([existsSync(directory), process.listenerCount("exit")]).toEqual([true, before + 1]);
    removeDirectory(directory);
  }
  expect(directories.map(existsSync)).toEqual([false, false]);
  expect(process.listenerCount("exit")).toBe(before);
});
