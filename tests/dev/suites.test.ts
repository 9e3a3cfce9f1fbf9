/* What ./dev suites makes of what a suite prints. */
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { here, isContained, isRoot, ROOT, tempDir } from "../harness/index.ts";

const BINDS = "python3 -c 'import socket; socket.socket().bind((\"\", 0))'";
const FAILS_WITH = '[ -z "${LD_PRELOAD-}" ] || not="not "';

const SUITES = {
  broken: "exit 1",
  lost: `${BINDS}; ${FAILS_WITH}; echo "ok one"; echo "\${not-}ok two"; echo "not ok three"`,
  twice: `${BINDS}; ${FAILS_WITH}; echo "ok one"; echo "\${not-}ok one"`,
  same: `${BINDS}; echo "ok one"; echo "not ok two"`,
  slow: "sleep 60",
  unmoved: 'echo "ok one"',
};

test.if(isRoot && !isContained)(
  "a suite passes if the library moves its sockets and no test of it fails for that",
  async () => {
    using dir = tempDir();
    for (const name of ["scripts/suites", "build"]) mkdirSync(dir.join(name), { recursive: true });
    for (const name of ["main.sh", "inside.sh"])
      copyFileSync(join(ROOT, "scripts/suites", name), dir.join(`scripts/suites/${name}`));
    for (const name of ["packages", "build/release"]) symlinkSync(join(ROOT, name), dir.join(name));
    for (const [name, run] of Object.entries(SUITES)) {
      const text = `source=\nlimit=${name === "slow" ? 1 : 60}\nbuild() { :; }\nrun() { ${run}; }\n`;
      writeFileSync(dir.join(`scripts/suites/${name}.suite`), text);
    }
    const script = "mount -t tmpfs own /run && exec sh scripts/suites/main.sh";
    const argv = ["unshare", "--mount", "sh", "-c", script];
    const { code, stdout, stderr } = await here.run(argv, { cwd: dir.path, withinMs: 150_000 });
    expect(stdout).toBe(`lost: 2 tests pass without the library, 1 of them with it too
  fails with the library: two
same: 1 tests pass without the library, 1 of them with it too
twice: 1 tests pass without the library, 0 of them with it too
  fails with the library: one
1 passed, 5 failed
`);
    expect(stderr.replaceAll(/: see .*/g, ""))
      .toBe(`suites: broken: no test passes even without the library
suites: slow: a run took longer than 1 seconds
suites: unmoved: the library has moved no socket
`);
    expect(code).toBe(1);
  },
);
