/* What clients can make a server hold, and that others do not notice. */
import { expect, test } from "bun:test";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { askStatus, plainRule, serve } from "@xsocket/server";
import { errno, SHUT_RDWR, SHUT_WR, SOL_SOCKET } from "@xsocket/xbind-native";
import {
  asOrdinaryUser,
  eventually,
  guardDescriptors,
  here,
  isRoot,
  ORDINARY_ENV,
  OWN_MACHINE,
  type Running,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { askOnce, crowd, native, rawClients, RawClient, REQUEST } from "./raw.ts";

guardDescriptors();

const SO_SNDBUF = 7;
const OKAY = [0, 0, 0, 0, 0];

test("one reply may be unread: the next comes when the client has received it", async () => {
  await using server = await startServer();
  using client = new RawClient(server.path);
  for (let i = 0; i < 10; i++) expect(client.send()).toBe(REQUEST.byteLength);
  await eventually("the first reply", () => client.isReadable());
  expect(askOnce(server.path)).toBe(0); // so the server has had its turn
  expect(askStatus(native, server.path, 1000).stats.granted).toBe(2);
  client.endSending();
  expect(client.countReplies()).toBe(10); // each arrives after the one before was received
  expect(client.isClosed(1000)).toBe(true);
});

test("a silent client is closed after its time, others are not", async () => {
  await using server = await startServer({ args: ["--first-request-ms", "300"] });
  using used = new RawClient(server.path);
  expect(used.ask()).toBe(0);
  using silent = new RawClient(server.path);
  expect(silent.isClosed(5000)).toBe(true);
  await server.program.says(/asked nothing/);
  expect(used.ask()).toBe(0);
});

test("a client of another PID namespace has no number in the words of the log", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  const bounds = ["--first-request-ms", "300", "--max-connections-per-user", "1"];
  await using server = here.spawn([...OWN_MACHINE, XSOCKET, "serve", path, ...bounds]);
  await server.says(/serving at/);
  using silent = new RawClient(path);
  using second = new RawClient(path);
  expect(second.reply()).toBe(-errno.EMFILE);
  await server.says(/refused a process of uid 0 in another PID namespace: the user has 1 conn/);
  expect(silent.isClosed(5000)).toBe(true);
  await server.says(/: a process of uid 0 in another PID namespace connected and asked nothing/);
});

test("a request that came in time is answered by a server that was stopped meanwhile", async () => {
  await using server = await startServer({ args: ["--first-request-ms", "1000"] });
  await server.program.says(/serving at/);
  const idle = server.sockets();
  using clients = rawClients(server.path, 100); // more than one wait takes
  await eventually("all to be accepted", () => server.sockets() === idle + 100);
  await server.program.pause();
  for (const client of clients) client.send();
  await Bun.sleep(1200);
  server.program.kill("SIGCONT");
  expect(clients.map((client) => client.reply())).toEqual(Array(100).fill(0));
});

test("a client that receives nothing is shut down after its time, and keeps its reply", async () => {
  await using server = await startServer({ args: ["--take-reply-ms", "300"] });
  await server.program.says(/serving at/);
  const idle = server.sockets();
  using client = new RawClient(server.path);
  client.send();
  await server.program.says(/does not receive/);
  // the connection stays, since its socket is in flight
  await eventually("the server's own copy to be closed", () => server.sockets() === idle + 1);
  expect(client.reply()).toBe(0);
  expect(client.isClosed(1000)).toBe(true);
  await eventually("the server to close", () => server.sockets() === idle);
});

test("at a user's bound the connection that was idle for longest makes room", async () => {
  await using server = await startServer({ args: ["--max-connections-per-user", "4"] });
  using clients = rawClients(server.path, 4);
  for (const client of clients) expect(client.ask()).toBe(0);
  expect(clients[0]?.ask()).toBe(0); // now the second one is the oldest
  expect(askOnce(server.path)).toBe(0);
  await eventually("the oldest to be closed", () => clients[1]?.isClosed());
  expect(clients.map((client) => client.isClosed())).toEqual([false, true, false, false]);
  expect(clients[0]?.ask()).toBe(0);
});

