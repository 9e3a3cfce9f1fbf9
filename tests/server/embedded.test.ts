/* The server as a library within a program. */
import { expect, spyOn, test } from "bun:test";
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
import {
  AF_UNIX,
  encodeAddress,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "@xsocket/protocol";
import { DEFAULT_POLICY, policyFile, serve } from "@xsocket/server";
import { checked, errno, libraryPath, loadSyscalls } from "@xsocket/xbind-native";
import {
  descriptors,
  eventually,
  guardDescriptors,
  HELD_TO_MODES,
  here,
  leaked,
  tempDir,
} from "../harness/index.ts";
import { RawClient } from "./raw.ts";

const ROOT = join(import.meta.dir, "../..");

guardDescriptors();

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
  const before = process.cwd();
  process.chdir(dir.path);
  writeFileSync("policy.toml", '[[rule]]\naction = "allow"\n');
  try {
    const files = { policy: policyFile("policy.toml"), auditFile: "audit" };
    await using server = await serve({ address: "control", ...files });
    process.chdir("/");
    expect(server.isReachable()).toBe(true);
    renameSync(dir.join("audit"), dir.join("audit.1"));
    await server.reload();
    expect(existsSync(dir.join("audit"))).toBe(true);
  } finally {
    process.chdir(before);
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

test("reports why a start failed and leaves nothing open even if cleaning up fails", async () => {
  using dir = tempDir();
  const home = dir.join("home");
  mkdirSync(home);
  const before = descriptors();
  const policy = () => {
    renameSync(home, dir.join("elsewhere"));
    writeFileSync(home, ""); // the socket file can no longer be reached
    throw new Error("the policy is none");
  };
  await expect(serve({ address: `${home}/control`, policy })).rejects.toThrow("the policy is none");
  expect(leaked(before)).toEqual([]);
});

test.each([
  ["epollCreate", "control", "epoll_create: ENOMEM"],
  ["listen", "control", "cannot listen at /"],
  ["bind", "control", "cannot make /"],
  ["listen", "@", "cannot take the name @"],
  ["bind", "@", "cannot take the name @"],
] as const)(
  "leaves nothing open when the kernel has no memory (%s, %s)",
  async (call, name, words) => {
    using dir = tempDir();
    const native = loadSyscalls();
    const before = descriptors();
    using refused = spyOn(native, call).mockReturnValue(-errno.ENOMEM);
    const address = name === "@" ? `@xsocket-memory-${process.pid}` : dir.join(name);
    const auditFile = dir.join("audit");
    await expect(serve({ address, auditFile })).rejects.toThrow(words);
    expect(refused).toHaveBeenCalled();
    expect(leaked(before)).toEqual([]);
    expect(existsSync(address)).toBe(false);
  },
);

test("refuses a directory that others may write to and names the option", async () => {
  await expect(serve({ address: "/tmp/control" })).rejects.toThrow(
    "or allow a shared directory (sharedDirectory)",
  );
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
  writeFileSync(join(dir, "_worker.ts"), `import "${WORKER}";`);
  const libraries = ["xsocket", "xbind"] as const;
  for (const name of libraries) copyFileSync(libraryPath(name), join(dir, `lib${name}.so`));
  const embedded = ["_worker.ts", ...libraries.map((name) => `lib${name}.so`)];
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

test("refuses invalid options before it opens anything", async () => {
  using dir = tempDir();
  const address = dir.join("control");
  const misspelt = { kind: "socket", allow: true, uid: [{ first: 1000, last: 1000 }] }; // the key is uids
  const plain = { name: "r", kind: "socket", allow: false };
  const rules: [unknown, string][] = [
    [null, "a rule of the policy must be an object, not null"],
    ["deny", "a rule of the policy must be an object, not 'deny'"],
    [Object.create(plain), "name of a rule must be a text, not undefined"],
    [{ ...plain, name: 1 }, "name of a rule must be a text, not 1"],
    [{ name: "r", allow: false }, 'kind of a rule must be "socket" or "status", not undefined'],
    [{ ...plain, allow: "deny" }, "allow of a rule must be true or false, not 'deny'"],
    [{ ...plain, uids: 1000 }, "uids of a rule must be a list of spans of ids, as {"],
    [{ ...plain, uids: [1000] }, "uids of a rule must be a list of spans of ids, as {"],
    [{ ...plain, gids: [{ first: 9, last: 1 }] }, "gids of a rule must be a list of spans"],
    [{ ...plain, gids: [{ first: -2, last: -2 }] }, "gids of a rule must be a list of spans"],
    [{ ...plain, gids: [Object.create({ first: 1, last: 9 })] }, "gids of a rule must be a list"],
    [{ ...plain, gids: [] }, "gids of a rule must be a list of spans"],
    [
      { ...plain, types: [2 | 0o2000000] },
      "types of a rule must be a list of the numbers of socket",
    ],
    [{ ...plain, families: [-1] }, "families of a rule must be a list of the numbers of socket(2)"],
    [{ ...plain, types: ["raw"] }, "types of a rule must be a list of the numbers of socket(2)"],
    [
      { ...plain, allow: true, connections: 0 },
      "connections of a rule must be a whole number from",
    ],
    [
      { ...plain, allow: true, socketsPerMinute: 2 ** 24 },
      "socketsPerMinute of a rule must be a whole number from",
    ],
    [{ ...plain, connections: 1 }, "connections of a rule has no meaning where that denies"],
    [{ ...plain, socketsPerMinute: 1 }, "socketsPerMinute of a rule has no meaning"],
  ];
  const wrong: [unknown, string][] = [
    [null, "the options must be an object, not null"],
    [{ address: 5 }, "address must be a path, or @name, not 5"],
    [{ polcy: {} }, "there is no option polcy: there are address, mode,"],
    [
      { policy: null },
      "policy must be a policy or a function that reads one, as policyFile(PATH) is, not null",
    ],
    [
      { policy: "allow" },
      "policy must be a policy or a function that reads one, as policyFile(PATH) is, not 'allow'",
    ],
    [
      { policy: {} },
      "policy must be a policy or a function that reads one, as policyFile(PATH) is, not {}",
    ],
    [{ policy: () => undefined }, "policy has returned undefined: return what"],
    [
      { policy: { source: "mine", rules: [misspelt] } },
      "a rule of the policy has no key uid: there",
    ],
    [
      { policy: () => ({ source: "mine", rules: [misspelt] }) },
      "a rule of the policy has no key uid:",
    ],
    [{ policy: { rules: [] } }, "source of the policy must be a text, not undefined"],
    ...rules.map(([rule, message]): [unknown, string] => [
      { policy: { source: "mine", rules: [rule] } },
      message,
    ]),
    [{ log: console }, "log must be a function, not"],
    [{ logLevel: "warn" }, "logLevel must be one of error, warning,"],
    [{ sharedDirectory: "false" }, "sharedDirectory must be true or false, not 'false'"],
    [{ listenFd: "3" }, "listenFd must be a descriptor's number, not '3'"],
    [{ listenFd: -1 }, "listenFd must be a descriptor's number, not -1"],
    [{ listenFd: 0, mode: 0o600 }, "the listening socket already has its mode and group"],
    [{ listenFd: 0, group: 0 }, "the listening socket already has its mode and group"],
    [{ address: "@name", mode: 0o600 }, "an abstract name has neither mode nor group"],
    [{ maxConnections: "8" }, "maxConnections must be a whole number from 1 to"],
    [{ maxConnectionsPerUid: null }, "maxConnectionsPerUid must be a whole number from 1 to"],
    [{ mode: "660" }, "mode must be from 0 to 0o777, not '660'"],
    [{ mode: 660 }, "mode must be from 0 to 0o777, not 660"],
    [{ threads: 0 }, "threads must be a whole number from 1 to 64, not 0"],
    [{ threads: 65 }, "threads must be a whole number from 1 to 64, not 65"],
    ...[0, -1, 1.5, NaN, 2 ** 31].map((takeReplyMs): [unknown, string] => [
      { takeReplyMs },
      `takeReplyMs must be a whole number from 1 to 2147483647, not ${takeReplyMs}`,
    ]),
  ];
  for (const [options, message] of wrong) {
    const given: unknown = options === null ? null : { address, ...Object(options) };
    const starting: Promise<unknown> = Reflect.apply(serve, undefined, [given]);
    await expect(starting, message).rejects.toMatchObject({ code: "MISUSE" });
    await expect(starting, message).rejects.toThrow(message);
    expect(existsSync(address)).toBe(false);
  }
});

test("accepts a policy object with further properties", async () => {
  using dir = tempDir();
  const policy = { ...DEFAULT_POLICY, toText: () => "mine" };
  await using server = await serve({ address: dir.join("control"), policy });
  expect(server.status().policy.source).toBe(DEFAULT_POLICY.source);
});

/** Makes a socket to pass to a server. */
function socketAt(path: string, type: number = SOCK_SEQPACKET, listens = true): number {
  const native = loadSyscalls();
  const fd = checked("socket", native.socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const address = encodeAddress({ kind: "path", path });
  checked("bind", native.bind(fd, address, address.byteLength));
  if (listens) checked("listen", native.listen(fd, 8));
  return fd;
}

test("closes a given listening socket when the start fails", async () => {
  using dir = tempDir();
  const before = descriptors();
  using _ = spyOn(loadSyscalls(), "setsockopt").mockReturnValue(-errno.ENOPROTOOPT);
  for (const [why, options] of [
    ["ENOENT", { auditFile: dir.join("none/audit") }],
    ["cannot refuse", { refuseDescriptors: true }],
  ] as const)
    await expect(serve({ listenFd: socketAt(dir.join(why)), ...options })).rejects.toThrow(why);
  expect(leaked(before)).toEqual([]);
});

test("serves a given listening socket, removes its file only if owned, and refuses others", async () => {
  using dir = tempDir();
  const native = loadSyscalls();
  for (const [type, listens] of [
    [SOCK_STREAM, true],
    [SOCK_SEQPACKET, false],
  ] as const) {
    const listenFd = socketAt(dir.join(`${type}`), type, listens);
    await expect(serve({ listenFd })).rejects.toThrow("is not a listening UNIX socket of type");
    expect(native.close(listenFd)).toBe(0); // a refused one stays open
  }
  for (const ownsFile of [false, true]) {
    const path = dir.join(`${ownsFile}`);
    const server = await serve({ listenFd: socketAt(path), ownsFile });
    expect([server.address, server.isReachable()]).toEqual([path, true]);
    (await xsocket({ via: path })).close();
    renameSync(path, dir.join("elsewhere"));
    expect(server.isReachable()).toBe(false);
    renameSync(dir.join("elsewhere"), path);
    await server.stop();
    expect(existsSync(path)).toBe(!ownsFile);
  }
});

test("refuses a path in use without leaking a descriptor", async () => {
  using dir = tempDir();
  const address = dir.join("control");
  await using _ = await serve({ address });
  await expect(serve({ address })).rejects.toMatchObject({ code: "IN_USE" });
});

test("keeps the policy when a reload returns none", async () => {
  using dir = tempDir();
  const none: typeof DEFAULT_POLICY = Reflect.get({}, "policy"); // undefined, as from a file without one
  const policies = [DEFAULT_POLICY];
  const policy = () => policies.shift() ?? none;
  const notGiven: string | undefined = process.env["XSOCKET_NOT_GIVEN"];
  const others = { group: notGiven, auditFile: notGiven, maxConnections: undefined };
  await using server = await serve({ address: dir.join("control"), policy, ...others });
  await expect(server.reload()).rejects.toThrow("policy has returned undefined");
  using socket = await xsocket({ via: server.address });
  expect(socket.closed).toBe(false);
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

test("the later of two concurrent reloads wins, whichever is read first", async () => {
  using dir = tempDir();
  const reads: ((source: string) => void)[] = [];
  const FAILS = "a mistake";
  const policy = async () => {
    const source = await new Promise<string>((resolve) => reads.push(resolve));
    if (source === FAILS) throw new Error(FAILS);
    return { source, rules: [] };
  };
  const starting = serve({ address: dir.join("control"), policy });
  await eventually("the policy to be read", () => reads.length === 1); // the socket is made first
  reads[0]?.("at the start");
  await using server = await starting;
  const reloads = [server.reload(), server.reload()];
  reads[2]?.("the later");
  await reloads[1];
  expect(server.status().policy.source).toBe("the later");
  reads[1]?.("the earlier");
  await reloads[0];
  expect(server.status().policy.source).toBe("the later");
  const others = [server.reload(), server.reload()];
  reads[4]?.("the last");
  await others[1];
  reads[3]?.(FAILS); // the later one succeeded, so the policy is not outdated
  await expect(others[0]).rejects.toThrow(FAILS);
  expect(server.status().policy).toMatchObject({ source: "the last", outdated: false });
  const failing = [server.reload(), server.reload()];
  reads[6]?.(FAILS);
  await expect(failing[1]).rejects.toThrow(FAILS);
  reads[5]?.("the one before"); // it is in force, but the later reload failed
  await failing[0];
  expect(server.status().policy).toMatchObject({ source: "the one before", outdated: true });
});

test("keeps the policy and reports it as outdated when a new one cannot be applied", async () => {
  using dir = tempDir();
  const sources = ["at the start", "the next"];
  const policy = () => ({ source: sources.shift() ?? "", rules: [] });
  await using server = await serve({ address: dir.join("control"), policy });
  {
    using random = spyOn(crypto, "getRandomValues").mockImplementation(() => {
      throw new Error("no seed for its quotas");
    });
    await expect(server.reload()).rejects.toThrow("no seed");
    expect(random).toHaveBeenCalledTimes(1);
  }
  expect(server.status().policy).toMatchObject({ source: "at the start", outdated: true });
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
