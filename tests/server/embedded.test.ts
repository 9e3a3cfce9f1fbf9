/* The server as a library within a program. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import {
  copyFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { xsocket } from "@xsocket/client";
import { SOCK_CLOEXEC } from "@xsocket/protocol";
import { policyFile, serve } from "@xsocket/server";
import { libraryPath } from "@xsocket/xbind-native";
import {
  changedDirectory,
  descriptors,
  HELD_TO_MODES,
  here,
  ROOT,
  tempDir,
} from "../harness/index.ts";
import { RawClient } from "./raw.ts";

test("serves in a program with many descriptors and does not change its umask", async () => {
  using dir = tempDir();
  const taken = Array.from({ length: 1500 }, () => openSync("/dev/null", "r"));
  using stack = new DisposableStack();
  stack.defer(() => taken.forEach((fd) => closeSync(fd)));
  const umask = process.umask();
  await using server = await serve({ address: dir.join("control"), maxConnections: 8 });
  expect(process.umask()).toBe(umask);
  using socket = await xsocket({ via: server.address });
  expect(socket.closed).toBe(false);
});

/* Whether the descriptor stays open across exec. */
function isInherited(fd: number): boolean {
  const info = `/proc/self/fdinfo/${fd}`;
  if (!existsSync(info)) return false; // closed meanwhile
  const [, flags = ""] = /^flags:\s*(\d+)$/m.exec(readFileSync(info, "utf8")) ?? [];
  return (Number.parseInt(flags, 8) & SOCK_CLOEXEC) === 0;
}

test("all descriptors of the server are close-on-exec", async () => {
  using dir = tempDir();
  const before = descriptors();
  await using server = await serve({ address: dir.join("control") });
  using client = new RawClient(server.address);
  expect(client.ask()).toBe(0);
  const opened = [...descriptors()].filter(([fd, target]) => before.get(fd) !== target);
  expect(opened.filter(([fd]) => isInherited(fd))).toEqual([]);
  expect(opened.length).toBeGreaterThan(5);
});

test("relative paths stay valid when the program changes its directory", async () => {
  using dir = tempDir();
  {
    using _ = changedDirectory(dir.path);
    writeFileSync("policy.toml", '[[rule]]\naction = "allow"\n');
    const files = { policy: policyFile("policy.toml"), auditFile: "audit" };
    await using server = await serve({ address: "control", ...files });
    process.chdir("/");
    expect(server.isReachable()).toBe(true);
    renameSync(dir.join("audit"), dir.join("audit.1"));
    await server.reload();
    expect(existsSync(dir.join("audit"))).toBe(true);
  }
  expect(existsSync(dir.join("control"))).toBe(false);
});

test("serves a relative path below a directory without search permission", async () => {
  using dir = tempDir();
  const program = `
    import { serve } from ${JSON.stringify(import.meta.resolve("@xsocket/server"))};
    const server = await serve({ address: "control", auditFile: "audit" });
    await server.reload();
    console.log(server.isReachable());
    await server.stop();`;
  writeFileSync(dir.join("program.ts"), program);
  const script = 'mkdir -p shut/mine && cd shut/mine && chmod 0 .. && "$@"; chmod 700 ..; ls';
  const start = [...HELD_TO_MODES, "sh", "-c", script, "sh"];
  const argv = [...start, process.execPath, dir.join("program.ts")];
  const { stdout, stderr } = await here.run(argv, { cwd: dir.path });
  expect(stdout, stderr).toBe("true\naudit\n");
});

/* The other parts of a bundle are built as in docs/sdk.md, with these paths instead of a project's. */
const WORKER = join(ROOT, "packages/server/src/_worker.ts");
const BUNDLED = `
  import { xsocket } from "@xsocket/client";
  import { serve } from "@xsocket/server";
  import { libraryPath } from "${join(ROOT, "packages/xbind-native/src/libraries.ts")}";
  async function main() { // CommonJS has no top-level await
    if (process.argv[3] === "xbind") return console.log(libraryPath("xbind"));
    await using server = await serve({ address: process.argv[2] ?? "" });
    using socket = await xsocket({ via: server.address });
    console.log("served");
  }
  void main().catch((error) => console.error(String(error)));`;
const FORMS = {
  esm: [],
  cjs: ["--define", "import.meta.dir=module.path", "--define", 'import.meta.file="bundle"'],
};

