import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { tempDir } from "../../../tests/harness/temp.ts";
import { readElf } from "./elf.ts";

setDefaultTimeout(60_000); // a busy machine

function readBytes(bytes: Uint8Array) {
  using dir = tempDir();
  writeFileSync(dir.join("file"), bytes);
  return readElf(dir.join("file"));
}

const PROGRAM = readFileSync("/bin/cat");

test("an ordinary program names its loader and libc, and is no Go program", () => {
  const elf = readElf("/bin/cat");
  expect(elf?.needed).toContain("libc.so.6");
  expect(elf).toMatchObject({ bits: 64, isGo: false });
  expect(elf?.interpreter).toMatch(/^\/lib.*\/?ld-/);
});

test("the notes of the Go compiler are noticed", () => {
  const bytes = Buffer.from(PROGRAM);
  bytes.write("Go\0\0", bytes.indexOf("GNU\0"), "latin1");
  expect(readBytes(bytes)?.isGo).toBe(true);
});

test("what is no ELF file is told apart", () => {
  for (const text of ["", "#!/bin/sh\n", "\u007fELF", "x".repeat(100)])
    expect(readBytes(Buffer.from(text))).toBeUndefined();
});

test("no damage to the headers is more than an unknown", () => {
  for (let at = 0; at < 512; at++) {
    const bytes = Buffer.from(PROGRAM.subarray(0, 8192));
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    expect(() => readBytes(bytes)).not.toThrow();
  }
  for (const length of [1, 63, 64, 65, 100, 200])
    expect(() => readBytes(PROGRAM.subarray(0, length))).not.toThrow();
});
