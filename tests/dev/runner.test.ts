/* What ./dev test and ./dev check refuse, count, and keep from the tests. */
import { expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { changedEnv, eventually, here, isRoot, ROOT, tempDir } from "../harness/index.ts";

/* Adds what runs the tests, and these directories. */
function testsCheckout(root: string, ...beside: string[]): void {
  for (const name of ["scripts", ...beside]) mkdirSync(join(root, name), { recursive: true });
  for (const file of ["scripts/test.sh", "scripts/steps.sh"])
    copyFileSync(join(ROOT, file), join(root, file));
}

test.each(["a b", "a:b"])(
  "tests are refused in one line in a checkout that LD_PRELOAD cannot name: %s",
  async (name) => {
    using dir = tempDir();
    const root = dir.join(name);
    testsCheckout(root);
    const { code, stderr } = await here.run(["sh", "scripts/test.sh"], { cwd: root });
    expect(stderr).toMatch(/^dev: the tests preload [^\n]*: move [^\n]* to [^\n]*\n$/);
    expect(stderr).toContain(`/${name} `);
    expect(code).toBe(1);
  },
);

test.skipIf(!isRoot)(
  "tests as root are refused in one line in a checkout that only root can read",
  async () => {
    using dir = tempDir();
    testsCheckout(dir.path, "packages");
    for (const part of ["scripts", "packages"]) chmodSync(dir.join(part), 0o700);
    const { code, stderr } = await here.run(["sh", "scripts/test.sh"], { cwd: dir.path });
    expect(stderr).toMatch(/^dev: the tests run programs [^\n]*: chmod -R go\+rX [^\n]*\n$/);
    expect(code).toBe(1);
  },
);

test("the tests fail where no network namespace can be made", async () => {
  using dir = tempDir();
  const bin = dir.join("bin");
  testsCheckout(dir.path, "bin", "packages", "tests");
  writeFileSync(dir.join("tests/one.test.ts"), "createNamespace");
  writeFileSync(dir.join("tests/two.test.ts"), "createNamespace isContained");
  for (const [name, script] of Object.entries({
    unshare: "exit 1",
    ctest: runners(0).ctest,
    bun: "echo ' 3 pass'",
  }))
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const env = { PATH: `${bin}:${process.env["PATH"]}` };
  const { code, stdout } = await here.run(["sh", "scripts/test.sh"], { cwd: dir.path, env });
  expect(stdout).toMatch(/^note: no network namespace can be made here/);
  expect(stdout).toMatch(/\nFAIL {2}no network namespace [^\n]*\n8 passed, 1 failed, 3 skipped\n$/);
  expect(code).toBe(1);
});

test("the tests use another temporary directory if TMPDIR has special characters, is long or closed to others", async () => {
  using _ = changedEnv({ TMPDIR: "/tmp" });
  using dir = tempDir();
  const bin = dir.join("bin");
  testsCheckout(dir.path, "bin");
  writeFileSync(join(bin, "bun"), '#!/bin/sh\necho "$TMPDIR"\n', { mode: 0o755 });
  const names = ["plain", "a b", "\u00e9", "a:b", "a-name-of-more-bytes", "closed/below"];
  mkdirSync(dir.join("closed"), 0o700);
  for (const name of names) mkdirSync(dir.join(name));
  const taken = new Set([dir.join("plain")]);
  if (!isRoot) taken.add(dir.join("closed/below"));
  for (const TMPDIR of [...names.map((name) => dir.join(name)), "plain"]) {
    const env = { PATH: `${bin}:${process.env["PATH"]}`, TMPDIR };
    const { stdout } = await here.run(["sh", "scripts/test.sh", "x"], { cwd: dir.path, env });
    const used = stdout.trimEnd().split("\n").at(-1); // after a note, if there are no user namespaces
    expect(used?.startsWith(`${TMPDIR}/`)).toBe(taken.has(TMPDIR));
    expect(used).toMatch(/^\/.*\/xsocket\.\w+$/);
  }
});

/* Runners that end with this code once they have written what they count, and something before. */
const runners = (code: number) => ({
  unshare: "exit 0",
  setpriv: "exit 0",
  ctest: `echo "ctest $*" >&2
for word; do [ "$before" != --output-junit ] || report=$word; before=$word; done
[ ${code} = 139 ] || printf '\\t%s="%s"\\n' tests 7 failures ${code} disabled 1 skipped 1 >"$report"
exit ${code}`,
  bun: `[ ${code} = 139 ] || printf ' %s\\n' "9 pass" "3 pass" "1 skip" "2 todo" "${code} fail"
exit ${code}`,
});

test.each([
  ["passes", 0, "8 passed, 0 failed, 5 skipped", /^ok {4}c-tests [^\n]*\nok {4}bun-tests /],
  ["fails", 2, "6 passed, 4 failed, 5 skipped", /^ctest [^\n]* --no-tests=error [^]*\nFAIL {2}c-/],
  ["crashes", 139, "0 passed, 2 failed, 0 skipped", /\nFAIL {2}c-tests [^]*\nFAIL {2}bun-tests /],
])("a run of tests that %s is counted, and ends as it should", async (_, code, counts, said) => {
  using dir = tempDir();
  const bin = dir.join("bin");
  testsCheckout(dir.path, "bin", "build/check");
  writeFileSync(dir.join("build/check/c-tests.xml"), '\ttests="99"\n'); // of the run before
  for (const [name, script] of Object.entries(runners(code)))
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const env = { PATH: `${bin}:${process.env["PATH"]}` };
  const run = (...args: string[]) =>
    here.run(["sh", "scripts/test.sh", ...args], { cwd: dir.path, env });
  const all = await run();
  expect(all.stdout).toMatch(said);
  expect(all.stdout).toEndWith(`\n${counts}\n`);
  expect(all.code).toBe(code === 0 ? 0 : 1);
  expect((await run("one.test.ts")).code).toBe(code === 0 ? 0 : 1);
});

test("./dev check fails at each step whose program fails, or has not built what the step is for", async () => {
  using dir = tempDir();
  testsCheckout(dir.path, "bin", "packages", "tests");
  copyFileSync(join(ROOT, "scripts/check.sh"), dir.join("scripts/check.sh"));
  writeFileSync(dir.join("tests/one.c"), "");
  const fail = ["bun", "clang-format-19", "ctest", "shellcheck"].map((name) => [name, 1]);
  const pass = ["cmake", "setpriv", "unshare"].map((name) => [name, 0]);
  for (const [name, code] of [...fail, ...pass])
    writeFileSync(dir.join(`bin/${name}`), `#!/bin/sh\nexit ${code}\n`, { mode: 0o755 });
  const env = { PATH: `${dir.join("bin")}:${process.env["PATH"]}`, XDG_CACHE_HOME: dir.path };
  const { code, stdout } = await here.run(["sh", "scripts/check.sh"], { cwd: dir.path, env });
  expect(stdout).not.toMatch(/^ok/m);
  const steps = Array.from(stdout.matchAll(/^FAIL {2}(\S+)/gm), ([, name]) => name);
  const quick = ["format", "c-format", "shell", "lint", "types", "types-protocol", "bun-arm64"];
  const presets = ["asan", "fuzz", "tsan", "musl", "i386", "aarch64"];
  const builds = presets.flatMap((name) => [`build-${name}`, name]);
  expect(steps).toEqual([...quick, ...builds, "c-tests", "bun-tests", "systemd"]);
  expect(stdout).toEndWith(`\n0 passed, ${steps.length} failed, 0 skipped\n`);
  expect(code).toBe(1);
  expect(readdirSync(dir.join("xsocket"))).toEqual([]); // the cache
});

test("a runner that counts no test, or has skipped all, fails", async () => {
  using dir = tempDir();
  testsCheckout(dir.path, "bin", "packages", "tests");
  for (const [name, script] of Object.entries({ bun: "echo ' 3 skip'", ctest: "exit 0" }))
    writeFileSync(dir.join(`bin/${name}`), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const env = { PATH: `${dir.join("bin")}:${process.env["PATH"]}` };
  const { code, stdout } = await here.run(["sh", "scripts/test.sh"], { cwd: dir.path, env });
  for (const name of ["c-tests", "bun-tests"])
    expect(stdout).toContain(`\nFAIL  no test of ${name} passed; `);
  expect(stdout).toMatch(/^0 passed, [23] failed, \d+ skipped$/m); // 3 where no namespace can be made
  expect(code).toBe(1);
});

test("a test.only that was left behind fails a run of all tests", async () => {
  using dir = tempDir();
  testsCheckout(dir.path, "bin", "packages", "tests");
  writeFileSync(dir.join("bin/ctest"), `#!/bin/sh\n${runners(0).ctest}\n`, { mode: 0o755 });
  const left = 'import { test } from "bun:test";\ntest.only("one", () => {});\n';
  writeFileSync(dir.join("tests/one.test.ts"), left);
  const PATH = `${dir.join("bin")}:${dirname(process.execPath)}:${process.env["PATH"]}`;
  const run = (...args: string[]) =>
    here.run(["sh", "scripts/test.sh", ...args], { cwd: dir.path, env: { PATH, CI: undefined } });
  const { code, stdout } = await run();
  expect(stdout).toContain("error: .only is disabled");
  expect(code).toBe(1);
  expect((await run("tests/one.test.ts")).code).toBe(0); // with files it is what somebody works on
});

test("the tests see no colours, settings, proxy or service manager of whoever runs them", async () => {
  using dir = tempDir();
  const bin = dir.join("bin");
  testsCheckout(dir.path, "bin");
  const look =
    "echo ${FORCE_COLOR-none} ${XBIND_LOG-none} ${NOTIFY_SOCKET-none} $NO_PROXY $no_proxy";
  writeFileSync(join(bin, "bun"), `#!/bin/sh\nset -f\n${look}\n`, { mode: 0o755 });
  const env = {
    PATH: `${bin}:${process.env["PATH"]}`,
    FORCE_COLOR: "1",
    XBIND_LOG: "1",
    NOTIFY_SOCKET: "/run/systemd/notify",
    NO_PROXY: undefined,
    no_proxy: "example.com",
  };
  const { stdout } = await here.run(["sh", "scripts/test.sh", "x"], { cwd: dir.path, env });
  expect(stdout).toEndWith("none none none * *\n");
});

test("a directory stands for its tests in C, too", async () => {
  using dir = tempDir();
  const bin = dir.join("bin");
  testsCheckout(dir.path, "bin", "c", "both", "other");
  for (const name of ["c/test_one.c", "both/test_two.c", "both/two.test.ts", "other/three.test.ts"])
    writeFileSync(dir.join(name), "");
  for (const name of ["bun", "ctest"])
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*"\n`, { mode: 0o755 });
  const env = { PATH: `${bin}:${process.env["PATH"]}` };
  const told = async (...args: string[]) => {
    const argv = ["sh", "scripts/test.sh", ...args];
    const { stdout } = await here.run(argv, { cwd: dir.path, env });
    const lines = stdout.split("\n").filter((line) => /^(bun|ctest)/.test(line));
    return lines.map((line) => line.replace(/ .* /, " "));
  };
  expect(await told("c")).toEqual(["ctest ^(.*)(\\.|$)"]);
  expect(await told("both")).toEqual(["ctest ^(.*)(\\.|$)", "bun both"]);
  expect(await told("other")).toEqual(["bun other"]);
});

/* A test that never ends, with a process and a directory of its own. */
const UNFINISHED = `import { test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
test("one", async () => {
  const { pid } = Bun.spawn(["sleep", "60"], { detached: true });
  console.log(pid, mkdtempSync(tmpdir() + "/xsocket-test-"));
  await new Promise(() => {});
});`;

// as by Ctrl-C, and by timeout(1)
test.each(["SIGINT", "SIGTERM"])(
  "%s to the tests ends their processes and removes their files",
  async (signal) => {
    using dir = tempDir();
    testsCheckout(dir.path, "tests");
    writeFileSync(dir.join("tests/one.test.ts"), UNFINISHED);
    const PATH = `${dirname(process.execPath)}:${process.env["PATH"]}`;
    // what a run by ./dev test passes on to its programs
    const env = { PATH, BUN_FEATURE_FLAG_NO_ORPHANS: undefined };
    const argv = ["sh", "scripts/test.sh", "tests/one.test.ts"];
    await using run = here.spawn(argv, { cwd: dir.path, env });
    const [, pid, made = ""] = await run.says(/^(\d+) (\S+)$/m);
    expect([existsSync(`/proc/${pid}`), existsSync(made)]).toEqual([true, true]);
    process.kill(-run.pid, signal);
    expect(await run.finished()).toBe(130);
    await eventually("its program to end", () => !existsSync(`/proc/${pid}`));
    expect(existsSync(made)).toBe(false);
  },
);
