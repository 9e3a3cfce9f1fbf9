/* Runs the blocks of README.md unchanged, in an isolated namespace and outside. */
import { expect, test } from "bun:test";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { blocksOf } from "./docs/blocks.ts";
import { hasIpv6, here, isRoot, OWN_MACHINE, ROOT } from "./harness/index.ts";
import { INSTALL_MS } from "./harness/install.ts";

/* A word of each block, and the name of the file in which readme.sh runs it. */
const RUN: Readonly<Record<string, string>> = {
  "./dev serve": "serve.sh",
  "./dev xsocket run": "run.sh",
  "LD_PRELOAD=": "preload.sh",
  "int main": "example.c",
  "pkg-config": "compile.sh",
  "@xsocket/client": "echo.ts",
};
/* A word of each block that is not run here, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  "./dev demo": "tests/demo.test.ts runs the demo, and ./dev test is what runs this",
};

/* The one word of those that a block contains. */
function nameOf(code: string): string {
  const names = Object.keys({ ...RUN, ...NOT_RUN }).filter((word) => code.includes(word));
  if (names.length !== 1) throw new Error(`no test, or more than one, runs this block:\n${code}`);
  return names[0] ?? "";
}

test.skipIf(!hasIpv6)(
  "every block of README.md works, or is listed with a reason why it is not run",
  async () => {
    const blocks = blocksOf("README.md").map(({ code }) => ({ word: nameOf(code), code }));
    expect(blocks.map(({ word }) => word).toSorted()).toEqual(
      Object.keys({ ...RUN, ...NOT_RUN }).toSorted(),
    );
    const directory = join(ROOT, `build/readme-${process.pid}`); // below the clone, as the page says
    mkdirSync(directory, { recursive: true });
    try {
      for (const { word, code } of blocks)
        if (RUN[word] !== undefined) await Bun.write(join(directory, RUN[word]), code);
      const script = join(import.meta.dir, "docs/readme.sh");
      const argv = [...OWN_MACHINE, "bash", script, directory, ROOT];
      const PATH = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:${process.env["PATH"]}`;
      const { code, stdout, stderr } = await here.run(argv, {
        withinMs: INSTALL_MS,
        env: { PATH },
      });
      for (const name of ["run.sh", "preload.sh", "echo.ts", ...(isRoot ? ["compile.sh"] : [])])
        expect(stdout, stderr).toContain(`${name} ran\n`);
      expect(code, stderr).toBe(0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
  INSTALL_MS,
);
