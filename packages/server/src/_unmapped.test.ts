import { expect, test } from "bun:test";
import { join } from "node:path";
import { here } from "../../../tests/harness/index.ts";

const STARVED = `
  import { openSync } from "node:fs";
  import { hasUnmappedIds } from ${JSON.stringify(join(import.meta.dir, "_unmapped.ts"))};
  try {
    for (;;) openSync("/dev/null");
  } catch {}
  console.log(hasUnmappedIds());`;

test("assumes unmapped ids when no descriptor is left to check", async () => {
  const argv = ["prlimit", "--nofile=128:128", process.execPath, "-e", STARVED];
  expect((await here.run(argv)).stdout).toBe("true\n");
});
