import { describe, expect, test } from "bun:test";
import { xsocketSync } from "@xsocket/client";
import {
  asOrdinaryUser,
  eventually,
  guardDescriptors,
  here,
  isChrooted,
  isRoot,
  ORDINARY_ENV,
  OWN_MOUNTS,
  type Running,
  seenCommand,
  startServer,
  strangerAt,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { servingThreads, traced } from "../server/process.ts";
import { RawClient } from "../server/raw.ts";

guardDescriptors();

const ASK =
  "import socket,struct,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\ns.connect(sys.argv[1])\ns.send(bytes.fromhex(sys.argv[2]))\nprint(len(s.recv(70000)))";

function xsocket(...args: string[]) {
  return here.run([XSOCKET, ...args]);
}

/* exec: LISTEN_PID must name the server itself. */
function startedWith(script: string, ...args: string[]) {
  return here.run(["sh", "-c", `${script} exec "$@"`, "sh", XSOCKET, ...args]);
}

async function policyFile(path: string, text: string): Promise<string> {
  await Bun.write(path, text);
  return path;
}

const RULES = `
[[rule]]
name = "no root"
action = "deny"
user = "root"

[[rule]]
name = "ping for group 42"
action = "allow"
gid = 42
type = "raw"
protocol = "icmp"

[[rule]]
action = "allow"
connections = 4
`;

test.each([
  ["LISTEN_PID=$$ LISTEN_FDS=1 3</dev/null", "descriptor 3 was given to serve and is not a socket"],
  ["LISTEN_PID=$$ LISTEN_FDS=1 3<&-", "descriptor 3 was given to serve and is not a socket"],
  ["NOTIFY_SOCKET=/nonexistent", "cannot reach the service manager at NOTIFY_SOCKET=/nonexistent"],
])("what a manager should have given (%s) is one sentence with a remedy", async (given, words) => {
  using dir = tempDir();
  const [variables, redirection = ""] = given.split(/(?= 3<)/);
  const script = `export ${variables}; ${redirection && `exec${redirection};`}`;
  const { code, stderr } = await startedWith(script, "serve", dir.join("control"));
  expect(stderr).toContain(words);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(stderr).not.toMatch(/^xsocket: (?:getsockopt|connect):/);
  expect(code).toBe(1);
});

/* Prints what a service manager is told, a line for each message. */
const MANAGER = `import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print("ready", flush=True)
while True: print(manager.recv(9999).decode().replace("\\n", "|"), flush=True)`;

async function managerAt(socket: string): Promise<Running> {
  const manager = here.spawn(["python3", "-c", MANAGER, socket]);
  await manager.says(/ready/);
  return manager;
}

test("a manager hears of the start, the reload, the end, that all is well, and what changes", async () => {
  using dir = tempDir();
  const [path, moved, socket] = [dir.join("control"), dir.join("moved"), dir.join("notify")];
  await using manager = await managerAt(socket);
  const heard = (pattern: RegExp) => manager.stdout.match(pattern) ?? [];
  const beats = async () => {
    const before = heard(/^WATCHDOG=1$/gm).length;
    await eventually("signs of life", () => heard(/^WATCHDOG=1$/gm).length > before + 2);
  };
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "100000" };
  await using server = await startServer({ path, env });
  await beats();
  for (const [from, to, changes] of [
    [path, moved, 2],
    [moved, path, 3],
    [path, moved, 4],
  ] as const) {
    await here.run(["mv", from, to]);
    await eventually("what changes", () => heard(/^STATUS/gm).length === changes);
    await beats();
  }
  server.program.kill("SIGHUP");
  await manager.says(/^RELOADING[^]*READY=1/m);
  const well = `STATUS=Serving ${path}: 0 sockets handed out, 0 requests refused, 0 connections`;
  const gone = well.replace("Serving", "Not to be found any more at");
  expect(heard(/^STATUS.*/gm)).toEqual([well, gone, well, gone]);
  expect(await server.stop()).toBe(0);
  await manager.says(/^STOPPING/m);
  expect(heard(/^(?:READY|STOPPING).*/gm)).toEqual([
    `READY=1|${well}`,
    `READY=1|${gone}`,
    "STOPPING=1",
  ]);
  expect(server.program.stderr.match(/new clients do not find this server/g)).toHaveLength(2);
});

