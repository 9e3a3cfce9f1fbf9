/* Bounds on what a client can make a server hold, so that others are not affected. */
import { expect, test } from "bun:test";
import { AF_INET, AF_UNIX, encode, SOCK_STREAM } from "@xsocket/protocol";
import { plainRule, serve } from "@xsocket/server";
import { errno } from "@xsocket/xbind-native";
import {
  eventually,
  here,
  isRoot,
  OWN_MACHINE,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { holding } from "./holding.ts";
import { type Load, loadProgram, runLoad } from "./load.ts";
import { askOnce, crowd, native, rawClients, RawClient } from "./raw.ts";

const OKAY = [0, 0, 0, 0];

test("closes a client that sends no request in time, and no other", async () => {
  await using server = await startServer({ args: ["--first-request-ms", "1000"] });
  using used = new RawClient(server.path);
  expect(used.ask()).toBe(0);
  using silent = new RawClient(server.path);
  expect(silent.isClosed(5000)).toBe(true);
  await server.program.says(/asked nothing/);
  expect(used.ask()).toBe(0);
});

test("logs a client of another PID namespace without a process number", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  const bounds = ["--first-request-ms", "1000", "--max-connections-per-user", "1"];
  await using server = here.spawn([...OWN_MACHINE, XSOCKET, "serve", path, ...bounds]);
  await server.says(/serving at/);
  using silent = new RawClient(path);
  using second = new RawClient(path);
  expect(second.reply()).toBe(-errno.EMFILE);
  await server.says(/refused a process of uid 0 in another PID namespace: the user has 1 conn/);
  expect(silent.isClosed(5000)).toBe(true);
  await server.says(/: a process of uid 0 in another PID namespace connected and asked nothing/);
});

test("answers requests that came in time although the server was stopped for longer", async () => {
  await using server = await startServer({ args: ["--first-request-ms", "3000"] });
  const idle = server.sockets();
  using clients = rawClients(server.path, 100); // more events than one wait returns
  await eventually("all to be accepted", () => server.sockets() === idle + 100);
  await server.program.pause();
  for (const client of clients) client.send();
  await Bun.sleep(3200);
  server.program.kill("SIGCONT");
  expect(clients.map((client) => client.reply())).toEqual(Array(100).fill(0));
});

