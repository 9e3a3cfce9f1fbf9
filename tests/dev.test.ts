/* What ./dev refuses, waits for and leaves behind. */
import { expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import {
  changedEnv,
  eventually,
  HELD_TO_MODES,
  here,
  isContained,
  isRoot,
  ROOT,
  tempDir,
  type TempDir,
} from "./harness/index.ts";
import { succeed } from "./harness/install.ts";

/* A checkout with nothing but ./dev. */
function checkout(dir: TempDir): string {
  const root = dir.join("checkout");
  mkdirSync(root);
  for (const file of ["dev", "package.json"]) copyFileSync(join(ROOT, file), join(root, file));
  chmodSync(join(root, "dev"), 0o755);
  return root;
}

/* Adds what runs the tests, and these directories. */
function testsCheckout(root: string, ...beside: string[]): void {
  for (const name of ["scripts", ...beside]) mkdirSync(join(root, name), { recursive: true });
  for (const file of ["scripts/test.sh", "scripts/steps.sh"])
    copyFileSync(join(ROOT, file), join(root, file));
}

test.each([
  ["checkout", ".", 0o555],
  ["build directory", "build", 0o555],
  ["lock", "build/.lock", 0o444],
])("a %s that this user may not write to is refused in one line", async (_, part, mode) => {
  using dir = tempDir();
  const root = checkout(dir);
  mkdirSync(join(root, "build"));
  if (part === "build/.lock") writeFileSync(join(root, part), "");
  chmodSync(join(root, part), mode);
  const { code, stderr } = await here.run([...HELD_TO_MODES, join(root, "dev"), "build"]);
  chmodSync(join(root, part), 0o755);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `dev: this user may not write to ${root}: work in a checkout of your own\n`,
  });
});

/* A Bun that only makes these directories, whatever it is to install or build. */
const BUILDER = `#!/bin/sh
[ "$1" != --version ] || exec echo ${Bun.version}
mkdir -p node_modules/made build/release/packages/lib/xsocket
`;

/* An environment with such a Bun, which runs these commands first. */
function builder(dir: TempDir, first = ""): Record<string, string> {
  mkdirSync(dir.join("bin"));
  const bun = BUILDER.replace("\nmkdir", `\n${first}\nmkdir`);
  writeFileSync(dir.join("bin/bun"), bun, { mode: 0o755 });
  return { PATH: `${dir.join("bin")}:${process.env["PATH"]}`, XDG_CACHE_HOME: dir.path };
}

const BUILDING = "dev: building the native libraries\n";

test("the first build is announced, and later ones are not", async () => {
  using dir = tempDir();
  const argv = [join(checkout(dir), "dev"), "build"];
  const env = builder(dir);
  expect(await here.run(argv, { env })).toEqual({ code: 0, stdout: "", stderr: BUILDING });
  expect(await here.run(argv, { env })).toEqual({ code: 0, stdout: "", stderr: "" });
});

test.each([
  [
    "what Bun says of a package.json that does not fit bun.lock is shown, with the way out",
    "install --frozen-lockfile",
    (bun: string, root: string) =>
      `frozen\ndev: bun install failed: see above. If you have changed package.json, run ${bun} install in ${root}\n`,
  ],
  [
    "the output of a native build that fails is shown",
    "node_modules/cmake-js/bin/cmake-js build",
    () => `${BUILDING}frozen\ndev: the native libraries could not be built: see above\n`,
  ],
])("%s", async (_, words, said) => {
  using dir = tempDir();
  const env = builder(dir, `[ "$1 $2" != "${words}" ] || { echo frozen; exit 1; }`);
  const root = checkout(dir);
  expect(await here.run([join(root, "dev"), "build"], { env })).toEqual({
    code: 1,
    stdout: "",
    stderr: said(dir.join("bin/bun"), root),
  });
});

test("one of two builds at once waits for the other", async () => {
  using dir = tempDir();
  const root = checkout(dir);
  const env = builder(dir, "mkdir alone && sleep 0.1 && rmdir alone || exit");
  const runs = [1, 2].map(() => here.run([join(root, "dev"), "build"], { env }));
  for (const { code, stderr } of await Promise.all(runs))
    expect({ code, stderr: stderr.replace(BUILDING, "") }).toEqual({ code: 0, stderr: "" });
});

