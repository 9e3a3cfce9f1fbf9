/* The timeouts and limits of node:http servers, which hold as with Bun's own. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import * as http from "node:http";
import { connect } from "node:net";
import { nodeListen } from "@xsocket/client";
import { eventually, hasIpv6, startServer } from "../harness/index.ts";
import { portOf } from "./observed.ts";

const HEAD = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const BODY = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc";
const UPGRADE = HEAD.replace("\r\n\r\n", "\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
const LONG_MS = 5000;

/* The answer to a connection that sends this text, and whether the server closes it before we do. */
async function exchange(port: number, text: string, waitMs = LONG_MS): Promise<[string, boolean]> {
  const socket = connect(port, "127.0.0.1").on("error", () => {}); // a reset is an end, too
  let answer = "";
  socket.on("data", (data) => void (answer += data.toString()));
  await once(socket, "connect");
  if (text) socket.write(text);
  const ended = await Promise.race([
    new Promise<true>((resolve) => socket.once("close", () => resolve(true))),
    Bun.sleep(waitMs).then(() => false),
  ]);
  socket.destroy();
  return [answer, ended];
}

/* A server with these limits that answers after a delay, /at-once excepted. */
async function start(via: string, limits: Partial<http.Server>, afterMs = 0) {
  const web = http.createServer((request, response) => {
    const waitMs = request.url === "/at-once" ? 0 : afterMs;
    request.resume().on("end", () => setTimeout(() => response.end(request.url), waitMs));
  });
  Object.assign(web, limits);
  await nodeListen(web, { via, host: "127.0.0.1" });
  const stop = (): Promise<void> => new Promise((resolve) => void web.close(() => resolve()));
  return { web, port: portOf(web), [Symbol.asyncDispose]: stop };
}

test.skipIf(!hasIpv6)("silent, slow and idle connections are closed", async () => {
  await using server = await startServer();
  const limits = { headersTimeout: 200, requestTimeout: 200, keepAliveTimeout: 50 };
  await using started = await start(server.path, limits);
  const { port } = started;
  const all = ["", HEAD.slice(0, 20), BODY, HEAD].map((text) => exchange(port, text));
  const ended = (await Promise.all(all)).map(([, end]) => end);
  expect(ended).toEqual([true, true, true, true]);
});

test.skipIf(!hasIpv6)(
  "a connection stays open while the server works on its answer, and after an upgrade",
  async () => {
    await using server = await startServer();
    // less than the answer takes, and enough for a request on a busy machine
    const limits = { headersTimeout: 1000, requestTimeout: 1000, keepAliveTimeout: 1 };
    await using started = await start(server.path, limits, 1500);
    const { web, port } = started;
    web.on("upgrade", (_, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
      setTimeout(() => socket.end("upgraded"), 1500);
    });
    const two = `${HEAD.replace("/", "/at-once")}${HEAD}`; // the second before the first is answered
    const [slow, upgraded, both] = await Promise.all(
      [HEAD, UPGRADE, two].map((text) => exchange(port, text)),
    );
    expect(slow?.[0]).toContain("200 OK");
    expect(upgraded?.[0]).toEndWith("upgraded");
    expect(both?.[0].match(/200 OK/g)).toHaveLength(2);
  },
);

test("a body that is still sent after its answer may take requestTimeout, but may not stall", async () => {
  await using server = await startServer();
  const { promise, resolve } = Promise.withResolvers<string>();
  await using web = http.createServer((request, response) => {
    let body = "";
    request.on("data", (data) => void (body += String(data))).on("end", () => resolve(body));
    response.end("answered");
  });
  Object.assign(web, { keepAliveTimeout: 1, requestTimeout: 60_000 });
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const port = portOf(web);
  const head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ";
  const slow = connect(port, "127.0.0.1")
    .on("error", () => {})
    .resume();
  const cutOff = once(slow, "close").then(() => "cut off");
  slow.write(`${head}8\r\n\r\n`);
  for (let i = 0; i < 8; i++) {
    await Bun.sleep(200); // together longer than an idle connection is kept
    slow.write("b");
  }
  expect(await Promise.race([promise, cutOff])).toBe("bbbbbbbb");
  slow.destroy();
  web.requestTimeout = 100;
  const endless = connect(port, "127.0.0.1").on("error", () => {});
  endless.resume().write(`${head}999\r\n\r\n`);
  const drip = setInterval(() => void endless.write("b"), 200);
  await eventually("the endless one to be ended", () => endless.closed);
  clearInterval(drip);
  web.requestTimeout = 60_000;
  expect((await exchange(port, `${head}9\r\n\r\nabc`))[1]).toBe(true);
});