test("a manager hears no sign of life while a thread hangs", async () => {
  using dir = tempDir();
  const socket = dir.join("notify");
  await using manager = await managerAt(socket);
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "100000" };
  await using server = await startServer({ env });
  await manager.says(/READY=1/);
  const [thread = ""] = servingThreads(server.program.pid);
  await using _ = await traced(thread, "-o/dev/null", "-einject=sendmsg:delay_enter=2000000");
  using client = new RawClient(server.path);
  client.send();
  let beats = manager.stdout.length;
  let since = performance.now();
  let longest = 0;
  while (!client.isReadable()) {
    await Bun.sleep(10);
    longest = Math.max(longest, performance.now() - since);
    if (manager.stdout.length === beats) continue;
    beats = manager.stdout.length;
    since = performance.now();
  }
  expect(longest).toBeGreaterThan(1000);
  await eventually("a sign of life", () => manager.stdout.length > beats);
});

test("an end that takes a moment is not taken for a socket file that was removed", async () => {
  using dir = tempDir();
  const socket = dir.join("notify");
  await using manager = await managerAt(socket);
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "20000" };
  await using server = await startServer({ env });
  await manager.says(/READY=1/);
  using behind = new RawClient(server.path); // the server waits for it
  for (let n = 0; n < 3; n++) behind.send();
  await eventually("a reply to be there", () => behind.isReadable());
  expect(await server.stop()).toBe(0);
  expect(server.program.stderr).toBe(`xsocket: serving at ${server.path}\n`);
});