test("what CMake has made for a checkout that has moved since is made again", async () => {
  using dir = tempDir();
  const root = checkout(dir);
  const made = (name: string, place: string) =>
    Bun.write(join(root, name), `CMAKE_HOME_DIRECTORY:INTERNAL=${place}\n`);
  await made("build/asan/CMakeCache.txt", root);
  await made("build/tsan/CMakeCache.txt", dir.join("former"));
  await made("build/systemd/cmake/CMakeCache.txt", dir.path);
  const { code } = await here.run([join(root, "dev"), "build"], { env: builder(dir) });
  expect(code).toBe(0);
  expect(readdirSync(join(root, "build")).toSorted()).toEqual([
    ".lock",
    "asan",
    "native.log",
    "packages.log",
    "release",
    "systemd",
  ]);
  expect(readdirSync(join(root, "build/systemd"))).toEqual([]);
});

/* An npm that installs the package of its last argument below its third, as empty programs. */
const NPM = `#!/bin/sh
for word; do :; done
[ "$REGISTRY" ] || { echo "npm: no network" >&2; exit 1; }
bin=$3/node_modules/\${word%@*}/bin
mkdir -p "$bin"
cp "\${0%/*}/bun" "$bin"
`;

/* Runs ./dev where no pinned Bun is there yet. */
async function fetching(dir: TempDir, env: Record<string, string>) {
  const root = checkout(dir);
  writeFileSync(join(root, "package.json"), '"packageManager": "bun@0.0.1"');
  const more = { ...builder(dir), XDG_CACHE_HOME: dir.join("cache"), ...env };
  writeFileSync(dir.join("bin/npm"), NPM, { mode: 0o755 });
  return here.run(["sh", "-c", 'umask 077; exec "$0" build', join(root, "dev")], { env: more });
}

test("Bun is fetched in the pinned version, for every user", async () => {
  using dir = tempDir();
  const { code, stderr } = await fetching(dir, { REGISTRY: "there" });
  expect({ code, stderr }).toEqual({ code: 0, stderr: `dev: fetching Bun 0.0.1\n${BUILDING}` });
  const [bun = ""] = [...new Bun.Glob("cache/xsocket/bun-0.0.1/**/bun").scanSync(dir.path)];
  for (let part = bun; part !== "."; part = dirname(part))
    expect(statSync(dir.join(part)).mode & 0o005, part).toBe(0o005);
});

