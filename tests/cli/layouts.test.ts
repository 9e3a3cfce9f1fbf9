/* npm's command finds its native part and Bun wherever installers lay a package's dependencies. */
import { expect, test } from "bun:test";
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { libraryPath } from "@xsocket/xbind-native";
import {
  asOrdinaryUser,
  here,
  isRoot,
  ROOT,
  START,
  tempDir,
  textOf,
  XSOCKET,
} from "../harness/index.ts";

const LAUNCHER = join(dirname(libraryPath("xbind")), "xsocket-launch");
const MODULES = "node_modules";
const NATIVE = `${MODULES}/@xsocket/native-linux-${process.arch}`;
/* The directory of the command's package, the one whose node_modules has its native part, and the one
   whose node_modules has the links to the commands. */
const LAYOUTS = {
  "beside the command": [`${MODULES}/xsocket`, ".", "."],
  "below it, as npm does where another version is beside it": [
    `${MODULES}/xsocket`,
    `${MODULES}/xsocket`,
    ".",
  ],
  "in a store, as Bun's and pnpm's isolated installs do": [
    `${MODULES}/.bun/xsocket@1/${MODULES}/xsocket`,
    `${MODULES}/.bun/xsocket@1`,
    ".",
  ],
  "in a store, called from a workspace": [
    `${MODULES}/.bun/xsocket@1/${MODULES}/xsocket`,
    `${MODULES}/.bun/xsocket@1`,
    "packages/a",
  ],
  "in a store, as Yarn does": [
    `${MODULES}/.store/xsocket-1/package`,
    `${MODULES}/.store/xsocket-1`,
    ".",
  ],
  "above a workspace": [`packages/a/${MODULES}/xsocket`, ".", "packages/a"],
} as const;

function writeProgram(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

test.each(Object.entries(LAYOUTS))("%s", async (_name, [command, owner, caller]) => {
  using dir = tempDir();
  const project = dir.join("a project");
  const another = join(project, NATIVE, "xsocket-launch");
  writeProgram(another, "#!/bin/sh\necho another version\n");
  const native = join(project, owner, NATIVE, "xsocket-launch");
  mkdirSync(dirname(native), { recursive: true });
  cpSync(LAUNCHER, native);
  const start = join(project, command, "bin/start.bin");
  mkdirSync(dirname(start), { recursive: true });
  cpSync(START, start);
  writeProgram(join(project, command, "lib/main.js"), 'console.log("ours", process.execPath)');
  const bins = join(project, caller, MODULES, ".bin");
  mkdirSync(bins, { recursive: true });
  symlinkSync(process.execPath, join(bins, "bun"));
  symlinkSync(start, join(bins, "xsocket"));
  symlinkSync(start, dir.join("xsocket")); // without a Bun beside it
  const env = { PATH: "/usr/bin:/bin", XSOCKET_LIBDIR: undefined, XSOCKET_BUN: undefined };
  const isBelow = start.startsWith(join(project, caller, MODULES, "/"));
  for (const [cwd, name] of [
    ["/", join(bins, "xsocket")],
    [project, join(".", caller, MODULES, ".bin/xsocket")],
    ...(isBelow ? [["/", dir.join("xsocket")] as const] : []),
  ] as const) {
    const said = await here.run([name, "--version"], { env, cwd });
    expect(said).toEqual({ code: 0, stdout: `ours ${process.execPath}\n`, stderr: "" });
  }
});

/* The package bun has a script without "#!" there until its install script has run, which pnpm and others leave out. */
test.each(["--version", "run --all -- true"])(
  "says what to do if the package bun is not completely installed: %s",
  async (line) => {
    using dir = tempDir();
    const bun = dir.join("bun");
    writeProgram(bun, 'echo "Bun\'s postinstall script was not run." >&2\nexit 1\n');
    const said = await here.run([XSOCKET, ...line.split(" ")], { env: { XSOCKET_BUN: bun } });
    expect(said).toEqual({
      code: 1,
      stdout: "",
      stderr: `xsocket: cannot start ${bun}: Exec format error: install Bun for this machine, or if this is the package bun, run node install.js in its directory\n`,
    });
  },
);

test("the launcher names nothing that the shell has left unchanged", async () => {
  const changes = 'unset A; B=3; export C=4; "$0" --difference; :';
  const kept = ["D=1", "E=1", "F=1"];
  const shell = ["env", "-i", "A=1", "B=2", ...kept, "sh", "-c", changes, LAUNCHER];
  const words = (await here.run(shell)).stdout.trim().split(" ");
  expect(words.filter((word) => word.startsWith("+")).toSorted()).toEqual(["+A=1", "+B=2"]);
  expect(words).toContain("-C");
});

test.skipIf(!isRoot)(
  "the launcher keeps its environment if it may not read its parent's",
  async () => {
    using dir = tempDir();
    cpSync(LAUNCHER, dir.join("launch"));
    const ask = asOrdinaryUser([dir.join("launch"), "--difference"]);
    const said = await here.run(["sh", "-c", '"$@"; echo $?', "sh", ...ask]);
    expect(said).toEqual({ code: 0, stdout: "0\n", stderr: "" });
  },
);

test("bun x starts the command of a checkout", async () => {
  const argv = [process.execPath, "x", "--no-install", "xsocket", "--version"];
  const { stdout, stderr } = await here.run(argv, { cwd: ROOT });
  const { version } = JSON.parse(textOf("package.json"));
  expect(stdout, stderr).toBe(`${version}\n`);
});