describe("policy", () => {
  test("check lists the rules in their order", async () => {
    using dir = tempDir();
    const { code, stdout, stderr } = await xsocket(
      "policy",
      "check",
      await policyFile(dir.join("p"), RULES),
    );
    expect(stderr).toBe("");
    expect(stdout).toBe(
      "1  no root: deny uid 0\n2  ping for group 42: allow gid 42 SOCK_RAW IPPROTO_ICMP\n3  rule 3: allow 4 connections\neverything else: deny\n",
    );
    expect(code).toBe(0);
  });

  test("test says of each rule what it does, and takes a file of this directory", async () => {
    using dir = tempDir();
    await policyFile(dir.join("p"), RULES);
    const argv = [XSOCKET, "policy", "test", "p", "--uid", "0"];
    expect((await here.run(argv, { cwd: dir.path })).stdout).toBe(
      "1  no root: denies\nAF_INET SOCK_STREAM IPPROTO_TCP for uid 0: refused by no root\n",
    );
  });

  test("a rule's name is one line, and no words to a terminal", async () => {
    using dir = tempDir();
    const rules = String.raw`[[rule]]
name = "mine: deny\n2  \u001b[8mhidden"
action = "allow"`;
    const file = await policyFile(dir.join("p"), rules);
    const name = String.raw`mine: deny\x0a2  \x1b[8mhidden`;
    expect(await xsocket("policy", "check", file)).toMatchObject({
      stdout: `1  ${name}: allow\neverything else: deny\n`,
    });
    expect(await xsocket("policy", "test", file, "--uid", "7")).toMatchObject({
      stdout: `1  ${name}: allows\nAF_INET SOCK_STREAM IPPROTO_TCP for uid 7: granted by ${name}\n`,
    });
  });

  test.each([
    [["--user", "root"], "AF_INET SOCK_STREAM IPPROTO_TCP for uid 0: refused by no root", 1],
    [["--uid", "7"], "AF_INET SOCK_STREAM IPPROTO_TCP for uid 7: granted by rule 3", 0],
    [
      ["--uid", "7", "--groups", "42,41", "--type", "raw", "--protocol", "icmp"],
      "AF_INET SOCK_RAW IPPROTO_ICMP for uid 7: granted by ping for group 42",
      0,
    ],
    [
      ["--uid", "7", "--type", "SOCK_RAW", "--protocol", "IPPROTO_ICMP"],
      "AF_INET SOCK_RAW IPPROTO_ICMP for uid 7: refused since no rule matches",
      1,
    ],
    [
      ["--uid", "7", "--family", "AF_PACKET"],
      "AF_PACKET SOCK_STREAM protocol 0 for uid 7: refused since no rule matches",
      1,
    ],
    [
      ["--uid", "42", "--type", "raw", "--protocol", "icmp"],
      "AF_INET SOCK_RAW IPPROTO_ICMP for uid 42: granted by ping for group 42",
      0,
    ],
    [
      ["--uid", "7", "--gid", "42", "--type", "raw", "--protocol", "icmp"],
      "AF_INET SOCK_RAW IPPROTO_ICMP for uid 7: granted by ping for group 42",
      0,
    ],
    [["--user", "root", "--status"], "the status for uid 0: granted, as it always is to root", 0],
    [
      ["--uid", "7", "--status"],
      "the status for uid 7: refused since no rule matches, unless the server runs as this user",
      1,
    ],
  ])("test %j", async (args, verdict, code) => {
    using dir = tempDir();
    const file = await policyFile(dir.join("p"), RULES);
    const result = await xsocket("policy", "test", file, ...args);
    expect(result.stderr).toBe("");
    expect(result.stdout.trimEnd().split("\n").at(-1)).toBe(verdict);
    expect(result.code).toBe(code);
  });

  test("test goes by the groups of /etc/passwd and /etc/group", async () => {
    using dir = tempDir();
    await Bun.write(dir.join("passwd"), "alice:x:7:8::/:/bin/sh\n");
    await Bun.write(dir.join("group"), "own:x:8:\nother:x:9:alice\n");
    const types = { stream: 8, dgram: 9, raw: 7 }; // 7 is the number of the user alone
    const rules = Object.entries(types).map(
      ([type, gid]) => `[[rule]]\naction = "allow"\ngid = ${gid}\ntype = "${type}"\n`,
    );
    const file = await policyFile(dir.join("p"), rules.join(""));
    const mounts = ["passwd", "group"].map((name) => `mount --bind ${dir.join(name)} /etc/${name}`);
    const script = `${mounts.join(" && ")} && exec "$@"`;
    const start = [...OWN_MOUNTS, "sh", "-c", script, "sh", XSOCKET, "policy", "test", file];
    const codes = Object.keys(types).map(
      async (type) => (await here.run([...start, "--user", "alice", "--type", type])).code,
    );
    expect(await Promise.all(codes)).toEqual([0, 0, 1]);
  });

  const FOR_NOBODY = '[[rule]]\naction = "allow"\nkind = "status"\nuid = 65534\n';
  const AS_NOBODY = ["--uid", "65534", "--status"];

  test("test of the status by a rule makes no exception", async () => {
    using dir = tempDir();
    const file = await policyFile(dir.join("p"), FOR_NOBODY);
    const { code, stdout } = await xsocket("policy", "test", file, ...AS_NOBODY);
    expect(stdout).toEndWith("the status for uid 65534: granted by rule 1\n");
    expect(code).toBe(0);
  });

  test.skipIf(isChrooted)(
    "test matches no rule about nobody's id where that is of many",
    async () => {
      using dir = tempDir();
      const file = await policyFile(dir.join("p"), FOR_NOBODY);
      const within = ["unshare", "--user", "--map-root-user", XSOCKET, "policy", "test", file];
      const { code, stdout } = await here.run([...within, ...AS_NOBODY]);
      expect(stdout).toContain("refused since no rule matches");
      expect(code).toBe(1);
    },
  );

  test.each([
    [["policy"], 2, "xsocket policy check FILE"],
    [["policy", "chekc", "/dev/null"], 2, "xsocket policy check FILE"],
    [["policy", "check"], 2, "no policy is named"],
    [["policy", "check", "/nonexistent"], 1, "/nonexistent: cannot be read"],
    [["policy", "test", "/dev/null"], 2, "nobody asks"],
    [["policy", "check", "/dev/null", "--uid", "3"], 2, 'leave --uid out, or say "test"'],
    [["policy", "test", "/dev/null", "--user", "root", "--uid", "5"], 2, "give one of them"],
    [["policy", "test", "/dev/null", "--uid", "1", "--type", "x"], 2, '--type "x" is unknown'],
    [["policy", "test", "/dev/null", "--uid", "1", "--type", "99"], 2, '--type "99" is unknown'],
    [["policy", "test", "/dev/null", "--user", "no-such"], 1, 'there is no user "no-such"'],
  ])("%j is one sentence", async (args, code, words) => {
    const result = await xsocket(...args);
    expect(result.stderr).toContain(words);
    expect(result.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(result.code).toBe(code);
  });
});

describe("status", () => {
  test("for a person, for a program, and again and again", async () => {
    await using server = await startServer();
    const { stdout, code } = await xsocket("status", server.path);
    expect(stdout).toContain(`${server.path}, process ${server.program.pid}, version`);
    expect(stdout).toMatch(/^requests +0: 0 granted, 0 refused, 0 failed$/m);
    expect(code).toBe(0);
    const json: unknown = JSON.parse((await xsocket("status", server.path, "--json")).stdout);
    expect(json).toMatchObject({ pid: server.program.pid, address: server.path });
    await using watch = here.spawn([XSOCKET, "status", server.path, "--watch"]);
    await watch.says(/requests\/s/);
  });

  test.if(isRoot)("a stranger's abstract name is one sentence", async () => {
    const name = `@xsocket-test-${process.pid}`;
    await using _ = await strangerAt(name);
    const { code, stderr } = await xsocket("status", name);
    expect(stderr).toContain("neither root nor yourself");
    expect(code).toBe(1);
  });

  test.if(isRoot)("other users see a server of version 1, unless a rule grants it", async () => {
    using dir = tempDir();
    const file = await policyFile(dir.join("p"), '[[rule]]\naction = "allow"\n');
    const path = dir.join("control");
    await using server = await startServer({ path, args: ["--mode", "0666", "--policy", file] });
    const ask = async (hex: string) => {
      const argv = asOrdinaryUser(["python3", "-c", ASK, path, hex]);
      return (await here.run(argv, { env: ORDINARY_ENV })).stdout.trim();
    };
    expect(await ask("58533033")).toBe("0");
    await Bun.write(file, '[[rule]]\naction = "allow"\nkind = "status"\nuid = 65534\n');
    server.program.kill("SIGHUP");
    await server.program.says(/reloaded: 1 rule of /);
    expect(Number(await ask("58533033"))).toBeGreaterThan(100);
    expect(await ask("58533031000000020000000100000000")).toBe("8");
  });
});

test("a policy that allows nobody a socket is taken, with a warning at the check, the start and a reload", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  const file = await policyFile(dir.join("p"), "# nothing yet\n");
  const warning = `xsocket: warning: nobody gets a socket, since no rule of ${file} allows one: add one with action = "allow", or see that this is the file that was meant\n`;
  const checked = await xsocket("policy", "check", file);
  expect(checked).toEqual({ code: 0, stdout: "everything else: deny\n", stderr: warning });
  await using server = await startServer({ path, args: ["--policy", file] });
  await server.program.says(/serving at/);
  expect(server.program.stderr).toStartWith(warning);
  const reload = async (text: string) => {
    await Bun.write(file, text);
    const before = server.program.stderr.length;
    server.program.kill("SIGHUP");
    const said = () => server.program.stderr.slice(before);
    await eventually("the reload", () => said().includes("reloaded: "));
    return said();
  };
  expect(await reload(RULES)).not.toContain("warning");
  expect(await reload("")).toStartWith(warning);
  const status = '[[rule]]\naction = "allow"\nkind = "status"\n';
  expect(await reload(`${status}[[rule]]\naction = "deny"\n`)).toStartWith(warning);
  expect(() => xsocketSync({ via: path, family: 4, type: "stream" })).toThrow("EPERM");
});