test("shuts down a client that does not receive its reply in time, and leaves the reply", async () => {
  await using server = await startServer({ args: ["--take-reply-ms", "300"] });
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

test.each([
  ["the user's bound", "--max-connections-per-user 4"],
  ["the bound for all users", "--max-connections 4 --max-connections-per-user 4"],
])("closes the least recently used connection at %s", async (_, bounds) => {
  await using server = await startServer({ args: bounds.split(" ") });
  using clients = rawClients(server.path, 4);
  for (const client of clients) expect(client.ask()).toBe(0);
  expect(clients[0]?.ask()).toBe(0); // now the second one is the least recently used
  expect(askOnce(server.path)).toBe(0);
  await eventually("the oldest to be closed", () => clients[1]?.isClosed());
  expect(clients.map((client) => client.isClosed())).toEqual([false, true, false, false]);
  expect(clients[0]?.ask()).toBe(0);
});

test("does not close a connection with an unread socket at the bound", async () => {
  await using server = await startServer({ args: ["--max-connections-per-user", "4"] });
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

test.each([
  [
    "a bound",
    "--max-connections 100 --max-in-flight 2000000000",
    "--max-in-flight is \\d+ instead of 2000000000",
  ],
  [
    "a bound for each user",
    // what is above 9 has no effect anyway
    "--max-connections-per-user 7000 --max-in-flight 9 --max-in-flight-per-user 7000",
    "--max-connections-per-user is 165 instead of 7000",
  ],
])("warns of %s that the limit of open files does not allow", async (_, words, warning) => {
  const before = ["prlimit", "--nofile=300"];
  await using server = await startServer({ before, args: words.split(" ") });
  await server.program.says(new RegExp(`warning: ${warning}: raise`));
  expect(server.program.stderr.match(/ instead of /g)).toHaveLength(1);
});

test("warns of a bound for each user above that for all, unless both are given", async () => {
  const each = ["--max-connections-per-user", "7", "--max-in-flight-per-user", "9000"];
  await using server = await startServer({ args: [...each, "--max-connections", "5"] });
  // the second where the limit of open files is below 16384
  await server.program.says(
    /--max-in-flight-per-user is (8192 instead of 9000: raise --max-in-flight as well|\d+ instead of 8192: raise the limit)/,
  );
  expect(server.program.stderr.match(/ instead of /g)).toHaveLength(1);
});

test("the server's own user gets eight connections beyond the bound for all, then ENFILE", async () => {
  await using server = await startServer({ args: ["--max-connections", "2"] });
  using _ = rawClients(server.path, 2);
  expect((await here.run([XSOCKET, "status", server.path])).stdout).toContain("3 of 2,");
  using more = rawClients(server.path, 8);
  using refused = new RawClient(server.path);
  expect(refused.reply()).toBe(-errno.ENFILE);
  expect(more.some((client) => client.isClosed())).toBe(false);
});

test.if(isRoot)(
  "one user with silent connections leaves others room where only the total is set",
  async () => {
    await using server = await startServer({ args: ["--mode", "0666", "--max-connections", "40"] });
    const { path } = server;
    await using _ = await holding(path, 65534, 40, "silent");
    await server.program.says(
      /refused process \d+ of uid 65534: the user has 30 connections already/,
    );
    await using other = await holding(path, 65533, 1, "idle");
    expect(other.stdout).toBe("held 5853303200000000\n");
  },
);

test.if(isRoot)(
  "two users with silent connections leave others room below the bound for all",
  async () => {
    const bounds = ["--max-connections", "40", "--max-connections-per-user", "25"];
    await using server = await startServer({ args: ["--mode", "0666", ...bounds] });
    const { path } = server;
    await using users = new AsyncDisposableStack();
    users.use(await holding(path, 65534, 25, "silent"));
    users.use(await holding(path, 65533, 25, "silent"));
    await server.program.says(/refused process \d+ of uid 65533: there are 30 connections already/);
    const third = users.use(await holding(path, 65532, 1, "idle"));
    expect(third.stdout).toBe("held 5853303200000000\n");
  },
);

test.if(isRoot)("a user with many connections does not evict those of users with few", async () => {
  const bounds = ["--max-connections", "40", "--max-connections-per-user", "40"];
  await using server = await startServer({ args: ["--mode", "0666", ...bounds] });
  const { path } = server;
  await using users = new AsyncDisposableStack();
  users.use(await holding(path, 65534, 30, "silent"));
  users.use(await holding(path, 65533, 7, "idle"));
  users.use(await holding(path, 65532, 3, "idle"));
  users.use(await holding(path, 65534, 1, "silent"));
  await server.program.says(/refused process \d+ of uid 65534: there are 30 connections already/);
});

test("connections answered in one step make room once their replies are received", async () => {
  await using server = await startServer({ args: ["--max-connections-per-user", "4"] });
  await server.program.pause();
  using clients = rawClients(server.path, 16); // in the backlog
  for (const client of clients) client.send();
  server.program.kill("SIGCONT");
  const replies = clients.map((client) => client.reply());
  // one that is accepted just before another has received its reply gets EMFILE
  expect(replies.filter((reply) => reply !== 0 && reply !== -errno.EMFILE)).toEqual([]);
  expect(replies.slice(0, 4)).toEqual([0, 0, 0, 0]);
  await eventually("one to make room", () => askOnce(server.path) === 0);
});

test("does not close a connection whose request waits for its turn at the user's bound", async () => {
  await using server = await startServer({ args: ["--max-connections-per-user", "100"] });
  using clients = rawClients(server.path, 100); // more events than one wait returns
  // a socket that the server does not know to be received would keep its connection from being closed
  const refused = encode({ kind: "request", domain: AF_UNIX, type: SOCK_STREAM, protocol: 0 });
  for (const client of clients) expect(client.ask(refused)).toBe(-errno.EPERM);
  await server.program.pause();
  for (const client of clients) client.send();
  using _ = rawClients(server.path, 10);
  server.program.kill("SIGCONT");
  expect(clients.map((client) => client.reply())).toEqual(Array(100).fill(0));
});

test("does not close a connection without a request yet at the user's bound", async () => {
  await using server = await startServer({ args: ["--max-connections-per-user", "2"] });
  using clients = rawClients(server.path, 2);
  using refused = new RawClient(server.path);
  await refused.closing();
  expect(native.handoverSend(refused.fd, AF_INET, SOCK_STREAM, 0)).toBe(0);
  expect(refused.reply()).toBe(-errno.EMFILE);
  expect(clients.map((client) => client.ask())).toEqual([0, 0]);
  await eventually("one of them to make room", () => askOnce(server.path) === 0);
});

test("quotas of connections and of sockets per minute hold across threads", async () => {
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
  // just after a refusal they may still count
  await eventually("the connections to be gone", () => server.stats().connections === 0);
  const answers: number[] = [];
  for (let n = 0; n < 20; n++) answers.push(askOnce(path));
  expect(answers.filter((answer) => answer === 0)).toHaveLength(14);
  expect(server.stats().refusals).toMatchObject({ connections: 4, "sockets per minute": 6 });
});

const FOUR_AT_ONCE = [
  ["under a quota", { policy: '[[rule]]\naction = "allow"\nconnections = 4\n' }, []],
  ["at a user's bound", {}, ["--max-connections-per-user", "4"]],
] as const;

test.each(FOUR_AT_ONCE)(
  "four clients that ask with a connection each time have four at once %s",
  async (_, how, bounds) => {
    using dir = tempDir();
    const program = loadProgram(dir);
    await using server = await startServer({ ...how, args: ["--mode", "0666", ...bounds] });
    const load: Load = { mode: "call", callers: 4, seconds: 0.4 };
    expect(await runLoad(program, server.path, load)).toMatchObject({ failed: 0, said: "" });
  },
);

test.each(FOUR_AT_ONCE)(
  "a client with four connections may replace one at once, whichever thread has it, %s",
  async (_, how, bounds) => {
    await using server = await startServer({ ...how, args: ["--threads", "4", ...bounds] });
    await crowd(server.path, server.program.pid, 4);
    using kept = rawClients(server.path, 3);
    const answers = kept.map((client) => client.ask());
    for (let n = 0; n < 500; n++) {
      using client = new RawClient(server.path);
      answers.push(client.ask(), client.ask()); // after the second one it may be another thread's
    }
    answers.push(...kept.map((client) => client.ask()));
    expect(answers.filter((answer) => answer !== 0)).toEqual([]);
  },
);

test("lets one connection more than the backlog wait", async () => {
  await using server = await startServer({ args: ["--backlog", "3"] });
  await server.program.pause();
  using waiting = rawClients(server.path, 4); // the kernel lets one more wait
  for (const client of waiting) client.send();
  expect(native.handoverConnect(server.path, 100)).toBe(-errno.ETIMEDOUT);
  server.program.kill("SIGCONT");
  expect(waiting.map((client) => client.reply())).toEqual(OKAY);
});
