/* How servers of Node end, and that they can listen again. */
import { expect, test } from "bun:test";
import * as dgram from "node:dgram";
import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";
import { getOption, setOption } from "../../packages/client/src/_socket.ts";
import { listen, nodeBind, nodeListen, serve } from "@xsocket/client";
import { createNamespace, descriptors, eventually, here, startServer } from "../harness/index.ts";
import { portOf, rejection } from "./observed.ts";

const native = loadSyscalls();

/* The statuses of two requests over one connection, the second one sent once the first is answered. */
async function twoAnswers(port: number): Promise<number[]> {
  const socket = connect(port, "127.0.0.1");
  const statuses: number[] = [];
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  for await (const data of socket) {
    statuses.push(Number(String(data).split(" ")[1]));
    if (statuses.length === 2) break; // which destroys it
    await Bun.sleep(20);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  }
  return statuses;
}

test("a program with unreferenced node:http servers ends, and getConnections() works on them", async () => {
  await using server = await startServer();
  const program = `
    import * as http from "node:http";
    import { nodeListen } from "@xsocket/client";
    const via = process.argv[1];
    await nodeListen(http.createServer().unref(), { via });
    const server = await nodeListen(http.createServer(), { via });
    server.unref().ref();
    const letGo = () => server.unref().getConnections((_, count) => console.log(count));
    setTimeout(letGo, 100).unref(); // which is not called in a program that ends`;
  const ended = await here.run([process.execPath, "-e", program, server.path]);
  expect(ended.stdout, ended.stderr).toBe("0\n");
});

test("a node:http server that was closed and listens again keeps connections alive", async () => {
  await using server = await startServer();
  const web = http.createServer((_, response) => response.end("hello"));
  web.keepAliveTimeout = 1; // to which a second is added
  for (let i = 0; i < 3; i++) {
    await nodeListen(web, { via: server.path, host: "127.0.0.1" });
    if (i > 0) expect(await twoAnswers(portOf(web))).toEqual([200, 200]);
    const told = once(web, "close");
    await new Promise((resolve) => void web.close(resolve));
    await told;
    const again = await new Promise((resolve) => void web.close(resolve));
    expect(again).toMatchObject({ code: "ERR_SERVER_NOT_RUNNING" });
    await eventually("our listeners to be gone", () => web.listenerCount("request") === 1);
    expect(web.listenerCount("newListener")).toBe(0);
  }
});

test("a server that is closed before it listens does not listen, and can do so later", async () => {
  await using server = await startServer();
  const { path: via } = server;
  const host = "127.0.0.1";
  const slowly = async (): Promise<string[]> => {
    await Bun.sleep(100);
    return [host];
  };
  const slow = { via, host: "a.test", lookup: slowly };
  for (const each of [createServer(), http.createServer(), http2.createServer()]) {
    const close: unknown = Reflect.get(each, "close");
    const pending = rejection(nodeListen(each, slow));
    const told = await new Promise((resolve) => void each.close(resolve));
    expect(told).toMatchObject({ code: "ERR_SERVER_NOT_RUNNING" });
    expect(await pending).toMatchObject({ code: "ECANCELED", step: "listen", server: via });
    expect([each.listening, Reflect.get(each, "close") === close]).toEqual([false, true]);
    const stopper = new AbortController();
    const stopped = nodeListen(each, { ...slow, signal: stopper.signal });
    stopper.abort("enough");
    await expect(stopped).rejects.toBe("enough");
    const first = nodeListen(each, { via, host });
    const second = rejection(nodeListen(each, slow));
    await first;
    expect(await second).toMatchObject({ code: "EINVAL" });
    const [again] = await Promise.all([rejection(nodeListen(each, { via })), Bun.sleep(1)]);
    expect([again.code, each.listening]).toEqual(["EINVAL", true]);
    expect(await new Promise((resolve) => void each.close(resolve))).toBeUndefined();
  }
});

test("a server or socket that is closed just before its listening event ends the call, and no reused descriptor", async () => {
  await using server = await startServer();
  const place = { via: server.path, host: "127.0.0.1" };
  const own: number[] = [];
  const closed = <Open extends Server | dgram.Socket>(open: Open): Open => {
    open.close();
    for (let i = 0; i < 20; i++) own.push(native.socket(AF_INET, SOCK_STREAM, 0));
    return open;
  };
  const web = createServer();
  const start = web.listen.bind(web);
  web.listen = (at: unknown) => closed(start(at));
  await expect(nodeListen(web, place)).rejects.toMatchObject({ code: "ECANCELED", step: "listen" });
  expect(web.listening).toBe(false);
  const socket = dgram.createSocket("udp4");
  const bind = socket.bind.bind(socket);
  socket.bind = (...at: unknown[]) => closed(Reflect.apply(bind, socket, at));
  await expect(nodeBind(socket, place)).rejects.toMatchObject({ code: "ECANCELED", step: "bind" });
  for (const fd of own) expect(native.close(fd)).toBe(0);
});

test("a closed node:http server can be garbage-collected", async () => {
  await using server = await startServer();
  const closed = async (): Promise<WeakRef<http.Server>> => {
    const web = await nodeListen(http.createServer(), { via: server.path, host: "127.0.0.1" });
    await new Promise((resolve) => void web.close(resolve));
    return new WeakRef(web);
  };
  const all = await Promise.all(Array.from({ length: 20 }, closed));
  await eventually("most of them to be collected", () => {
    Bun.gc(true);
    return all.filter((web) => web.deref()).length < 10;
  });
});