describe("a policy that is no regular file", () => {
  test("a pipe is read at the start; read again it would be empty, so what it said stays", async () => {
    using dir = tempDir();
    const path = dir.join("control");
    const rule = `printf '[[rule]]\naction = "deny"\n'`;
    const script = `exec "$@" --policy <(${rule}; sleep 0.2; ${rule})`; // it comes in parts
    const argv = ["bash", "-c", script, "bash", XSOCKET, "serve", path];
    await using server = here.spawn(argv);
    await server.says(/serving at/);
    server.kill("SIGHUP");
    await server.says(/the policy stays as it was: .*: is no regular file, .*\n/);
    const { stdout } = await xsocket("status", path, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ policy: { rules: 2 } });
  });

  test("a FIFO that nobody writes to ends the start, and not a server that runs", async () => {
    using dir = tempDir();
    const [path, file, fifo] = [dir.join("control"), dir.join("p"), dir.join("fifo")];
    await here.run(["mkfifo", fifo]);
    expect(await xsocket("serve", path, "--policy", fifo)).toMatchObject({
      code: 1,
      stderr: `xsocket: ${fifo}: is no regular file, and its text did not end within 5 s: give the path of a file, or a pipe that ends\n`,
    });
    await policyFile(file, RULES);
    await using server = await startServer({ path, args: ["--policy", file] });
    await server.program.says(/serving at/);
    await here.run(["mv", fifo, file]);
    server.program.kill("SIGHUP");
    await server.program.says(/the policy stays as it was: .*: is no regular file, .*\n/);
    expect((await xsocket("status", path)).code).toBe(0);
  });
});

