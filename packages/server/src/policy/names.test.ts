import { expect, test } from "bun:test";
import { tempDir } from "../../../../tests/harness/temp.ts";
import { FAMILIES, PROTOCOLS, TYPES } from "./names.ts";

const NUMBERS = [FAMILIES, TYPES, PROTOCOLS].flatMap(({ prefix, values }) =>
  [...values].map(([name, value]) => ({ name: prefix + name, value })),
);
/* The headers lack these names, or have them only in later kernels. */
const UNNAMED = new Set(["IPPROTO_OSPF", "IPPROTO_VRRP", "IPPROTO_SMC", "AF_MCTP"]);

/** Asks the C compiler for the numbers of names; those that its headers do not have are left out. */
function numbersInC(names: readonly string[]): Record<string, number> {
  const lines = names.map((name) => `#ifdef ${name}\nprintf("${name} %d\\n", ${name});\n#endif`);
  const source = `#include <stdio.h>
    #include <sys/socket.h>
    #include <linux/in.h>
    #include <linux/in6.h>
    int main(void) {
    ${lines.join("\n")}
    }`;
  using dir = tempDir();
  const program = dir.join("names");
  const compiled = Bun.spawnSync(["cc", "-x", "c", "-", "-o", program], {
    stdin: new TextEncoder().encode(source),
  });
  expect(compiled.stderr.toString()).toBe("");
  const words = Bun.spawnSync([program]).stdout.toString().trimEnd().split("\n");
  return Object.fromEntries(words.map((line) => line.split(" ")).map(([n, v]) => [n, Number(v)]));
}

test("each name has its number from the C headers", () => {
  const known = numbersInC(NUMBERS.map(({ name }) => name));
  for (const { name, value } of NUMBERS)
    if (!UNNAMED.has(name) || name in known) expect([name, known[name]]).toEqual([name, value]);
});
