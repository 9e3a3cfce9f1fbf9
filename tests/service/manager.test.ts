import { expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { encode } from "@xsocket/protocol";
import { errno } from "@xsocket/xbind-native";
import {
  activated,
  eventually,
  expectSentence,
  here,
  isRoot,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { servingThreads, traced } from "../server/process.ts";
import { RawClient } from "../server/raw.ts";

/* With exec, since LISTEN_PID must be the server's own process id. */
function startedWith(script: string, ...args: string[]) {
  return here.run(["sh", "-c", `${script} exec "$@"`, "sh", XSOCKET, ...args]);
}

test.each([
  ["LISTEN_PID=$$ LISTEN_FDS=1 3</dev/null", "descriptor 3 was given to serve and is not a socket"],
  ["LISTEN_PID=$$ LISTEN_FDS=1 3<&-", "descriptor 3 was given to serve and is not a socket"],
  ["NOTIFY_SOCKET=/nonexistent", "cannot reach the service manager at NOTIFY_SOCKET=/nonexistent"],
])(
  "reports an invalid environment of a service manager (%s) in one sentence",
  async (given, words) => {
    using dir = tempDir();
    const [variables, redirection = ""] = given.split(/(?= 3<)/);
    const script = `export ${variables}; ${redirection && `exec${redirection};`}`;
    const result = await startedWith(script, "serve", dir.join("control"));
    expectSentence(result, 1, words);
    expect(result.stderr).not.toMatch(/^xsocket: (?:getsockopt|connect):/);
  },
);

const GID = process.getegid?.() ?? 0;
const IS_THERE = "has no effect: the socket was there before this server, with";

test.each([
  [`--mode 0640 --group ${GID}`, [`--mode 0640 ${IS_THERE} mode 0644`]],
  [`--mode 0644 --group ${GID + 1}`, [`--group ${GID + 1} ${IS_THERE} group ${GID}`]],
  [`--mode 0644 --group ${GID}`, []],
  ["--mode 0666", []], // as with our units, and a SocketMode=0644 of the user
  ["--group no-such", [`--group no-such ${IS_THERE} group ${GID}`]],
])("warns if the socket from the manager lets in whom %s does not", async (options, warnings) => {
  using dir = tempDir();
  const path = dir.join("made");
  const argv = activated(path, [XSOCKET, "serve", ...options.split(" ")]);
  await using server = here.spawn(["sh", "-c", `umask 133; exec "$@"`, "sh", ...argv]);
  await server.says(/serving at/);
  server.kill("SIGTERM");
  expect(await server.finished()).toBe(0);
  const lines = server.stderr.trimEnd().split("\n");
  expect(lines.slice(1)).toEqual(warnings.map((text) => expect.stringContaining(text)));
});

/* Prints each message to a service manager on a line. */
const MANAGER = `import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
print("ready", flush=True)
while True: print(manager.recv(9999).decode().replace("\\n", "|"), flush=True)`;

/* A service manager that never reads from its socket. */
const DEAF = MANAGER.replace(/while .*/, "__import__('signal').pause()");

/** A server, and its manager, which wants a sign of life every so many milliseconds. */
async function managed(withinMs: number, script = MANAGER, ...args: string[]) {
  await using stack = new AsyncDisposableStack();
  const socket = stack.use(tempDir()).join("notify");
  const manager = stack.use(here.spawn(["python3", "-c", script, socket]));
  await manager.says(/ready/);
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: String(1000 * withinMs) };
  const server = stack.use(await startServer({ env, args }));
  const owned = stack.move();
  return { manager, server, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("notifies the manager of start, reload and stop, of each beat, and of a moved socket", async () => {
  await using both = await managed(100);
  const { manager, server } = both;
  const [path, moved] = [server.path, `${server.path}.moved`];
  const heard = (pattern: RegExp) => manager.stdout.match(pattern) ?? [];
  const beats = async () => {
    const before = heard(/^WATCHDOG=1$/gm).length;
    await eventually("signs of life", () => heard(/^WATCHDOG=1$/gm).length > before + 2);
  };
  await beats();
  for (const [from, to, changes] of [
    [path, moved, 3],
    [moved, path, 4],
    [path, moved, 5],
  ] as const) {
    await here.run(["mv", from, to]);
    await eventually("what changes", () => heard(/STATUS/g).length === changes);
    await beats();
  }
  server.program.kill("SIGHUP");
  await manager.says(/^RELOADING[^]*READY=1/m);
  const well = `STATUS=Serving ${path}: 0 sockets handed out, 0 requests refused, 0 connections`;
  const gone = well.replace("Serving", "Not to be found any more at");
  expect(heard(/(?<=^WATCHDOG=1\|).*/gm)).toEqual([well, gone, well, gone]);
  expect(await server.stop()).toBe(0);
  await manager.says(/^STOPPING/m);
  expect(heard(/^(?:READY|STOPPING).*/gm)).toEqual([
    `READY=1|${well}`,
    `READY=1|${gone}`,
    "STOPPING=1",
  ]);
  expect(server.program.stderr.match(/new clients do not find this server/g)).toHaveLength(2);
});

test.if(isRoot)("a server that becomes another user notifies the manager", async () => {
  using dir = tempDir();
  const socket = dir.join("notify");
  await using manager = here.spawn(["python3", "-c", MANAGER, socket]);
  await manager.says(/ready/);
  chmodSync(socket, 0o666);
  const env = { NOTIFY_SOCKET: socket };
  await using _ = await startServer({ forEveryone: true, env, args: ["--user", "daemon"] });
  await manager.says(/^READY=1/m);
});

test("the status text uses the singular for one socket, request and connection", async () => {
  await using both = await managed(100, MANAGER, "--max-in-flight-per-user", "1");
  const { manager, server } = both;
  using client = new RawClient(server.path);
  expect(client.ask()).toBe(0);
  expect(client.ask(encode({ kind: "request", domain: 2, type: 3, protocol: 1 }))).toBe(
    -errno.EPERM,
  );
  await manager.says(/: 1 socket handed out, 1 request refused, 1 connection$/m);
  client.send();
  await eventually("a socket in flight", () => client.isReadable());
  using other = new RawClient(server.path);
  expect(other.ask()).toBe(-errno.ETOOMANYREFS);
  await manager.says(/: 2 sockets handed out, 2 requests refused, 2 connections$/m);
});

test("a manager that does not read its socket does not delay signals", async () => {
  await using both = await managed(20, DEAF);
  await Bun.sleep(500); // its queue is full after some 10 messages
  expect(await both.server.stop()).toBe(0);
});

test("sends no watchdog message while a thread hangs", async () => {
  await using both = await managed(100);
  const { manager, server } = both;
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

test("does not report its socket file as removed during a slow stop", async () => {
  await using both = await managed(20);
  const { manager, server } = both;
  await manager.says(/READY=1/);
  using behind = new RawClient(server.path); // the server waits for it
  for (let n = 0; n < 3; n++) behind.send();
  await eventually("a reply to be there", () => behind.isReadable());
  expect(await server.stop()).toBe(0);
  expect(server.program.stderr).toBe(`xsocket: serving at ${server.path}\n`);
});
