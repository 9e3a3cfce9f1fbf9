/* The modules of Node with sockets of the target namespace. */
import { expect, test } from "bun:test";
import * as dgram from "node:dgram";
import { getEventListeners, once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import { connect, createServer, type Socket } from "node:net";
import * as tls from "node:tls";
import { AF_INET, SOCK_STREAM } from "@xsocket/protocol";
import { loadSyscalls } from "@xsocket/xbind-native";
import { getOption, setOption } from "../../packages/client/src/_socket.ts";
import {
  HttpAgent,
  HttpsAgent,
  listen,
  nodeBind,
  nodeConnect,
  nodeListen,
  serve,
} from "@xsocket/client";
import {
  createNamespace,
  descriptors,
  eventually,
  guardDescriptors,
  here,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { makeCertificate } from "./certificate.ts";
import { portOf, rejection } from "./observed.ts";

guardDescriptors();

const native = loadSyscalls();

test("node:net, node:http, node:tls and node:dgram work in the target", async () => {
  using dir = tempDir();
  const certificate = await makeCertificate(dir.path, "web.test");
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const { path: via } = server;
  const web = http.createServer((request, response) => response.end(`seen ${request.url}`));
  await nodeListen(web, { via, host: "127.0.0.1" });
  const secure = tls.createServer(certificate, (socket) => void web.emit("connection", socket));
  await nodeListen(secure, { via, host: "127.0.0.1" });
  const [plainPort, securePort] = [portOf(web), portOf(secure)];
  expect([target.listens("tcp", plainPort), here.listens("tcp", plainPort)]).toEqual([true, false]);
  const pages = [`http://127.0.0.1:${plainPort}/a`, `https://127.0.0.1:${securePort}/b`];
  const { stdout } = await target.run(["curl", "-sSk", ...pages]);
  expect(stdout).toBe("seen /aseen /b");

  const agent = new HttpAgent({ via }, { keepAlive: true });
  const body = await new Promise((resolve, reject) => {
    const get = http.get({ host: "127.0.0.1", port: plainPort, path: "/c", agent }, (response) => {
      response.setEncoding("utf8").on("data", resolve);
    });
    get.on("error", reject);
  });
  expect(body).toBe("seen /c");
  const from = await new Promise((resolve, reject) => {
    web.once("request", ({ socket }) => resolve(socket.remoteAddress));
    const options = { host: "127.0.0.1", port: plainPort, localAddress: "127.0.0.5", agent };
    http.get(options, (response) => response.resume()).on("error", reject);
  });
  expect(from).toBe("127.0.0.5");
  for (const option of [{ socketPath: "/tmp/none" }, { lookup: () => {} }, { family: 6 }]) {
    const get = (): unknown => http.get({ host: "web.test", ...option, agent });
    expect(get).toThrow(expect.objectContaining({ code: "ENOTSUP", step: "options" }));
  }
  agent.destroy();
  const socket = await nodeConnect({ via, host: "localhost", port: plainPort });
  const answered = new Promise<string>((resolve) => {
    socket.on("data", (data) => resolve(data.toString()));
  });
  socket.write("GET /d HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  expect(await answered).toContain("200 OK");
  socket.destroy();
  await Promise.all([web, secure].map((each) => new Promise((resolve) => each.close(resolve))));
  expect(target.listens("tcp", plainPort)).toBe(false);

  const datagrams = await nodeBind(dgram.createSocket("udp4"), { via, host: "127.0.0.1" });
  datagrams.on("message", (data, { port, address }) => datagrams.send(data, port, address));
  const socat = ["socat", "-t2", "-", `UDP:127.0.0.1:${datagrams.address().port}`];
  expect((await target.run(socat, { stdin: "ping" })).stdout).toBe("ping");
  await new Promise<void>((resolve) => datagrams.close(resolve));
});

test("connect() of a socket of nodeConnect throws, instead of connecting in the own namespace", async () => {
  await using target = await createNamespace();
  await using control = await startServer({ place: target });
  const own = createServer((socket) => socket.end("own")).listen(0, "127.0.0.1");
  await eventually("the own server to listen", () => own.listening);
  const { path: via } = control;
  const there = createServer((socket) => socket.end("there"));
  await nodeListen(there, { via, host: "127.0.0.1", port: portOf(own) });
  const socket = await nodeConnect({ via, host: "127.0.0.1", port: portOf(own) });
  const again = (): unknown => socket.connect(portOf(own), "127.0.0.1");
  expect(again).toThrow(expect.objectContaining({ code: "ENOTSUP", step: "options" }));
  let text = "";
  for await (const data of socket) text += String(data);
  expect(text).toBe("there");
  expect(again).toThrow(expect.objectContaining({ code: "ENOTSUP" }));
  await Promise.all([own, there].map((each) => new Promise((resolve) => each.close(resolve))));
});

test("Bun's undici and node-fetch do not use a given agent, as sdk.md says", async () => {
  const program = `
    import fetch from "node-fetch";
    import { Agent, request } from "undici";
    import { HttpAgent, nodeConnect } from "@xsocket/client";
    using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("own") });
    const through = { via: "/run/xsocket/nowhere" };
    const connect = ({ hostname: host, port }, done) =>
      nodeConnect({ ...through, host, port }).then((socket) => done(null, socket), done);
    console.log(await (await fetch(server.url, { agent: new HttpAgent(through) })).text());
    const { body } = await request(server.url, { dispatcher: new Agent({ connect }) });
    console.log(await body.text());`;
  const ended = await here.run([process.execPath, "-e", program]);
  expect(ended.stdout, ended.stderr).toBe("own\nown\n");
});

test("servers and sockets that are already bound or of a wrong kind are rejected, and nothing stays open", async () => {
  await using server = await startServer();
  const { path: via } = server;
  const plain = createServer();
  const web = http.createServer();
  for (const one of [plain, web]) {
    const none = descriptors().size;
    const [, second] = await Promise.allSettled([
      nodeListen(one, { via }),
      nodeListen(one, { via }),
    ]);
    expect(second).toMatchObject({ status: "rejected", reason: { code: "EINVAL" } });
    const before = descriptors().size;
    await expect(nodeListen(one, { via })).rejects.toMatchObject({ code: "EINVAL" });
    expect(descriptors().size).toBe(before);
    expect(one.listenerCount("error")).toBe(0);
    await new Promise((resolve) => one.close(resolve));
    await eventually("what listened to close", () => descriptors().size <= none);
  }
  const datagrams = await nodeBind(dgram.createSocket("udp4"), { via });
  const before = descriptors().size;
  await expect(nodeBind(datagrams, { via })).rejects.toMatchObject({
    code: "ERR_SOCKET_ALREADY_BOUND",
  });
  expect(descriptors().size).toBe(before);
  expect(datagrams.listenerCount("error")).toBe(0);
  await new Promise<void>((resolve) => datagrams.close(resolve));
  const stream: unknown = createServer();
  // @ts-expect-error -- no socket of node:dgram
  await expect(nodeBind(stream, { via })).rejects.toThrow(/: the socket is \[Server\] /);
  for (const [none, code] of [
    [https.createServer(), "ENOTSUP"],
    [() => {}, "EINVAL"], // such as an app of Express
  ]) {
    const refused: unknown = Reflect.apply(nodeListen, undefined, [none, { via }]);
    await expect(refused).rejects.toMatchObject({ code, step: "options" });
  }
  const udp6 = dgram.createSocket("udp6");
  await expect(nodeBind(udp6, { via, host: "127.0.0.1" })).rejects.toMatchObject({
    code: "EAFNOSUPPORT",
  });
  udp6.close();
});

test("a node:http server sends header values as Latin-1, and the text of its listeners as UTF-8", async () => {
  await using server = await startServer();
  const via = server.path;
  const web = http.createServer((_, response) => {
    response.setHeader("x-name", "grün");
    response.end("grün");
  });
  web.on("upgrade", (_, socket) => socket.end("grün"));
  web.on("clientError", (_, socket) => socket.end("grün"));
  await nodeListen(web, { via, host: "127.0.0.1" });
  const ask = async (how: string): Promise<Buffer> => {
    const socket = await nodeConnect({ via, host: "127.0.0.1", port: portOf(web) });
    socket.write(`GET / HTTP/1.1\r\nhost: x\r\nconnection: ${how}\r\nupgrade: x\r\n\r\n`);
    return Buffer.concat(await socket.toArray());
  };
  const answer = await ask("close");
  expect(answer.toString("latin1")).toContain("x-name: grün\r\n");
  expect(answer.toString()).toEndWith("grün");
  expect((await ask("upgrade")).toString()).toBe("grün");
  expect((await ask("\0")).toString()).toBe("grün");
  web.close();
});

test("a node:http server answers upgrades and bad requests itself once their listeners are gone", async () => {
  await using server = await startServer();
  const via = server.path;
  const web = http.createServer((_, response) => void response.end("page"));
  for (const event of ["upgrade", "clientError"])
    web.once(event, (_, socket: Socket) => socket.end("once"));
  await nodeListen(web, { via, host: "127.0.0.1" });
  const ask = async (head: string): Promise<string> => {
    const socket = await nodeConnect({ via, host: "127.0.0.1", port: portOf(web) });
    socket.write(`GET / HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n`);
    return Buffer.concat(await socket.toArray()).toString();
  };
  for (const [head, answer] of [
    ["connection: upgrade, close\r\nupgrade: x", "page"],
    ["no colon", "400 Bad Request\r\nConnection: close\r\n\r\n"],
  ] as const) {
    expect(await ask(head)).toBe("once");
    expect(await ask(head)).toEndWith(answer);
  }
  web.close();
});

test("an empty host means the default, as for Node", async () => {
  await using server = await startServer();
  const place = { via: server.path, host: "" };
  const plain = await nodeListen(createServer(), place);
  const port = portOf(plain);
  const peer = await nodeConnect({ ...place, port });
  expect(peer.remoteAddress).toBe("127.0.0.1");
  peer.destroy();
  await new Promise((resolve) => plain.close(resolve));
  const datagrams = await nodeBind(dgram.createSocket("udp4"), place);
  expect(datagrams.address().address).toBe("0.0.0.0");
  await new Promise<void>((resolve) => datagrams.close(resolve));
});

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
  const argv = [process.execPath, "-e", program, server.path];
  const ended = await here.run(argv, { withinMs: 20_000 });
  expect(ended.stdout, ended.stderr).toBe("0\n");
});

test("in a node:cluster worker, servers and datagram sockets belong to the worker itself", async () => {
  await using target = await createNamespace();
  await using control = await startServer({ place: target });
  const program = `
    import cluster from "node:cluster";
    import * as dgram from "node:dgram";
    import { createServer } from "node:http";
    import { fetchVia, nodeBind, nodeListen } from ${JSON.stringify(import.meta.resolve("@xsocket/client"))};
    const through = { via: ${JSON.stringify(control.path)}, host: "127.0.0.1" };
    if (cluster.isPrimary) {
      const worker = cluster.fork().on("exit", () => process.exit());
      worker.on("message", (told) => void (console.log(told), worker.kill("SIGKILL")));
    } else {
      const web = createServer((_, response) => response.end("worker"));
      const datagrams = dgram.createSocket("udp4");
      const run = async () => {
        await Promise.all([nodeListen(web, through), nodeBind(datagrams, through)]);
        const { port } = web.address();
        datagrams.on("message", (data) => process.send(text + data));
        const text = await (await fetchVia(through.via)("http://127.0.0.1:" + port)).text();
        datagrams.send(" sent", datagrams.address().port, "127.0.0.1");
      };
      run().catch((error) => process.send(String(error)));
    }`;
  using dir = tempDir();
  await Bun.write(dir.join("program.ts"), program);
  const ended = await here.run([process.execPath, dir.join("program.ts")], { withinMs: 20_000 });
  expect(ended.stdout, ended.stderr).toBe("worker sent\n");
});

test("node:dgram sockets belong to the target even if the program has closed its standard input", async () => {
  await using target = await createNamespace();
  await using control = await startServer({ place: target });
  const program = `
    import * as dgram from "node:dgram";
    import { closeSync } from "node:fs";
    import { nodeBind, Session } from "@xsocket/client";
    using via = new Session({ via: process.argv[1] });
    (await via.socket()).close(); // its connection has a number by now
    closeSync(0);
    const sockets = [1, 2, 3].map(() => nodeBind(dgram.createSocket("udp4"), { via }));
    console.log((await Promise.all(sockets)).map((socket) => socket.address().port).join());`;
  await using running = here.spawn([process.execPath, "-e", program, control.path]);
  const [, ports = ""] = await running.says(/^([\d,]+)$/m);
  expect(ports.split(",").map((port) => target.listens("udp", Number(port)))).toEqual([
    true,
    true,
    true,
  ]);
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

test("a server or socket that is closed just before its listening event does not keep the call waiting", async () => {
  await using server = await startServer();
  const place = { via: server.path, host: "127.0.0.1" };
  const web = createServer();
  const start = web.listen.bind(web);
  web.listen = (at: unknown) => start(at).close();
  await expect(nodeListen(web, place)).rejects.toMatchObject({ code: "ECANCELED", step: "listen" });
  expect(web.listening).toBe(false);
  const socket = dgram.createSocket("udp4");
  const bind = socket.bind.bind(socket);
  socket.bind = (...at: unknown[]) => Reflect.apply(bind, socket, at).close();
  await expect(nodeBind(socket, place)).rejects.toMatchObject({ code: "ECANCELED", step: "bind" });
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
  expect(await Promise.race([Promise.all(ends).then(() => "closed"), Bun.sleep(4000)])).toBe(
    "closed",
  );
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

test("a node:http server drops connections past maxConnections", async () => {
  await using control = await startServer();
  const web = http.createServer((_, response) => response.end("hello"));
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
  await new Promise((resolve) => void web.close(resolve));
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

test("HttpsAgent checks the certificate against servername, and its timeoutMs does not limit the answer", async () => {
  using dir = tempDir();
  const { key, cert } = await makeCertificate(dir.path, "web.test");
  await using server = await startServer();
  const via = server.path;
  await using web = await serve({
    via,
    port: 0,
    tls: { key, cert },
    async fetch() {
      await Bun.sleep(3500);
      return new Response("hello");
    },
  });
  const { signal } = new AbortController();
  const limits = { signal, timeoutMs: 3000 };
  const agent = new HttpsAgent({ via, lookup: () => ["127.0.0.1"], ...limits });
  const outcome = (host: string, servername: string) =>
    new Promise<unknown>((resolve) => {
      https
        .get({ host, servername, port: web.port, ca: cert, agent }, (answer) =>
          resolve(answer.resume().statusCode),
        )
        .on("error", (error) => resolve(Reflect.get(error, "code")));
    });
  expect(await outcome("other.test", "web.test")).toBe(200);
  expect(await outcome("web.test", "other.test")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  const listeners = () => getEventListeners(signal, "abort").length;
  await eventually("nobody to listen to the signal", () => listeners() === 0);
  agent.destroy();
});

test("the signal of an HttpsAgent ends a TLS handshake", async () => {
  await using server = await startServer();
  const via = server.path;
  const [greeted, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  using silent = await listen({
    via,
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: () => greeted.resolve(), close: () => closed.resolve() },
  });
  const given = new AbortController();
  const agent = new HttpsAgent({ via, signal: given.signal });
  const asked = https.get({ host: "127.0.0.1", port: silent.port, agent });
  const failure = once(asked, "error");
  await greeted.promise;
  const reason = new Error("enough");
  given.abort(reason);
  expect(await failure).toEqual([reason]);
  await closed.promise;
});

test.each([null, 0, "enough"])(
  "an agent's signal that aborts with %p ends requests with that reason, or AbortError if it is falsy",
  async (reason) => {
    await using server = await startServer();
    const via = server.path;
    const greeted = Promise.withResolvers<void>();
    const socket = { data: () => greeted.resolve() };
    using silent = await listen({ via, hostname: "127.0.0.1", port: 0, socket });
    const given = new AbortController();
    const lookup = async (): Promise<string[]> => greeted.promise.then(() => []);
    const plain = new HttpAgent({ via, signal: given.signal, lookup });
    const secure = new HttpsAgent({ via, signal: given.signal });
    const failures = [
      once(http.get({ host: "silent.test", agent: plain }), "error"),
      once(https.get({ host: "127.0.0.1", port: silent.port, agent: secure }), "error"),
    ];
    await greeted.promise;
    given.abort(reason);
    failures.push(once(http.get({ host: "127.0.0.1", agent: plain }), "error"));
    for (const failure of failures) {
      const [error] = await failure;
      expect(error).toEqual(reason || expect.objectContaining({ name: "AbortError" }));
    }
  },
);