test("a connection whose client has a socket to receive yet makes no room", async () => {
  await using server = await startServer({ args: ["--max-connections-per-user", "4"] });
  await server.program.says(/serving at/);
  const idle = server.sockets();
  using silent = rawClients(server.path, 4);
  for (const client of silent) {
    client.send();
    await eventually("a reply", () => client.isReadable());
  }
  using more = rawClients(server.path, 20);
  for (const client of more) client.send();
  for (const client of more) expect(client.reply()).toBe(-errno.EMFILE);
  await eventually("those to be closed", () => server.sockets() === idle + 4);
  for (const client of silent) expect(client.reply()).toBe(0);
  await eventually("one to make room", () => askOnce(server.path) === 0);
});

test("a bound that the limit of open files does not allow is said, and none that fits", async () => {
  const args = ["--max-connections", "100", "--max-in-flight", "2000000000"];
  await using server = await startServer({ args });
  await server.program.says(/warning: --max-in-flight is \d+ instead of 2000000000: raise/);
  expect(server.program.stderr).not.toContain("--max-connections is");
});

test("the same at the bound of all together", async () => {
  await using server = await startServer({ args: ["--max-connections", "3"] });
  using clients = rawClients(server.path, 3);
  for (const client of clients) expect(client.ask()).toBe(0);
  expect(askOnce(server.path)).toBe(0);
  await eventually("the oldest to be closed", () => clients[0]?.isClosed());
  expect(clients.map((client) => client.isClosed())).toEqual([true, false, false]);
});

test("who has all that there are hears of the bound of all, and can ask for the status first", async () => {
  await using server = await startServer({ args: ["--max-connections", "2"] });
  using _ = rawClients(server.path, 2);
  expect((await here.run([XSOCKET, "status", server.path])).stdout).toContain("3 of 2,");
  using more = rawClients(server.path, 8);
  using refused = new RawClient(server.path);
  expect(refused.reply()).toBe(-errno.ENFILE);
  expect(more.some((client) => client.isClosed())).toBe(false);
});

/* Keeps connections open until its input ends, after one request each if it is given one; prints the last reply. */
const HOLD = `import socket, sys
path, count, flags, *requests = sys.argv[1:]
held = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(int(count))]
for one in held: one.connect(path)
for one in held:
    for request in requests:
        one.send(bytes.fromhex(request))
        reply = one.recv(8, int(flags))
print("held", *(reply.hex() for _ in requests), flush=True)
sys.stdin.read()`;
const MSG_PEEK = 2;

/* A user's program that holds connections: silent ones, idle ones, or some with a reply to receive yet. */
async function holding(
  path: string,
  uid: number,
  count: number,
  how: "silent" | "idle" | "unread",
): Promise<Running> {
  const flags = how === "unread" ? MSG_PEEK : 0;
  const requests = how === "silent" ? [] : [REQUEST.toHex()];
  const argv = ["python3", "-c", HOLD, path, String(count), String(flags), ...requests];
  const program = here.spawn(asOrdinaryUser(argv, uid), { env: ORDINARY_ENV, stdin: "" });
  await program.says(/held.*\n/);
  return program;
}

test.if(isRoot)(
  "when others have all connections, root and the server's own user have some more",
  async () => {
    using dir = tempDir(0o755);
    const path = dir.join("control");
    const args = ["--mode", "0666", "--max-connections", "4"];
    await using server = await startServer({ path, args });
    await using users = new AsyncDisposableStack();
    users.use(await holding(path, 65534, 4, "silent"));
    expect((await here.run([XSOCKET, "status", path])).code).toBe(0);
    using own = rawClients(path, 4); // that user's own bound
    await eventually("all to be accepted", () => server.sockets() >= 1 + 8);
    users.use(await holding(path, 65533, 4, "silent"));
    await server.program.says(/refused process \d+ of uid 65533: there are 4 connections already/);
    expect(own.map((client) => client.ask())).toEqual(OKAY.slice(1));
  },
);

test.if(isRoot)(
  "two users who ask nothing leave the others room below the bound of all connections",
  async () => {
    using dir = tempDir(0o755);
    const path = dir.join("control");
    const args = ["--max-connections", "40", "--max-connections-per-user", "25"];
    await using server = await startServer({ path, args: [...args, "--mode", "0666"] });
    await using users = new AsyncDisposableStack();
    users.use(await holding(path, 65534, 25, "silent"));
    users.use(await holding(path, 65533, 25, "silent"));
    await server.program.says(/refused process \d+ of uid 65533: there are 30 connections already/);
    const third = users.use(await holding(path, 65532, 1, "idle"));
    expect(third.stdout).toBe("held 5853303200000000\n");
  },
);

