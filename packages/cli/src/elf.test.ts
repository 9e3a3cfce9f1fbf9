import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { tempDir } from "../../../tests/harness/temp.ts";
import { readElf } from "./elf.ts";

function readBytes(bytes: Uint8Array) {
  using dir = tempDir();
  writeFileSync(dir.join("file"), bytes);
  return readElf(dir.join("file"));
}

const PROGRAM = readFileSync("/bin/cat");

test("reads the loader and the libc of an ordinary program and finds no compiler", () => {
  const elf = readElf("/bin/cat");
  expect(elf?.needed).toContain("libc.so.6");
  expect(elf).toMatchObject({ bits: 64, compiler: undefined });
  expect(elf?.interpreter).toMatch(/^\/lib.*\/?ld-/);
});

/* ELF headers that name a loader and one library. Each field has a value of its own. */
function headers(bits: 32 | 64, isLittle: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(0x500));
  const bytes = new Uint8Array(view.buffer);
  const half = (at: number, value: number) => view.setUint16(at, value, isLittle);
  const long = (at: number, value: number) => view.setUint32(at, value, isLittle);
  const word = (at: number, value: number) =>
    bits === 64 ? view.setBigUint64(at, BigInt(value), isLittle) : long(at, value);
  const put = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  const [phoff, size] = bits === 64 ? [64, 56] : [52, 32];
  put(0, `\u007fELF${String.fromCharCode(bits / 32, isLittle ? 1 : 2)}`);
  half(18, 21);
  for (const [index, field] of [0x7777, phoff, 0x8888].entries())
    word(24 + (index * bits) / 8, field); // entry, phoff, shoff
  for (const [index, field] of [phoff, size, 7, 40].entries())
    half((bits === 64 ? 52 : 40) + 2 * index, field); // ehsize, phentsize, phnum, shentsize
  const segment = (index: number, type: number, fields: readonly number[]) => {
    const at = phoff + index * size;
    long(at, type);
    for (const [field, value] of fields.entries()) word(at + ((field + 1) * bits) / 8, value);
  };
  // offset, address, physical address, size in the file, size in memory
  segment(0, 3, [0x300, 0x1300, 1, 14, 15]);
  segment(1, 1, [0, 0x9000, 2, 0x100, 0x101]);
  segment(2, 1, [0, 0x1000, 3, 0x100, 0x9001]);
  segment(3, 1, [0x400, 0x5000, 4, 0x100, 0x101]);
  segment(4, 2, [0x320, 0x1320, 5, (6 * bits) / 8, 200]);
  segment(5, 7, [0x380, 0x1380, 6, 0x40, 0x41]);
  segment(6, 4, [0x3c0, 0x13c0, 7, 0x10, 0x11]);
  put(0x300, "/lib/loader.1\0no more");
  for (const [index, value] of [1, 3, 5, 0x5040, 0, 0].entries())
    word(0x320 + (index * bits) / 8, value); // needed, where the strings are, the end
  // compiler marks in segments where no compiler writes them
  put(0x380, "FPC 3.2.2 [2025/02/08] for x86_64 - Linux");
  put(0x470, "Go\0\0");
  put(0x3c0, "Gopher\0");
  put(0x440, "no\0its.so\0other");
  return bytes;
}

test.each([
  [32, true],
  [32, false],
  [64, true],
  [64, false],
] as const)("reads the headers of a %d-bit program, little-endian: %j", (bits, isLittle) => {
  expect(readBytes(headers(bits, isLittle))).toEqual({
    bits,
    machine: 21,
    interpreter: "/lib/loader.1",
    needed: ["its.so"],
    compiler: undefined,
  });
});

test("recognises Free Pascal by its mark behind a program's data", () => {
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

test("returns undefined for a file that is not ELF", () => {
  for (const text of ["", "#!/bin/sh\n", "\u007fELF", "x".repeat(100)])
    expect(readBytes(Buffer.from(text))).toBeUndefined();
});

test("damaged headers neither throw nor leak a descriptor", () => {
  for (let at = 0; at < 512; at++) {
    const bytes = Buffer.from(PROGRAM.subarray(0, 8192));
    bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    expect(() => readBytes(bytes)).not.toThrow();
  }
  const flat = Buffer.from(PROGRAM.subarray(0, 8192)).fill(0, 54, 56); // headers of 0 bytes each
  expect(readBytes(flat)?.needed).toEqual([]);
  for (const length of [1, 63, 64, 65, 100, 200])
    expect(() => readBytes(PROGRAM.subarray(0, length))).not.toThrow();
});