test("a node:http server answers pending requests after close(), and can listen again meanwhile", async () => {
  await using server = await startServer();
  const answers: http.ServerResponse[] = [];
  const web = http.createServer((request, response) => {
    if (request.url === "/late") answers.push(response);
    else response.end("hello");
  });
  web.keepAliveTimeout = 0; // for ever
  const place = { via: server.path, host: "127.0.0.1" };
  const ends: Promise<unknown>[] = [];
  await nodeListen(web, place);
  expect(await twoAnswers(portOf(web))).toEqual([200, 200]);
  const late = fetch(`http://127.0.0.1:${portOf(web)}/late`);
  await eventually("the question", () => answers.length === 1);
  let isClosed = false;
  ends.push(new Promise((resolve) => web.close(resolve)).then(() => (isClosed = true)));
  await nodeListen(web, place);
  const half = connect(portOf(web), "127.0.0.1");
  await new Promise((resolve) => half.write("GET / HT", resolve));
  expect(await twoAnswers(portOf(web))).toEqual([200, 200]);
  expect(isClosed).toBe(false);
  answers[0]?.end("late");
  expect(await (await late).text()).toBe("late");
  await eventually("the first close", () => isClosed); // though its client keeps connections
  const open = connect(portOf(web), "127.0.0.1");
  open.write("GET /late HTTP/1.1\r\nhost: x\r\n\r\n");
  await eventually("another one", () => answers.length === 2);
  const idle = connect(portOf(web), "127.0.0.1");
  let answered = "";
  idle.on("data", (data) => void (answered += data.toString()));
  idle.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2));
  await eventually("both answers", () => answered.split("200 OK").length === 3);
  web.closeIdleConnections();
  await once(idle, "close");
  expect([open.closed, half.closed]).toEqual([false, false]);
  ends.push(new Promise((resolve) => web.close(resolve)));
  web.closeAllConnections(); // busy ones too
  await Promise.all(ends);
});

test("a closed node:http server still answers a request that has partly arrived", async () => {
  await using server = await startServer();
  const web = http.createServer((_, response) => response.end("hello"));
  web.keepAliveTimeout = 0; // for ever
  await nodeListen(web, { via: server.path, host: "127.0.0.1" });
  const idle = connect(portOf(web), "127.0.0.1");
  idle.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(idle, "data");
  let taken: Socket | undefined;
  web.on("connection", (socket) => (taken = socket));
  const client = connect(portOf(web), "127.0.0.1").on("error", () => {});
  client.write("GET / HTTP/1.1\r\n");
  await eventually("a part of the request", () => taken && taken.bytesRead > 0);
  const closed = new Promise((resolve) => web.close(resolve));
  client.write("host: x\r\n\r\n");
  expect((await client.toArray()).join("")).toContain("hello");
  await closed; // the idle connection does not delay it
});

test("a node:http server that listens in the target can listen in the own namespace only once closed", async () => {
  await using target = await createNamespace();
  await using control = await startServer({ place: target });
  const web = http.createServer((_, response) => response.end("hello"));
  await nodeListen(web, { via: control.path, host: "127.0.0.1" });
  const before = descriptors().size;
  expect(() => web.listen(0, "127.0.0.1")).toThrow("more than once");
  expect(descriptors().size).toBe(before);
  await new Promise((resolve) => void web.close(resolve));
  expect(web.listening).toBe(false);
  await once(web.listen(0, "127.0.0.1"), "listening");
  const port = portOf(web);
  expect([web.listening, here.listens("tcp", port), target.listens("tcp", port)]).toEqual([
    true,
    true,
    false,
  ]);
  await new Promise((resolve) => void web.close(resolve));
  expect([web.listening, here.listens("tcp", port)]).toEqual([false, false]);
});

test.each([
  ["net", () => createServer()],
  ["http", () => http.createServer()],
  ["dgram", () => dgram.createSocket("udp4")],
])(
  "a node:%s server that is closed in its listening event changes no reused descriptor",
  async (_, make) => {
    await using control = await startServer();
    const server = make();
    const own: number[] = [];
    server.on("listening", () => {
      server.close();
      for (let i = 0; i < 20; i++) own.push(native.socket(AF_INET, SOCK_STREAM, 0));
      for (const fd of own) setOption(fd, "SO_REUSEADDR", 1);
    });
    const through = { via: control.path, host: "127.0.0.1" };
    if (server instanceof dgram.Socket) await nodeBind(server, through);
    else await nodeListen(server, through);
    const seen = own.map((fd) => [getOption(fd, "SO_ACCEPTCONN"), getOption(fd, "SO_REUSEADDR")]);
    for (const fd of own) native.close(fd);
    expect(seen).toEqual(Array.from({ length: 20 }, () => [0, 1]));
  },
);

test("a port whose server has just closed connections can be listened at again at once", async () => {
  await using server = await startServer();
  const place = { via: server.path, host: "127.0.0.1" };
  const socket: Bun.SocketHandler = { open: (opened) => void opened.end(), data() {} };
  const forms: ((port: number) => Promise<{ port: number | undefined } & Disposable>)[] = [
    (port) => listen({ ...place, port, socket }),
    (port) => serve({ ...place, port, fetch: () => new Response() }),
    async (port) => {
      const net = createServer((opened) => opened.end());
      await nodeListen(net, { ...place, port });
      return { port: portOf(net), [Symbol.dispose]: () => void net.close() };
    },
  ];
  for (const start of forms) {
    let used = 0;
    for (let i = 0; i < 2; i++) {
      using listener = await start(used);
      used = listener.port ?? 0;
      const peer = connect(used, "127.0.0.1").resume();
      if (start === forms[1]) peer.write("GET / HTTP/1.0\r\n\r\n");
      await once(peer, "close");
    }
  }
});