test.each([
  ["upgrade", UPGRADE, true],
  ["upgrade", UPGRADE, false],
  ["connect", "CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\n", true],
])(
  "after the event %s a connection no longer belongs to the server (%j, handler added before listening: %p)",
  async (event, question, isEarly) => {
    await using server = await startServer();
    const web = http.createServer();
    const upgrade = (): void => {
      web.on(event, (_, upgraded) => {
        upgraded.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n");
        setImmediate(() => void web.close()); // which ends the idle ones
        setTimeout(() => upgraded.end("upgraded"), 1500);
      });
    };
    if (isEarly) upgrade();
    Object.assign(web, { headersTimeout: 1000 });
    await nodeListen(web, { via: server.path, host: "127.0.0.1" });
    const accepted = once(web, "connection");
    const socket = connect(portOf(web), "127.0.0.1");
    const closed = once(socket, "close");
    await accepted; // so that the request comes within headersTimeout, even on a busy machine
    if (!isEarly) upgrade();
    let answer = "";
    socket.on("data", (data) => void (answer += data.toString()));
    socket.write(question);
    await closed;
    expect(answer).toEndWith("upgraded");
  },
);

test.each([
  ["checkContinue", "100-continue"],
  ["checkExpectation", "a word"],
])(
  "a request that is passed to %s is not cut off by headersTimeout or keepAliveTimeout",
  async (event, expected) => {
    await using server = await startServer();
    const limits = { headersTimeout: 800, requestTimeout: 0, keepAliveTimeout: 1 }; // the body ends later
    await using started = await start(server.path, limits);
    started.web.on(event, (request: http.IncomingMessage, response: http.ServerResponse) => {
      request.resume().on("end", () => response.end("whole"));
    });
    const socket = connect(started.port, "127.0.0.1").on("error", () => {});
    socket.write(BODY.replace("\r\n\r\n", `\r\nexpect: ${expected}\r\n\r\n`));
    setTimeout(() => socket.write("defghi"), 1000);
    expect((await socket.toArray()).join("")).toEndWith("whole");
  },
);

test("a connection that is reset in the middle of its answer can be garbage-collected", async () => {
  await using server = await startServer();
  await using web = http.createServer((_, response) => void response.write("half "));
  web.keepAliveTimeout = 60_000;
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const seen: WeakRef<object>[] = [];
  web.on("connection", (socket) => void seen.push(new WeakRef(socket)));
  for (let i = 0; i < 20; i++) {
    const client = connect(portOf(web), "127.0.0.1").on("error", () => {});
    client.write(HEAD);
    await once(client, "data");
    client.resetAndDestroy();
  }
  await eventually("most of them to be collected", () => {
    Bun.gc(true);
    return seen.filter((socket) => socket.deref()).length < 10;
  });
});

test("the timeout of a server ends a connection or emits 'timeout', and limits of 0 mean none", async () => {
  await using server = await startServer();
  await using quiet = await start(server.path, { timeout: 800 }, LONG_MS); // enough for a request on a busy machine
  expect((await exchange(quiet.port, HEAD))[1]).toBe(true);
  quiet.web.on("upgrade", (_, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    setTimeout(() => socket.end("upgraded"), 1200); // it is no longer the server's
  });
  expect((await exchange(quiet.port, UPGRADE))[0]).toEndWith("upgraded");
  const told: unknown[] = [];
  quiet.web.on("timeout", (socket) => {
    told.push(socket.remoteAddress);
    setTimeout(() => socket.end("too late"), 100);
  });
  expect(await exchange(quiet.port, HEAD)).toEqual(["too late", true]);
  expect(told).toEqual(["127.0.0.1"]);
  const unlimited = { headersTimeout: 2 ** 40, requestTimeout: 0, keepAliveTimeout: 0 };
  await using patient = await start(server.path, unlimited);
  expect((await exchange(patient.port, HEAD, 1500))[1]).toBe(false);
  expect((await exchange(patient.port, "", 500))[1]).toBe(false);
});

test("requests past maxRequestsPerSocket are answered with 503", async () => {
  await using server = await startServer();
  await using started = await start(server.path, { maxRequestsPerSocket: 2 });
  const last = HEAD.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
  const [answer] = await exchange(started.port, HEAD.repeat(2) + last);
  expect(answer.match(/(?<=HTTP\/1.1 )\d+/g)).toEqual(["200", "200", "503"]);
});

test("a node:http server drops connections past maxConnections", async () => {
  await using control = await startServer();
  await using web = http.createServer((_, response) => response.end("hello"));
  await nodeListen(web, { via: control.path, host: "127.0.0.1" });
  web.maxConnections = 1;
  const dropped = once(web, "drop");
  const kept = connect(portOf(web), "127.0.0.1");
  kept.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  expect(String(await once(kept, "data"))).toContain("200 OK");
  const other = connect(portOf(web), "127.0.0.1").on("error", () => {});
  expect(await dropped).toMatchObject([{ remoteAddress: "127.0.0.1" }]);
  await eventually("the other one to be closed", () => other.closed);
  expect(kept.closed).toBe(false);
  kept.destroy();
});
