import { closeSync, openSync, readSync } from "node:fs";

/** What an ELF file says of itself, as far as preloading depends on it. */
export interface Elf {
  readonly bits: 32 | 64;
  /** e_machine, for example 62 for x86-64. */
  readonly machine: number;
  /** The dynamic loader; undefined for a program that is linked statically. */
  readonly interpreter: string | undefined;
  /** Whether it was made by the Go compiler, whose programs call the kernel themselves. */
  readonly isGo: boolean;
}

/* Where the fields lie, by word size: the System V ABI's Ehdr and Phdr. */
const LAYOUT = {
  32: { phoff: 28, phentsize: 42, phnum: 44, offset: 4, filesz: 16 },
  64: { phoff: 32, phentsize: 54, phnum: 56, offset: 8, filesz: 32 },
} as const;

const MAGIC = "\u007fELF";
const HEADER_BYTES = 64;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_INTERP = 3;
const PT_NOTE = 4;
const SEGMENTS_MAX = 64;
/* An interpreter's path, or the notes of a program; what is longer is of no interest. */
const SEGMENT_BYTES = 4096;

class Reader {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  bytes(position: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    const got = readSync(this.#fd, buffer, 0, length, position);
    return buffer.subarray(0, got);
  }
}

interface Segment {
  readonly type: number;
  readonly content: () => Buffer;
}

function segments(reader: Reader, header: DataView, bits: 32 | 64, little: boolean): Segment[] {
  const at = LAYOUT[bits];
  const word = (view: DataView, offset: number) =>
    bits === 64 ? Number(view.getBigUint64(offset, little)) : view.getUint32(offset, little);
  const size = header.getUint16(at.phentsize, little);
  const count = Math.min(header.getUint16(at.phnum, little), SEGMENTS_MAX);
  const table = reader.bytes(word(header, at.phoff), size * count);
  return Array.from({ length: size > 0 ? Math.floor(table.length / size) : 0 }, (_, index) => {
    const view = new DataView(table.buffer, table.byteOffset + index * size, size);
    const length = Math.min(word(view, at.filesz), SEGMENT_BYTES);
    return {
      type: view.getUint32(0, little),
      content: () => reader.bytes(word(view, at.offset), length),
    };
  });
}

function parse(reader: Reader): Elf | undefined {
  const bytes = reader.bytes(0, HEADER_BYTES);
  if (bytes.length < HEADER_BYTES || bytes.toString("latin1", 0, 4) !== MAGIC) return undefined;
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const bits = header.getUint8(4) === CLASS_64 ? 64 : 32;
  const little = header.getUint8(5) === LITTLE_ENDIAN;
  const all = segments(reader, header, bits, little);
  const loader = all
    .find(({ type }) => type === PT_INTERP)
    ?.content()
    .toString();
  return {
    bits,
    machine: header.getUint16(18, little),
    interpreter: loader?.replace(/\0.*$/s, ""),
    isGo: all.some(({ type, content }) => type === PT_NOTE && content().includes("Go\0\0")),
  };
}

/**
 * Reads the headers of a program or library.
 *
 * @returns undefined if it is no ELF file
 * @throws what the file system throws
 */
export function readElf(path: string): Elf | undefined {
  const fd = openSync(path, "r");
  try {
    return parse(new Reader(fd));
  } catch (error) {
    if (error instanceof RangeError) return undefined; // cut off in the middle of its headers
    throw error;
  } finally {
    closeSync(fd);
  }
}
