/*
 * What only the start has needed of the runtime's code and constants.
 *
 * How it works: Bun is a program of some hundred megabytes, and before a server serves a third of
 * its code has been run once: the parser, the module loader, the compilers. Those pages would count
 * as resident for as long as the server lives. Letting go of a mapping of code costs nothing but
 * the way back: a page that is run again is still in the page cache and is mapped at its next use,
 * with its neighbours, by one minor fault.
 *
 * That holds for private mappings of a file which nobody has ever written to, and for no others:
 * whatever was written would be lost. So a mapping is let go only if it is read-only, of the program
 * itself, and if the kernel says that no page of it is a copy, in memory or swapped out ("Anonymous"
 * and "Swap" are 0): what the loader has relocated, or a debugger has put in, is one. An emulator that
 * writes 0 for all of it, as qemu-user does for "Rss" too, knows nothing of that.
 */
import { readFileSync, readlinkSync } from "node:fs";
import type { Syscalls } from "@xsocket/xbind-native";

const WRITTEN_NONE = [/^Rss: +[1-9]/m, /^Anonymous: +0 kB$/m, /^Swap: +0 kB$/m];

/** A range of addresses. */
interface Mapping {
  readonly start: number;
  /** In bytes. */
  readonly length: number;
}

/**
 * Finds the mappings of a program's own file that were never written to.
 *
 * @param smaps the text of /proc/PID/smaps
 * @param program the path of the program, as the kernel gives it
 */
export function unwrittenMappings(smaps: string, program: string): Mapping[] {
  const sections = smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return sections.flatMap((section) => {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[-x]p \S+ \S+ \d+ +(.*)$/m.exec(section);
    if (head?.[3] !== program || !WRITTEN_NONE.every((line) => line.test(section))) return [];
    const [start = 0, end = 0] = head.slice(1, 3).map((digits) => Number.parseInt(digits, 16));
    return [{ start, length: end - start }];
  });
}

/** Lets go of what has been used so far of the runtime's code and constants. Where /proc is hidden it stays. */
export function letGoOfStart(sys: Syscalls): void {
  try {
    const program = readlinkSync("/proc/self/exe");
    const smaps = readFileSync("/proc/self/smaps", "utf8");
    for (const { start, length } of unwrittenMappings(smaps, program))
      sys.letGoOfPages(start, length);
  } catch {
    // nothing is lost but some memory
  }
}
