/*
 * Some tests of this directory once more, as an unprivileged user: each network namespace then lies in
 * a user namespace. When all tests run as such a user, there is nothing to repeat.
 */
import { expect, test } from "bun:test";
import {
  asOrdinaryUser,
  bunAsOrdinaryUser,
  here,
  isRoot,
  ORDINARY_UID,
  tempDir,
} from "./harness/index.ts";

const AGAIN = [
  "tests/harness",
  "tests/c-program.test.ts",
  "tests/demo.test.ts",
  "tests/preload.test.ts",
  "tests/two-servers.test.ts",
  "tests/wire.test.ts",
];
const WITHIN_MS = 900_000; // on a busy machine

/* False in a chroot, and where only root may: with kernel.unprivileged_userns_clone=0, or on Ubuntu. */
const hasNamespaces =
  Bun.spawnSync(asOrdinaryUser(["unshare", "--user", "--map-root-user", "true"])).exitCode === 0;

test.skipIf(!isRoot || !hasNamespaces)(
  "the tests pass as an ordinary user",
  async () => {
    using dir = tempDir();
    const uid = ["-e", "console.log(process.geteuid())"];
    const who = await here.run(bunAsOrdinaryUser(dir, uid));
    expect(who.stdout).toBe(`${ORDINARY_UID}\n`);
    using again = tempDir();
    const argv = bunAsOrdinaryUser(again, [
      "test",
      "--no-orphans",
      "--timeout",
      "180000",
      "--only-failures",
      ...AGAIN,
    ]);
    const env = { BUN_TEST_WORKER_ID: undefined, NO_COLOR: "1" };
    const { code, stderr } = await here.run(argv, { env, withinMs: WITHIN_MS });
    expect(stderr).toMatch(/^ [1-9]\d* pass$/m);
    expect(stderr).toMatch(/^ 0 fail$/m);
    expect(code).toBe(0);
  },
  WITHIN_MS,
);