test("a Bun that cannot be fetched is reported, and leaves nothing", async () => {
  using dir = tempDir();
  const { code, stderr } = await fetching(dir, { REGISTRY: "" });
  expect(stderr).toMatch(
    /^dev: fetching Bun 0\.0\.1\nnpm: no network\ndev: npm could not fetch Bun 0\.0\.1 \(@oven\/bun-linux-[^\n]*\n$/,
  );
  expect(code).toBe(1);
  expect(readdirSync(dir.join("cache/xsocket"))).toEqual([]);
});

test("a cache that cannot be written is reported with the way out", async () => {
  using dir = tempDir();
  const { code, stderr } = await fetching(dir, { XDG_CACHE_HOME: "/dev/null" });
  expect(stderr).toEndWith(
    "dev: cannot write to /dev/null/xsocket: name another directory in XDG_CACHE_HOME\n",
  );
  expect(code).toBe(1);
});

test.if(isRoot)("an environment without HOME and PATH, and a relative cache, will do", async () => {
  using dir = tempDir();
  const root = checkout(dir);
  writeFileSync(join(root, "package.json"), '"packageManager": "bun@0.0.1"');
  mkdirSync(join(root, "scripts"));
  writeFileSync(join(root, "scripts/uninstall.sh"), 'echo "$XSOCKET_BUN $PATH"');
  const env = ["env", "-i", "XDG_CACHE_HOME=relative"];
  const { stdout } = await here.run([...env, join(root, "dev"), "uninstall"]);
  const [bun, path = ""] = stdout.trimEnd().split(" ");
  expect(bun).toStartWith(`${userInfo().homedir}/.cache/xsocket/bun-0.0.1/`);
  expect(path.split(":")).toContain("/usr/sbin");
});

test.each(["serve", "xsocket", "bun"])("./dev %s has a help of its own", async (command) => {
  const { code, stdout, stderr } = await here.run([join(ROOT, "dev"), command, "--help"]);
  expect(stdout, stderr).not.toContain("./dev COMMAND");
  expect(code).toBe(0);
});

test.each([
  ["077", 0o755],
  ["002", 0o775],
])(
  "with a umask of %s the build is readable by others, and writable by the group if the umask allows it",
  async (umask, mode) => {
    using dir = tempDir();
    const root = checkout(dir);
    const script = `umask ${umask}; exec "$0" build`;
    const argv = ["sh", "-c", script, join(root, "dev")];
    const { code } = await here.run(argv, { env: builder(dir) });
    expect(code).toBe(0);
    for (const made of ["build", "build/release"])
      expect(statSync(join(root, made)).mode & 0o777).toBe(mode);
  },
);

test("a checkout at a path that CMake cannot use is refused in one line", async () => {
  using dir = tempDir();
  for (const name of ['a"b', "a\\b", "a;b", "a#b", "a|b", "a<b", "a>b"]) {
    const root = dir.join(name);
    renameSync(checkout(dir), root);
    const { code, stdout, stderr } = await here.run([join(root, "dev"), "build"]);
    expect(stderr).toMatch(/^dev: CMake builds nothing at a path [^\n]*\n$/);
    expect(stderr).toContain(root);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  }
});

test.skipIf(Bun.which("musl-gcc") === null)(
  "a musl build is configured in a directory with a space in its name",
  async () => {
    using dir = tempDir();
    await succeed(["cmake", "-S", ROOT, "--preset", "musl", "-B", dir.join("a b")]);
  },
);

test("./dev bun downloads no packages for a program outside the checkout", async () => {
  using dir = tempDir();
  await Bun.write(dir.join("elsewhere.ts"), 'console.log(await import("@xsocket/client"));');
  const { code, stderr } = await here.run([join(ROOT, "dev"), "bun", dir.join("elsewhere.ts")], {
    env: { BUN_CONFIG_REGISTRY: "http://127.0.0.1:1/" }, // where nothing listens
  });
  expect(stderr).toContain("Cannot find module '@xsocket/client'");
  expect(stderr).not.toContain("downloading");
  expect(code).toBe(1);
});

test("--help after a command prints the help, and nothing is built", async () => {
  using dir = tempDir();
  const root = checkout(dir);
  for (const argv of [
    ["package", "--help"],
    ["demo", "-h"],
    ["suites", "--help"],
    ["bench", "server", "--help"],
    ["install", "--prefix", "/nowhere", "-h"],
  ]) {
    const { code, stdout, stderr } = await here.run([join(root, "dev"), ...argv]);
    expect(stdout).toMatch(/^usage: \.\/dev COMMAND/);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  }
  expect(readdirSync(root).toSorted()).toEqual(["dev", "package.json"]);
});

test("a wrong argument is refused in one line, and nothing is installed or built", async () => {
  using dir = tempDir();
  const root = checkout(dir);
  mkdirSync(join(root, "scripts/suites"), { recursive: true });
  for (const name of ["libuv", "trio"])
    writeFileSync(join(root, `scripts/suites/${name}.suite`), "");
  copyFileSync(join(ROOT, "scripts/prefix.sh"), join(root, "scripts/prefix.sh"));
  for (const [line, sentence] of [
    ["nosuch", "there is no command nosuch: see ./dev help"],
    ["build trio", "trio is one argument too many: see ./dev help"],
    ["npm-test --quick", "--quick is one argument too many: see ./dev help"],
    ["setup nosuch", "there is no group nosuch of tools: see ./dev help"],
    ["suites trio nosuch", "there is no suite nosuch: there are libuv trio"],
    [
      "test scripts/suites/libuv.suite tests/nosuch.test.ts",
      "there is no file tests/nosuch.test.ts",
    ],
    ["test nosuch.test.ts", "there is no file nosuch.test.ts"],
    ["test -t libuv.c test_nosuch.c", "there is no file test_nosuch.c"],
    ["systemd-test units", "units is one argument too many: see ./dev help"],
    ["systemd-test -t units x", "x is one argument too many: see ./dev help"],
    ["bench", "say which bench: ./dev bench server|sdk|xbind"],
    ["bench server sdk", "say which bench: ./dev bench server|sdk|xbind"],
    ["install --prefx /nowhere", "--prefx is not an option here: use --prefix DIRECTORY"],
    ["install --prefix here", 'the prefix must be an absolute path below /, and "here" is not'],
    ["install --prefix /", 'the prefix must be an absolute path below /, and "/" is not'],
  ] as const)
    expect(await here.run([join(root, "dev"), ...line.split(" ")])).toEqual({
      code: 2,
      stdout: "",
      stderr: `dev: ${sentence}\n`,
    });
  expect(readdirSync(root).toSorted()).toEqual(["build", "dev", "package.json", "scripts"]);
  expect(readdirSync(join(root, "build"))).toEqual([]);
});

test("install with DESTDIR is refused in one line, and installs nothing", async () => {
  using dir = tempDir();
  const { code, stderr } = await here.run(
    ["sh", "scripts/install.sh", "--prefix", dir.join("usr")],
    { cwd: ROOT, env: { DESTDIR: dir.join("root") } },
  );
  expect(stderr).toMatch(/^dev: DESTDIR is for [^\n]*--prefix DIRECTORY\n$/);
  expect(code).toBe(2);
  expect(readdirSync(dir.path)).toEqual([]);
});

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
    ctest: "exit 0",
    bun: "echo ' 3 pass'",
  }))
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const env = { PATH: `${bin}:${process.env["PATH"]}` };
  const { code, stdout } = await here.run(["sh", "scripts/test.sh"], { cwd: dir.path, env });
  expect(stdout).toMatch(/^note: no network namespace can be made here/);
  expect(stdout).toMatch(/\nFAIL {2}no network namespace [^\n]*\n3 passed, 1 failed, 1 skipped\n$/);
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

