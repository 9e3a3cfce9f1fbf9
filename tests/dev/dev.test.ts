/* What ./dev refuses, waits for and leaves behind. */
import { expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import {
  HELD_TO_MODES,
  here,
  isContained,
  isRoot,
  ROOT,
  tempDir,
  type TempDir,
} from "../harness/index.ts";
import { succeed } from "../harness/install.ts";
import { builder, BUILDING, checkout } from "./checkout.ts";

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
[ "\${INNER-}" ] || INNER=1 timeout 40 "$DEV" ${line}`;
    const { stdout, stderr } = await bySudo(dir, line, script);
    expect({ stdout, stderr }).toEqual({ stdout: "kept out\nkept out\n", stderr: "" });
  },
);
