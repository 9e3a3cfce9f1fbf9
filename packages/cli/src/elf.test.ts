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

test("an ordinary program names its loader and libc, and no compiler", () => {
  const elf = readElf("/bin/cat");
  expect(elf?.needed).toContain("libc.so.6");
  expect(elf).toMatchObject({ bits: 64, compiler: undefined });
  expect(elf?.interpreter).toMatch(/^\/lib.*\/?ld-/);
});

test("the notes of the Go compiler are noticed", () => {
  const bytes = Buffer.from(PROGRAM);
  bytes.write("Go\0\0", bytes.indexOf("GNU\0"), "latin1");
  expect(readBytes(bytes)?.compiler).toBe("Go");
});

test("the words of Free Pascal behind a program's data are noticed", () => {
  using dir = tempDir();
  const [source, image] = [dir.join("x.c"), dir.join("x")];
  const words = "FPC 3.2.2+dfsg-46 [2025/02/08] for x86_64 - Linux";
  writeFileSync(
    source,
    `char data[9000] = {1};
__attribute__((section(".fpcdata"))) char words[] = "${words}";
int main(void) { return 0; }\n`,
  );
  Bun.spawnSync(["gcc", "-s", "-o", image, source]);
  expect(readElf(image)?.compiler).toBe("Free Pascal");
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