/* The programs of a machine without ninja, but for those below the first argument, which come last. */
const WITHOUT_NINJA = `
cd "$1"
ln -s /usr/bin/* bin
rm -f bin/ninja bin/sudo bin/sleep
ln -s /bin/true bin/sleep
cp --remove-destination programs/* bin
mount --bind bin /usr/sbin
mount -t tmpfs etc /etc
mkdir -p /etc/systemd/system/multi-user.target.wants /etc/rc2.d
ln -s unit /etc/systemd/system/multi-user.target.wants/old.service
PATH=$1/bin "$2" build
code=$?
find /etc -type l | sort
exit $code`;

/* Runs ./dev on such a machine, where nothing else is in /etc, and a Bun that builds nothing is there. */
function withoutNinja(dir: TempDir, programs: Readonly<Record<string, string>>) {
  const root = checkout(dir);
  for (const name of ["bin", "programs"]) mkdirSync(dir.join(name));
  for (const [name, text] of Object.entries({ bun: BUILDER, ...programs }))
    writeFileSync(dir.join(`programs/${name}`), text, { mode: 0o755 });
  const unshare = ["unshare", "--mount", "--propagation=private"];
  return here.run([...unshare, "sh", "-c", WITHOUT_NINJA, "sh", dir.path, join(root, "dev")], {
    withinMs: 60_000,
    env: { XDG_CACHE_HOME: dir.path },
  });
}

/* An apt-get whose first install finds no lists, and whose first update finds them locked by another. */
const LOCKED = `#!/bin/sh
for word; do case $word in update | install) break ;; esac; done
echo "$word" >>"\${0%/*}/calls"
case $(tr '\\n' ' ' <"\${0%/*}/calls") in
"install ") exit 100 ;;
"install update ")
	echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)" >&2
	exit 100
	;;
"install update update install ") ln -s /bin/true "\${0%/*}/ninja" ;;
esac
`;

const INSTALLING = "dev: installing ninja-build\n";

test.if(isRoot && !isContained)("./dev waits for another apt that fetches the lists", async () => {
  using dir = tempDir();
  const { code, stderr } = await withoutNinja(dir, { "apt-get": LOCKED });
  expect({ code, stderr }).toEqual({ code: 0, stderr: INSTALLING + BUILDING });
  expect(readFileSync(dir.join("bin/calls"), "utf8").split("\n")).toEqual([
    "install",
    "update",
    "update",
    "install",
    "",
  ]);
});

test.if(isRoot && !isContained)("what apt says is shown if it cannot install", async () => {
  using dir = tempDir();
  const apt =
    '#!/bin/sh\nfor word; do case $word in update | install) echo "no $word" >&2; esac; done\nexit 100\n';
  const { code, stderr } = await withoutNinja(dir, { "apt-get": apt });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `${INSTALLING}no install\nno update\ndev: apt-get could not install: ninja-build\n`,
  });
});

/* Another user, as far as ./dev can see. */
const ID = "#!/bin/sh\necho 54321\n";

test.if(isRoot && !isContained)(
  "without root and sudo the missing packages are named",
  async () => {
    using dir = tempDir();
    const { code, stderr } = await withoutNinja(dir, { id: ID });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        "dev: these packages are missing, and installing them needs root or sudo: run apt-get install ninja-build\n",
    });
  },
);

/* An apt-get whose package has a service, which starts at once if it may, and with the machine. */
const WITH_SERVICE = `#!/bin/sh
echo "$*" >"\${0%/*}/call"
policy-rc.d
echo $? >"\${0%/*}/policy"
ln -s unit /etc/systemd/system/multi-user.target.wants/new.service
ln -s ../init.d/new /etc/rc2.d/S01new
ln -s /bin/true "\${0%/*}/ninja"
`;
const SUDO_CALLED = `#!/bin/sh
[ "$1" != -n ] || shift
echo "$1" >>"\${0%/*}/called"
exec "$@"
`;