test.if(isRoot)(
  "when all connections are taken a user of many does not get those of users of few",
  async () => {
    using dir = tempDir(0o755);
    const path = dir.join("control");
    const args = ["--max-connections", "40", "--max-connections-per-user", "40", "--mode", "0666"];
    await using server = await startServer({ path, args });
    await using users = new AsyncDisposableStack();
    users.use(await holding(path, 65534, 30, "silent"));
    users.use(await holding(path, 65533, 7, "idle"));
    users.use(await holding(path, 65532, 3, "idle"));
    users.use(await holding(path, 65534, 1, "silent"));
    await server.program.says(/refused process \d+ of uid 65534: there are 30 connections already/);
  },
);

test("those that are answered in one go make room for each other once they have received", async () => {
  await using server = await startServer({ args: ["--max-connections-per-user", "4"] });
  await server.program.pause();
  using clients = rawClients(server.path, 16); // in the backlog
  for (const client of clients) client.send();
  server.program.kill("SIGCONT");
  const replies = clients.map((client) => client.reply());
  // one that comes in the instant before another has received hears of the bound
  expect(replies.filter((reply) => reply !== 0 && reply !== -errno.EMFILE)).toEqual([]);
  expect(replies.slice(0, 4)).toEqual([0, 0, 0, 0]);
  await eventually("one to make room", () => askOnce(server.path) === 0);
});

test("a connection that has not asked yet does not make room: the next one hears so", async () => {
  await using server = await startServer({ args: ["--max-connections-per-user", "2"] });
  using clients = rawClients(server.path, 2);
  using refused = new RawClient(server.path);
  await refused.closing();
  expect(native.handoverSend(refused.fd, AF_INET, SOCK_STREAM, 0)).toBe(0);
  expect(refused.reply()).toBe(-errno.EMFILE);
  expect(clients.map((client) => client.ask())).toEqual([0, 0]);
  await eventually("one of them to make room", () => askOnce(server.path) === 0);
});

test("at a user's bound of sockets in flight the client hears ETOOMANYREFS", async () => {
  await using server = await startServer({ args: ["--max-in-flight-per-user", "5"] });
  using greedy = rawClients(server.path, 8);
  for (const client of greedy) client.send();
  for (const client of greedy) await eventually("a reply", () => client.isReadable());
  const replies = greedy.map((client) => client.reply());
  expect(replies.filter((reply) => reply === 0)).toHaveLength(5);
  expect(replies.filter((reply) => reply === -errno.ETOOMANYREFS)).toHaveLength(3);
  await server.program.says(/refused process \d+ of uid \d+: too many sockets in flight/);
  expect(greedy.map((client) => client.ask())).toEqual(Array(8).fill(0)); // all were received
});

test.if(isRoot)(
  "at the bound of all together every user hears it, until there is room",
  async () => {
    using dir = tempDir(0o755);
    const path = dir.join("control");
    const args = ["--mode", "0666", "--max-in-flight", "6", "--max-in-flight-per-user", "3"];
    await using _ = await startServer({ path, args });
    await using users = new AsyncDisposableStack();
    users.use(await holding(path, 65534, 3, "unread"));
    expect(askOnce(path)).toBe(0);
    const other = users.use(await holding(path, 65533, 3, "unread"));
    expect(askOnce(path)).toBe(-errno.ETOOMANYREFS);
    await other.endInput();
    await eventually("the bound to lift", () => askOnce(path) === 0);
  },
);

test.if(isRoot)(
  "two users who receive nothing leave the others room below the bound of all together",
  async () => {
    using dir = tempDir(0o755);
    const path = dir.join("control");
    await using _ = await startServer({ path, args: ["--mode", "0666", "--max-in-flight", "40"] });
    await using users = new AsyncDisposableStack();
    users.use(await holding(path, 65534, 25, "unread"));
    users.use(await holding(path, 65533, 25, "unread"));
    // all of the first user's, and of the second's as many as who has few may have
    expect(askStatus(native, path, 1000).stats).toMatchObject({
      inFlight: 33,
      refusedInFlight: 17,
    });
    expect(askOnce(path)).toBe(0);
  },
);

