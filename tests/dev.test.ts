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
import { dirname, join } from "node:path";
import {
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

test("a checkout that this user may not write to is refused in one line", async () => {
  using dir = tempDir();
  const root = checkout(dir);
  chmodSync(root, 0o555);
  const { code, stderr } = await here.run([...HELD_TO_MODES, join(root, "dev"), "build"]);
  chmodSync(root, 0o755);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `dev: this user may not write to ${root}: work in a checkout of your own\n`,
  });
});

/* An environment with a Bun that only makes these directories, whatever it is to install or build. */
function builder(dir: TempDir): Record<string, string> {
  mkdirSync(dir.join("bin"));
  const bun = `#!/bin/sh
[ "$1" != --version ] || exec echo ${Bun.version}
mkdir -p node_modules/made build/release/packages/lib/xsocket
`;
  writeFileSync(dir.join("bin/bun"), bun, { mode: 0o755 });
  return { PATH: `${dir.join("bin")}:${process.env["PATH"]}`, XDG_CACHE_HOME: dir.path };
}

test("the first build is announced, and later ones are not", async () => {
  using dir = tempDir();
  const argv = [join(checkout(dir), "dev"), "build"];
  const env = builder(dir);
  const said = "dev: building the native libraries\n";
  expect(await here.run(argv, { env })).toEqual({ code: 0, stdout: "", stderr: said });
  expect(await here.run(argv, { env })).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("what Bun says of a package.json that does not fit bun.lock is shown, with the way out", async () => {
  using dir = tempDir();
  const env = builder(dir);
  const bun = dir.join("bin/bun");
  const refusal = '[ "$1 $2" != "install --frozen-lockfile" ] || { echo frozen; exit 1; }';
  writeFileSync(bun, readFileSync(bun, "utf8").replace("\nmkdir", `\n${refusal}\nmkdir`));
  const root = checkout(dir);
  expect(await here.run([join(root, "dev"), "build"], { env })).toEqual({
    code: 1,
    stdout: "",
    stderr: `frozen\ndev: bun install failed: see above. If you have changed package.json, run ${bun} install in ${root}\n`,
  });
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

test("tests are refused in one line in a checkout with a space in its path", async () => {
  using dir = tempDir();
  const root = dir.join("a b");
  testsCheckout(root);
  const { code, stderr } = await here.run(["sh", "scripts/test.sh"], { cwd: root });
  expect(stderr).toMatch(/^dev: the tests preload [^\n]*: move [^\n]*\/a b to [^\n]*\n$/);
  expect(code).toBe(1);
});

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

test("the tests use another temporary directory if TMPDIR has special characters", async () => {
  using dir = tempDir();
  const bin = dir.join("bin");
  testsCheckout(dir.path, "bin");
  writeFileSync(join(bin, "bun"), '#!/bin/sh\necho "$TMPDIR"\n', { mode: 0o755 });
  for (const name of ["plain", "a b", "\u00e9", "a:b"]) {
    mkdirSync(dir.join(name));
    const env = { PATH: `${bin}:${process.env["PATH"]}`, TMPDIR: dir.join(name) };
    const { stdout } = await here.run(["sh", "scripts/test.sh", "x"], { cwd: dir.path, env });
    const used = stdout.trimEnd().split("\n").at(-1); // after a note, if there are no user namespaces
    expect(used?.startsWith(`${dir.join(name)}/`)).toBe(name === "plain");
    expect(used).toMatch(/^\/.*\/xsocket\.\w+$/);
  }
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
    const env = { PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
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

/* An apt-get whose first install finds no lists, and whose first update finds them locked by another. */
const APT_GET = `#!/bin/sh
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

/* The programs of a machine without ninja, which also take the place of /usr/sbin. */
const WITHOUT_NINJA = `
ln -s /usr/bin/* "$1"
rm -f "$1/ninja" "$1/apt-get" "$1/sleep"
mv "$1.apt-get" "$1/apt-get"
ln -s /bin/true "$1/sleep"
mount --bind "$1" /usr/sbin
PATH=$1 exec "$2" build`;

test.if(isRoot && !isContained)("./dev waits for another apt that fetches the lists", async () => {
  using dir = tempDir();
  const root = checkout(dir);
  const bin = dir.join("bin");
  mkdirSync(bin);
  writeFileSync(`${bin}.apt-get`, APT_GET, { mode: 0o755 });
  const unshare = ["unshare", "--mount", "--propagation=private"];
  const { stderr } = await here.run(
    [...unshare, "sh", "-c", WITHOUT_NINJA, "sh", bin, join(root, "dev")],
    { withinMs: 60_000 },
  );
  expect(stderr).toStartWith("dev: installing ninja-build\n");
  expect(stderr).not.toContain("could not install");
  expect(readFileSync(join(bin, "calls"), "utf8").split("\n")).toEqual([
    "install",
    "update",
    "update",
    "install",
    "",
  ]);
});

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
