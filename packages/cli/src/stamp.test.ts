import { expect, test } from "bun:test";
import { appendFileSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isCurrent, writeStamp } from "./stamp.ts";

test("a stamp holds until one of the files is another one, or gone", () => {
  const directory = mkdtempSync(join(tmpdir(), "xsocket-stamp-"));
  const [plain, spaced] = ["plain", "one with spaces"].map((name) => join(directory, name));
  if (!plain || !spaced) throw new Error("unreachable");
  const stamp = () => {
    writeFileSync(plain, "1");
    writeFileSync(spaced, "2");
    writeStamp(directory, directory, ["plain", "one with spaces"]);
    expect(isCurrent(directory, directory)).toBe(true);
  };
  try {
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
  } finally {
    rmSync(directory, { recursive: true });
  }
});