test("quotas hold over all threads: so many connections at once, so many sockets in a minute", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  const rule = plainRule("few", { connections: 3, socketsPerMinute: 20 });
  const limited = { source: "test", rules: [rule] };
  const policies = [{ source: "test", rules: [plainRule("all", {})] }];
  await using server = await serve({
    address: path,
    threads: 4,
    policy: () => policies.shift() ?? limited,
  });
  await crowd(path, process.pid, 4);
  await server.reload();
  const refused = -errno.EPERM;
  {
    using clients = rawClients(path, 5);
    expect(clients.map((client) => client.ask())).toEqual([0, 0, 0, refused, refused]);
    expect(clients.map((client) => client.ask())).toEqual([0, 0, 0, refused, refused]);
  }
  const answers: number[] = [];
  for (let n = 0; n < 20; n++) {
    // A connection counts until its thread has seen the end of it.
    await eventually("the connections to be gone", () => server.stats().connections === 0);
    answers.push(askOnce(path));
  }
  expect(answers.filter((answer) => answer === 0)).toHaveLength(14);
  expect(server.stats().refusals).toMatchObject({ connections: 4, "sockets per minute": 6 });
});

test("as many connections wait to be accepted as the backlog says", async () => {
  await using server = await startServer({ args: ["--backlog", "3"] });
  await server.program.pause();
  using waiting = rawClients(server.path, 4); // the kernel takes one more
  for (const client of waiting) client.send();
  expect(native.handoverConnect(server.path, 100)).toBe(-errno.ETIMEDOUT);
  server.program.kill("SIGCONT");
  expect(waiting.map((client) => client.reply())).toEqual(OKAY.slice(1));
});

test.each([
  ["sends nothing more", SHUT_WR],
  ["has hung up without closing", SHUT_RDWR],
])("who %s does not hide a socket in flight", async (_, how) => {
  await using server = await startServer({ args: ["--max-in-flight-per-user", "2"] });
  using sly = rawClients(server.path, 2);
  const [kept] = sly;
  expect(kept?.ask()).toBe(0); // so that the server waits for this one, and finds the other at once
  for (const client of sly) {
    client.send();
    await eventually("a reply", () => client.isReadable());
    native.shutdown(client.fd, how);
  }
  await Bun.sleep(20); // in which the server has seen that
  expect(askOnce(server.path)).toBe(-errno.ETOOMANYREFS);
  for (const client of sly) expect(client.reply()).toBe(0);
  await eventually("the bound to lift", () => askOnce(server.path) === 0);
  const connections = () => askStatus(native, server.path, 1000).stats.connections;
  await eventually("the others to be closed", () => connections() === 1);
});

test("a reply that was received counts no longer, whichever thread serves the connection", async () => {
  for (const bound of ["--max-in-flight", "--max-in-flight-per-user"]) {
    await using server = await startServer({ args: [bound, "1", "--threads", "3"] });
    await crowd(server.path, server.program.pid, 3);
    for (let i = 0; i < 300; i++) expect(askOnce(server.path)).toBe(0);
    using clients = rawClients(server.path, 5);
    for (let i = 0; i < 100; i++) expect(clients.map((client) => client.ask())).toEqual(OKAY);
  }
});

test("a client that sends its own descriptor and goes does not stay in flight", async () => {
  await using server = await startServer({
    args: ["--max-in-flight-per-user", "4", "--take-reply-ms", "300"],
  });
  for (let i = 0; i < 4; i++) {
    using client = new RawClient(server.path);
    client.send();
    await eventually("a reply", () => client.isReadable());
    client.send(REQUEST, client.fd);
  }
  await eventually("the bound to lift", () => askOnce(server.path) === 0);
});

test("neither does one that has sent as many empty packets as there is room for", async () => {
  await using server = await startServer({
    args: ["--max-in-flight-per-user", "1", "--take-reply-ms", "300"],
  });
  {
    using client = new RawClient(server.path);
    const size = new Int32Array(new ArrayBuffer(4)).fill(1 << 24); // the kernel cuts it to its limit
    expect(native.setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, size, 4)).toBe(0);
    client.send();
    await eventually("a reply", () => client.isReadable());
    while (native.sendPacket(client.fd, REQUEST, 0, client.fd) === 0);
  }
  await eventually("the bound to lift", () => askOnce(server.path) === 0);
});