/** Starts a server, has one request refused, and returns its log. */
async function logOf(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  using dir = tempDir();
  const server = await startServer({ path: dir.join("control"), args, env });
  await here.run(["python3", "-c", ASK, server.path, "58533031000000020000000300000001"]);
  await eventually("the refusal to be logged", () => /refused/.test(server.program.stderr));
  await server.stop();
  await server[Symbol.asyncDispose]();
  return server.program.stderr;
}

describe("the log", () => {
  test("as JSON, one object in each line", async () => {
    const lines = (await logOf(["--log-format", "json"])).trimEnd().split("\n");
    const records = lines.map((line): { event: string } => JSON.parse(line));
    const refused = records.find(({ event }) => event === "denied");
    expect(refused).toMatchObject({
      level: "warning",
      command: seenCommand("python3"),
      uid: process.getuid?.() ?? -1,
      asked: "AF_INET SOCK_RAW IPPROTO_ICMP",
      reason: "no rule",
    });
  });

  test("for the journal, with levels", async () => {
    const log = await logOf(["--log-format", "journal"]);
    expect(log).toMatch(/^<6>serving at /m);
    expect(log).toMatch(
      /^<4>refused AF_INET SOCK_RAW IPPROTO_ICMP \(no rule\) pid=\d+ uid=\d+ gid=\d+ command=/m,
    );
  });

  test("in a file, behind what is there", async () => {
    using dir = tempDir();
    const [path, log] = [dir.join("control"), dir.join("log")];
    await Bun.write(log, "before\n");
    const script = 'exec "$@" 2>>"$0"';
    await using server = here.spawn(["sh", "-c", script, log, XSOCKET, "serve", path]);
    const serving = `before\nxsocket: serving at ${path}\n`;
    await eventually("the log", async () => (await Bun.file(log).text()).length >= serving.length);
    server.kill();
    expect(await server.finished()).toBe(0);
    expect(await Bun.file(log).text()).toBe(serving);
  });

  test("for a person unless stderr is the journal's stream", async () => {
    const log = await logOf([], { JOURNAL_STREAM: "1:1" });
    expect(log).toMatch(/^xsocket: serving at /m);
    expect(log).toMatch(/^xsocket: warning: refused AF_INET SOCK_RAW/m);
  });

  test.each([
    [["--log-format", "xml"], "--log-format takes pretty or json or journal"],
    [["--log-level", "loud"], "--log-level takes error or warning or notice or info or debug"],
    [["--metrics", "0.0.0.0:1"], "--metrics-remote"],
    [["--metrics", "0"], "port 0 is any free one"],
    [["--metrics-remote"], "add --metrics ADDRESS"],
    [["--policy", "x", "--allow-user", "root"], "two ways to say the same"],
  ])("%j is one sentence and misuse", async (args, words) => {
    using dir = tempDir();
    const { code, stderr } = await xsocket("serve", dir.join("control"), ...args);
    expect(stderr).toContain(words);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(code).toBe(2);
  });
});
