import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { loadSyscalls } from "@xsocket/xbind-native";
import { letGoOfStart, unwrittenMappings } from "./trim.ts";

function section(
  range: string,
  modes: string,
  path: string,
  anonymousKb: number,
  swapKb = 0,
  rssKb = 60,
): string {
  return `${range} ${modes} 01b95000 fe:00 1835 ${path}
Size:                 64 kB
Rss:                  ${rssKb} kB
Anonymous:             ${anonymousKb} kB
Swap:                  ${swapKb} kB
VmFlags: rd ex mr mw me
`;
}

test("finds only unwritten private mappings of the program", () => {
  const smaps = [
    section("02d94000-02da4000", "r-xp", "/usr/lib/xsocket/bun", 0),
    section("03000000-03010000", "r-xp", "/usr/lib/xsocket/bun", 4), // such as a breakpoint
    section("03800000-03810000", "r-xp", "/usr/lib/xsocket/bun", 0, 4),
    section("04000000-04010000", "r--p", "/usr/lib/xsocket/bun", 0),
    section("04800000-04810000", "r--p", "/usr/lib/xsocket/bun", 12), // what the loader relocates
    section("04c00000-04c10000", "r--p", "/usr/lib/xsocket/bun", 0, 0, 0), // under an emulator that reports no sizes
    section("05000000-05010000", "rwxp", "/usr/lib/xsocket/bun", 0),
    section("06000000-06010000", "r-xs", "/usr/lib/xsocket/bun", 0),
    section("07000000-07010000", "r-xp", "/usr/lib/libc.so.6", 0),
    section("08000000-08010000", "r-xp", "", 0),
  ].join("");
  expect(unwrittenMappings(smaps, "/usr/lib/xsocket/bun")).toEqual([
    { start: 0x2d94000, length: 0x10000 },
    { start: 0x4000000, length: 0x10000 },
  ]);
  expect(unwrittenMappings(smaps, "/usr/bin/bun")).toEqual([]);
});

/** The resident file pages of this process, in kB. */
function residentKb(): number {
  return Number(/^RssFile:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

test("reduces the resident pages of the program", () => {
  const before = residentKb();
  letGoOfStart(loadSyscalls());
  expect(residentKb()).toBeLessThan(before / 2);
});
