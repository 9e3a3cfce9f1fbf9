/* The modules of Node with sockets of the target namespace. */
import { expect, test } from "bun:test";
import * as dgram from "node:dgram";
import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { createServer, type Socket } from "node:net";
import * as tls from "node:tls";
import { HttpAgent, nodeBind, nodeConnect, nodeListen } from "@xsocket/client";
import {
  createNamespace,
  descriptors,
  eventually,
  hasIpv6,
  here,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { webCertificate } from "./certificate.ts";
import { portOf } from "./observed.ts";

test("node:net, node:http, node:tls and node:dgram work in the target", async () => {
  const certificate = await webCertificate();
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
  agent.destroy();
  const place = { via, host: "localhost", port: plainPort, localAddress: "127.0.0.6" };
  const socket = await nodeConnect(place);
  expect(socket.localAddress).toBe("127.0.0.6");
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
  await using control = await startServer({ place: "own" });
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
  await using web = http.createServer((_, response) => {
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
});

test("a node:http server answers upgrades and bad requests itself once their listeners are gone", async () => {
  await using server = await startServer();
  const via = server.path;
  await using web = http.createServer((_, response) => void response.end("page"));
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

test("in a node:cluster worker, servers and datagram sockets belong to the worker itself", async () => {
  await using control = await startServer({ place: "own" });
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
  const ended = await here.run([process.execPath, dir.join("program.ts")]);
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

test.skipIf(!hasIpv6)(
  "tls.connect over a connection to an address in brackets checks that address",
  async () => {
    const certificate = await webCertificate();
    await using server = await startServer();
    await using secure = tls.createServer(certificate);
    await nodeListen(secure, { via: server.path, host: "::1" });
    const socket = await nodeConnect({ via: server.path, host: "[::1]", port: portOf(secure) });
    const client = tls.connect({ socket, ca: certificate.cert });
    await once(client, "secureConnect");
    expect(client.authorized).toBe(true);
    client.destroy();
  },
);