test.if(isRoot && !isContained)(
  "packages are installed by sudo, and their services are not started, now or with the machine",
  async () => {
    using dir = tempDir();
    const sudo = SUDO_CALLED;
    const result = await withoutNinja(dir, { id: ID, sudo, "apt-get": WITH_SERVICE });
    expect(result).toEqual({
      code: 0,
      stdout: "/etc/rc2.d/K01new\n/etc/systemd/system/multi-user.target.wants/old.service\n",
      stderr: INSTALLING + BUILDING,
    });
    const text = (name: string) => readFileSync(dir.join(`bin/${name}`), "utf8");
    expect(text("policy")).toBe("101\n");
    expect(existsSync(dir.join("bin/policy-rc.d"))).toBe(false);
    expect(text("call")).toContain(" --no-remove --no-install-recommends ninja-build");
    expect(text("called")).toMatch(/^env$/m);
  },
);

const OWNER = 54_321;
const SUDO = `#!/bin/sh
[ "$*" = "-u #${OWNER} -H $DEV build" ]
`;

/* Runs a command by sudo in another user's checkout, where all is built and the command is this script. */
async function bySudo(dir: TempDir, line: string, script: string) {
  const [command = "", ...words] = line.split(" ");
  const root = checkout(dir);
  const lib = join(root, "build/release/packages/lib/xsocket");
  mkdirSync(lib, { recursive: true });
  symlinkSync(process.execPath, join(lib, "bun"));
  mkdirSync(join(root, "scripts"));
  writeFileSync(join(root, `scripts/${command}.sh`), script);
  copyFileSync(join(ROOT, "scripts/prefix.sh"), join(root, "scripts/prefix.sh")); // for install
  writeFileSync(dir.join("sudo"), SUDO, { mode: 0o755 });
  await succeed(["chown", "-R", "--no-dereference", `${OWNER}:${OWNER}`, root]);
  const env = {
    DEV: join(root, "dev"),
    PATH: `${dir.path}:${process.env["PATH"]}`,
    SUDO_UID: String(OWNER),
  };
  return { root, ...(await here.run([join(root, "dev"), command, ...words], { env })) };
}

test.if(isRoot && !isContained)(
  "files that a script makes under sudo belong to the owner of the checkout",
  async () => {
    using dir = tempDir();
    const script = "mkdir -p $1/below; : >$1/below/file; exit 3";
    const { root, code, stderr } = await bySudo(dir, "command", script);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    for (const made of ["command", "command/below", "command/below/file"])
      expect(statSync(join(root, "build", made)).uid).toBe(OWNER);
    expect(statSync(process.execPath).uid).toBe(0); // the target of a link there
  },
);

test.if(isRoot && !isContained)(
  "files that root makes without sudo belong to the owner of the checkout, too",
  async () => {
    using dir = tempDir();
    const root = checkout(dir);
    mkdirSync(join(root, "scripts"));
    writeFileSync(join(root, "scripts/command.sh"), "mkdir $1; exit 3");
    await succeed(["chown", "-R", `${OWNER}:${OWNER}`, root]);
    const cache = { HOME: dir.path, XDG_CACHE_HOME: undefined };
    const env = { ...builder(dir), ...cache, SUDO_UID: undefined };
    const { code } = await here.run([join(root, "dev"), "command"], { env });
    expect(code).toBe(3);
    const others = await succeed(["find", root, "!", "-uid", String(OWNER)]);
    expect(others.stdout).toBe("");
    expect(statSync(dir.join("bin/bun")).uid).toBe(0); // the target of a link there
  },
);

test.if(isRoot && !isContained).each(["install", "command", "bench server"])(
  "%s holds the lock of the build directory, and a nested run does not wait for it",
  async (line) => {
    using dir = tempDir();
    const owner = `setpriv --reuid=${OWNER} --regid=${OWNER} --clear-groups`; // a user who may run ./dev meanwhile
    // a nested run, such as the Arch packaging in package-test, must not wait
    const script = `${owner} flock --nonblock build true || echo "kept out"
[ "\${INNER-}" ] || INNER=1 timeout 10 "$DEV" ${line}`;
    const { stdout, stderr } = await bySudo(dir, line, script);
    expect({ stdout, stderr }).toEqual({ stdout: "kept out\nkept out\n", stderr: "" });
  },
);