test("a bundle serves with its worker beside it, and a compiled program contains all", async () => {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const dir = mkdtempSync(join(ROOT, "build/bundle-")); // below the repository, where the packages are found
  using stack = new DisposableStack();
  stack.defer(() => rmSync(dir, { recursive: true }));
  const build = async (...args: string[]) => {
    const { code, stderr } = await here.run([process.execPath, "build", ...args], { cwd: dir });
    expect(code, stderr).toBe(0);
  };
  const env = { XSOCKET_LIBDIR: dirname(libraryPath("xsocket")) };
  const start = (...argv: string[]) => here.run([...argv, join(dir, "control")], { cwd: dir, env });
  writeFileSync(join(dir, "program.ts"), BUNDLED);
  for (const [form, defines] of Object.entries(FORMS)) {
    await build("--target=bun", `--format=${form}`, ...defines, "program.ts", `--outdir=${form}`);
    expect((await start(process.execPath, `${form}/program.js`)).stderr).toContain(
      `${form}/_worker.ts'. A bundle needs this file beside it`,
    );
    await build("--target=bun", WORKER, `--outfile=${form}/_worker.ts`);
    expect((await start(process.execPath, `${form}/program.js`)).stdout).toBe("served\n");
  }
  writeFileSync(join(dir, "_worker.js"), `import "${WORKER}";`);
  const libraries = ["xsocket", "xbind"] as const;
  for (const name of libraries) copyFileSync(libraryPath(name), join(dir, `lib${name}.so`));
  const embedded = ["_worker.js", ...libraries.map((name) => `lib${name}.so`)];
  await build("--compile", "program.ts", ...embedded); // the embedded library's name has a hash
  expect((await here.run(["./program", "control"], { cwd: dir })).stderr).toMatch(
    /beside the program \(bun build --compile --asset-naming='\[name\].\[ext\]' .*\/libxsocket.so\), or/,
  );
  await build("--compile", "--asset-naming=[name].[ext]", "program.ts", ...embedded);
  for (const file of embedded) rmSync(join(dir, file));
  const { stdout, stderr } = await here.run(["./program", "control"], { cwd: dir });
  expect(stdout, stderr).toBe("served\n");
  const nowhere = await here.run(["./program", "control"], { cwd: dir, env: { TMPDIR: "/proc" } });
  expect(nowhere.stderr).toContain("that this user may write to TMPDIR, where Bun copies it to");
  const preloaded = await here.run(["./program", "control", "xbind"], { cwd: dir });
  expect(preloaded.stderr).toContain("LibraryNotFoundError: libxbind.so"); // programs cannot preload an embedded file
});

test("an exception in the log function reaches the program and does not stop the server", async () => {
  using dir = tempDir();
  const home = dir.join("home");
  mkdirSync(home);
  const program = `
    import { renameSync, writeFileSync } from "node:fs";
    import { serve } from "@xsocket/server";
    const [, home, elsewhere] = process.argv;
    process.on("uncaughtException", ({ message }) => console.log(message));
    const log = () => { throw new Error("no room for a record"); };
    const server = await serve({ address: home + "/control", log });
    renameSync(home, elsewhere);
    writeFileSync(home, ""); // the socket file can no longer be reached
    await server.stop();
    console.log("stopped");`;
  const argv = [process.execPath, "-e", program, home, dir.join("elsewhere")];
  const { stdout, stderr } = await here.run(argv);
  expect(stdout + stderr).toBe("no room for a record\nstopped\n");
});

test("serves in a Worker", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  const worker = new Worker(new URL("worker.ts", import.meta.url), { workerData: path });
  const [told] = await once(worker, "message");
  expect(told).toBe("serves");
  expect(statSync(path).mode & 0o777).toBe(0o660);
  (await xsocket({ via: path })).close();
  worker.postMessage("stop");
  await once(worker, "exit");
  expect(existsSync(path)).toBe(false);
});

test("a program with few descriptors left gets an error, leaks none and goes on", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  const script = `${import.meta.dir}/starved.ts`;
  for (let free = 0; free < 16; free++) {
    const argv = ["prlimit", "--nofile=128:128", process.execPath, script, path, String(free)];
    const { code, stdout, stderr } = await here.run(argv);
    expect([free, code, stdout, stderr]).toEqual([
      free,
      0,
      expect.stringMatching(new RegExp(`^(SYSTEM ${free}|serves)\n$`)),
      "",
    ]);
    if (free === 15) expect(stdout).toBe("serves\n");
  }
});

test("isReachable() stays true after the server has stopped", async () => {
  using dir = tempDir();
  const server = await serve({ address: dir.join("control") });
  await server.stop();
  expect(server.isReachable()).toBe(true); // it has removed its file itself
});

test("a stopped server does not touch reused descriptors", async () => {
  using dir = tempDir();
  const server = await serve({ address: dir.join("control"), auditFile: dir.join("audit") });
  await server.stop();
  const own = Array.from({ length: 32 }, (_, i) => dir.join(`own${i}`));
  const fds = own.map((path) => openSync(path, "w"));
  try {
    server.isAnswering();
    await server.reload();
    await server.stop();
    for (const fd of fds) writeSync(fd, "own");
    expect(own.map((path) => readFileSync(path, "utf8"))).toEqual(own.map(() => "own"));
  } finally {
    fds.forEach((fd) => closeSync(fd));
  }
});
