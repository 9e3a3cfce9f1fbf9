import { expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { loadSyscalls } from "@xsocket/xbind-native";
import { letGoOfStart, unwrittenCode } from "./trim.ts";

function section(range: string, modes: string, path: string, anonymousKb: number): string {
  return `${range} ${modes} 01b95000 fe:00 1835 ${path}
Size:                 64 kB
Rss:                  60 kB
Anonymous:             ${anonymousKb} kB
VmFlags: rd ex mr mw me
`;
}

test("only unwritten code of the program itself is let go", () => {
  const smaps = [
    section("02d94000-02da4000", "r-xp", "/usr/lib/xsocket/bun", 0),
    section("03000000-03010000", "r-xp", "/usr/lib/xsocket/bun", 4), // a breakpoint, for one
    section("04000000-04010000", "r--p", "/usr/lib/xsocket/bun", 0),
    section("05000000-05010000", "rwxp", "/usr/lib/xsocket/bun", 0),
    section("06000000-06010000", "r-xs", "/usr/lib/xsocket/bun", 0),
    section("07000000-07010000", "r-xp", "/usr/lib/libc.so.6", 0),
    section("08000000-08010000", "r-xp", "", 0),
  ].join("");
  expect(unwrittenCode(smaps, "/usr/lib/xsocket/bun")).toEqual([
    { start: 0x2d94000, length: 0x10000 },
  ]);
  expect(unwrittenCode(smaps, "/usr/bin/bun")).toEqual([]);
});

test("less of the program's code is resident afterwards, and it runs on", () => {
  const program = readlinkSync("/proc/self/exe");
  const code = () => unwrittenCode(readFileSync("/proc/self/smaps", "utf8"), program);
  const residentKb = () => {
    const smaps = readFileSync("/proc/self/smaps", "utf8");
    const start = code()[0]?.start.toString(16) ?? "?";
    return Number(new RegExp(`^0*${start}-[^]*?^Rss: +(\\d+)`, "m").exec(smaps)?.[1]);
  };
  expect(code()).toHaveLength(1);
  const before = residentKb();
  letGoOfStart(loadSyscalls());
  expect(residentKb()).toBeLessThan(before / 2);
});
