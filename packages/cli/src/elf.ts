import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** What an ELF file says of itself, as far as preloading depends on it. */
export interface Elf {
  readonly bits: 32 | 64;
  /** e_machine, for example 62 for x86-64. */
  readonly machine: number;
  /** The dynamic loader; undefined for a program that is linked statically. */
  readonly interpreter: string | undefined;
  /** The shared libraries that it asks for by itself (DT_NEEDED). */
  readonly needed: readonly string[];
  /** The compiler that made it, if it is one whose programs call the kernel themselves. */
  readonly compiler: "Go" | "Free Pascal" | undefined;
}

/* Where the fields lie, by word size: the System V ABI's Ehdr and Phdr. */
const LAYOUT = {
  32: { phoff: 28, phentsize: 42, phnum: 44, offset: 4, vaddr: 8, filesz: 16 },
  64: { phoff: 32, phentsize: 54, phnum: 56, offset: 8, vaddr: 16, filesz: 32 },
} as const;

const MAGIC = "\u007fELF";
const HEADER_BYTES = 64;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_NOTE = 4;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const SEGMENTS_MAX = 64;
const NAME_BYTES = 256; // of a library
/* How much is read of an interpreter's path, the notes, or the dynamic section; more is of no interest. */
const SEGMENT_BYTES = 4096;
const FREE_PASCAL = /FPC \d+\.\d+\.\d+.* for \w+ - /; // behind a program's initialized data

/* Reads up to `length` bytes from a position. */
type Read = (position: number, length: number) => Buffer;

function textOf(bytes: Buffer): string {
  return bytes.toString().replace(/\0.*$/s, "");
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly length: number;
  readonly content: () => Buffer;
  readonly end: () => Buffer;
}

/* Reads an address or offset, which is as wide as the program's pointers. */
type Word = (view: DataView, offset: number) => number;

function words(bits: 32 | 64, little: boolean): Word {
  return bits === 64
    ? (view, offset) => Number(view.getBigUint64(offset, little))
    : (view, offset) => view.getUint32(offset, little);
}

function segments(read: Read, header: DataView, bits: 32 | 64, little: boolean): Segment[] {
  const at = LAYOUT[bits];
  const word = words(bits, little);
  const size = header.getUint16(at.phentsize, little);
  const count = Math.min(header.getUint16(at.phnum, little), SEGMENTS_MAX);
  const table = read(word(header, at.phoff), size * count);
  if (table.length < size * count) throw new RangeError("the file ends within its headers");
  // a size of 0 makes the length NaN, which Array.from takes for 0
  return Array.from({ length: table.length / size }, (_, index) => {
    const view = new DataView(table.buffer, table.byteOffset + index * size, size);
    const [offset, length] = [word(view, at.offset), word(view, at.filesz)];
    const shown = Math.min(length, SEGMENT_BYTES);
    return {
      type: view.getUint32(0, little),
      offset,
      address: word(view, at.vaddr),
      length,
      content: () => read(offset, shown),
      end: () => read(offset + length - shown, shown),
    };
  });
}

/* The tags and values of the dynamic section (PT_DYNAMIC). */
function dynamicEntries(all: readonly Segment[], bits: 32 | 64, word: Word): [number, number][] {
  const bytes = all.find(({ type }) => type === PT_DYNAMIC)?.content() ?? Buffer.alloc(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = bits / 8;
  return Array.from({ length: bytes.length / (2 * size) }, (_, index) => [
    word(view, 2 * size * index),
    word(view, 2 * size * index + size),
  ]);
}

function neededBy(read: Read, all: readonly Segment[], bits: 32 | 64, word: Word): string[] {
  const entries = dynamicEntries(all, bits, word);
  const strings = entries.find(([tag]) => tag === DT_STRTAB)?.[1] ?? 0;
  const home = all.find(
    ({ type, address, length }) =>
      type === PT_LOAD && strings >= address && strings < address + length,
  );
  if (!home) return [];
  const start = strings - home.address + home.offset;
  return entries
    .filter(([tag]) => tag === DT_NEEDED)
    .map(([, at]) => textOf(read(start + at, NAME_BYTES)));
}

function compilerOf(all: readonly Segment[]): Elf["compiler"] {
  if (all.some(({ type, content }) => type === PT_NOTE && content().includes("Go\0\0")))
    return "Go";
  const isPascal = all.some(
    ({ type, end }) => type === PT_LOAD && FREE_PASCAL.test(end().toString("latin1")),
  );
  return isPascal ? "Free Pascal" : undefined;
}

function parse(read: Read, fileBytes: number): Elf | undefined {
  const bytes = read(0, HEADER_BYTES);
  if (bytes.toString("latin1", 0, 4) !== MAGIC) return undefined;
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const bits = header.getUint8(4) === CLASS_64 ? 64 : 32;
  const little = header.getUint8(5) === LITTLE_ENDIAN;
  const all = segments(read, header, bits, little);
  // copied in part: what loads it dies of SIGBUS
  if (all.some(({ type, offset, length }) => type === PT_LOAD && offset + length > fileBytes))
    return undefined;
  const loader = all.find(({ type }) => type === PT_INTERP)?.content();
  return {
    bits,
    machine: header.getUint16(18, little),
    interpreter: loader && textOf(loader),
    needed: neededBy(read, all, bits, words(bits, little)),
    compiler: compilerOf(all),
  };
}

/**
 * Reads the headers of a program or library.
 *
 * @returns undefined if it is no ELF file, or only a part of one
 * @throws what the file system throws
 */
export function readElf(path: string): Elf | undefined {
  const fd = openSync(path, "r");
  try {
    return parse((position, length) => {
      const buffer = Buffer.alloc(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, position));
    }, fstatSync(fd).size);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // cut off in the middle of its headers
    throw error;
  } finally {
    closeSync(fd);
  }
}
