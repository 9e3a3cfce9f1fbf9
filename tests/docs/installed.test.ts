import { expect, test } from "bun:test";
import { join } from "node:path";
import { here, isRoot, OWN_MACHINE, ROOT } from "../harness/index.ts";
import { INSTALL_MS } from "../harness/install.ts";

test.if(isRoot)(
  "after ./dev install the commands of the original work, and ./dev uninstall removes everything",
  async () => {
    const script = join(import.meta.dir, "installed.sh");
    const dev = join(ROOT, "dev");
    const { code, stdout, stderr } = await here.run([...OWN_MACHINE, "bash", script, dev], {
      withinMs: INSTALL_MS,
      env: { PATH: `/usr/local/sbin:/usr/local/bin:${process.env["PATH"]}` },
    });
    for (const what of ["command", "declaration", "abstract name"])
      expect(stdout, stderr).toContain(`the original's ${what} works\n`);
    expect(stdout, stderr).toContain("an install that fails leaves nothing\n");
    expect(stdout, stderr).toContain("an install that is interrupted can be undone\n");
    expect(stdout, stderr).toContain("an older installation is replaced\n");
    expect(stdout, stderr).toContain("a copy is uninstalled without its original\n");
    expect(stdout, stderr).toContain("nothing is left\n");
    expect(code, stderr).toBe(0);
  },
  INSTALL_MS,
);
