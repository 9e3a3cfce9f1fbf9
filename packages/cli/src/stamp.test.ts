import { expect, test } from "bun:test";
import { appendFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tempDir } from "../../../tests/harness/temp.ts";
import { isCurrent, writeStamp } from "./stamp.ts";

test("a stamp is current until a file changes or is removed", () => {
  using dir = tempDir();
  const directory = dir.path;
  const [plain, spaced] = [dir.join("plain"), dir.join("one with spaces")];
  const stamp = () => {
    writeFileSync(plain, "1");
    writeFileSync(spaced, "2");
    writeStamp(directory, directory, ["plain", "one with spaces"]);
    expect(isCurrent(directory, directory)).toBe(true);
  };
  expect(isCurrent(directory, directory)).toBe(false); // there is none
  stamp();
  utimesSync(spaced, 0, 0); // older than it was
  expect(isCurrent(directory, directory)).toBe(false);
  stamp();
  const { atime, mtime } = statSync(plain);
  appendFileSync(plain, "more");
  utimesSync(plain, atime, mtime);
  expect(isCurrent(directory, directory)).toBe(false);
  stamp();
  rmSync(plain);
  expect(isCurrent(directory, directory)).toBe(false);
});
