/* Bounds of the sockets that clients have not received yet. */
import { expect, test } from "bun:test";
import { askStatus } from "@xsocket/server";
import { errno, SHUT_RDWR, SHUT_WR, SOL_SOCKET } from "@xsocket/xbind-native";
import { eventually, isRoot, startServer } from "../harness/index.ts";
import { holding } from "./holding.ts";
import { askOnce, crowd, native, rawClients, RawClient, REQUEST } from "./raw.ts";

const SO_SNDBUF = 7;

test("sends the next reply only when the client has received the one before", async () => {
  await using server = await startServer();
  using client = new RawClient(server.path);
  for (let i = 0; i < 10; i++) expect(client.send()).toBe(REQUEST.byteLength);
  await eventually("the first reply", () => client.isReadable());
  expect(askOnce(server.path)).toBe(0); // so the server had time for more replies
  expect(askStatus(native, server.path, 1000).stats.granted).toBe(2);
  client.endSending();
  expect(client.countReplies()).toBe(10); // each arrives after the one before was received
  expect(client.isClosed(1000)).toBe(true);
});

test("answers ETOOMANYREFS at the user's bound of sockets in flight", async () => {
  await using server = await startServer({ args: ["--max-in-flight-per-user", "5"] });
  using greedy = rawClients(server.path, 8);
  for (const client of greedy) client.send();
  for (const client of greedy) await eventually("a reply", () => client.isReadable());
  const replies = greedy.map((client) => client.reply());
  expect(replies.filter((reply) => reply === 0)).toHaveLength(5);
  expect(replies.filter((reply) => reply === -errno.ETOOMANYREFS)).toHaveLength(3);
  await server.program.says(/refused process \d+ of uid \d+: too many sockets in flight/);
  expect(greedy.map((client) => client.ask())).toEqual(Array(8).fill(0)); // all replies have been received
});

test.if(isRoot)(
  "two users with unread sockets leave others room below the bound for all",
  async () => {
    await using server = await startServer({ args: ["--mode", "0666", "--max-in-flight", "40"] });
    const { path } = server;
    await using users = new AsyncDisposableStack();
    users.use(await holding(path, 65534, 25, "unread"));
    users.use(await holding(path, 65533, 25, "unread"));
    // all 25 of the first user, and 8 of the second, who then no longer has few
    expect(askStatus(native, path, 1000).stats).toMatchObject({
      inFlight: 33,
      refusedInFlight: 17,
    });
    expect(askOnce(path)).toBe(0);
  },
);

test.each([
  ["sends nothing more", SHUT_WR],
  ["has hung up without closing", SHUT_RDWR],
])("a client that %s does not hide a socket in flight", async (_, how) => {
  await using server = await startServer({ args: ["--max-in-flight-per-user", "2"] });
  using sly = rawClients(server.path, 2);
  const [kept] = sly;
  expect(kept?.ask()).toBe(0); // so that the server waits for events of this one and has just accepted the other
  for (const client of sly) {
    client.send();
    await eventually("a reply", () => client.isReadable());
    native.shutdown(client.fd, how);
  }
  await Bun.sleep(20); // time for the server to notice
  expect(askOnce(server.path)).toBe(-errno.ETOOMANYREFS);
  for (const client of sly) expect(client.reply()).toBe(0);
  await eventually("the bound to lift", () => askOnce(server.path) === 0);
  const connections = () => askStatus(native, server.path, 1000).stats.connections;
  await eventually("the others to be closed", () => connections() === 1);
});

test("a received reply counts no longer, whichever thread serves the connection", async () => {
  for (const bound of ["--max-in-flight", "--max-in-flight-per-user"]) {
    await using server = await startServer({ args: [bound, "1", "--threads", "3"] });
    await crowd(server.path, server.program.pid, 3);
    for (let i = 0; i < 300; i++) expect(askOnce(server.path)).toBe(0);
    using clients = rawClients(server.path, 5);
    for (let i = 0; i < 100; i++)
      expect(clients.map((client) => client.ask())).toEqual([0, 0, 0, 0, 0]);
  }
});

test("a client that sends its own descriptor and exits does not stay in flight", async () => {
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

test("a client that fills its send queue with empty packets does not stay in flight", async () => {
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
