import { expect, test } from "bun:test";
import * as dgram from "node:dgram";
import * as http from "node:http";
import { type AddressInfo, createServer } from "node:net";
import * as tls from "node:tls";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import {
  fetchVia,
  HttpAgent,
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

guardDescriptors();
// Streams look at these when they are piped, and Bun then opens them once and for all.
void [process.stdout, process.stderr];

const ANSWERS: Record<string, (request: Request) => Response | Promise<Response>> = {
  "/echo": async (request) =>
    Response.json([request.method, request.headers.get("x-mine"), await request.text()]),
  "/cookies": () =>
    new Response("", {
      headers: [
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
    }),
  "/gzip": () => encoded("gzip", gzipSync("packed")),
  "/br": () => encoded("br", brotliCompressSync("packed")),
  "/zstd": () => encoded("zstd", zstdCompressSync("packed")),
  "/302": () => new Response(null, { status: 302, headers: { location: "/echo" } }),
  "/307": () => new Response(null, { status: 307, headers: { location: "/echo" } }),
  "/loop": () => new Response(null, { status: 302, headers: { location: "/loop" } }),
  "/204": () => new Response(null, { status: 204 }),
  "/large": () => new Response("x".repeat(3_000_000)),
  "/slow": () => new Response(new ReadableStream({ start: (sink) => sink.enqueue("part") })),
};

function encoded(name: string, bytes: Uint8Array): Response {
  return new Response(Uint8Array.from(bytes), { headers: { "content-encoding": name } });
}

function answer(request: Request): Response | Promise<Response> {
  const make = ANSWERS[new URL(request.url).pathname];
  return make ? make(request) : new Response("nothing here", { status: 404 });
}

test("fetch through the target does what fetch does", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const web = await serve({ via: server.path, hostname: "127.0.0.1", port: 0, fetch: answer });
  // a hundred at once take turns with the server, and on a busy machine each turn waits for a processor
  using there = fetchVia(server.path, { timeoutMs: 30_000 });
  const at = (path: string): string => `http://127.0.0.1:${web.port}${path}`;

  const echo = await there(at("/echo"), {
    method: "POST",
    body: "text",
    headers: { "x-mine": "1" },
  });
  expect(echo).toMatchObject({ status: 200, ok: true, url: at("/echo"), redirected: false });
  expect(await echo.json()).toEqual(["POST", "1", "text"]);
  const streamed = new ReadableStream({ start: (sink) => (sink.enqueue("part"), sink.close()) });
  const bodies: [Bun.BodyInit, string][] = [
    [new URLSearchParams({ a: "b" }), "a=b"],
    [new Blob(["blob"]), "blob"],
    [Buffer.from("bytes"), "bytes"],
    [streamed, "part"],
  ];
  for (const [body, text] of bodies)
    expect(await (await there(at("/echo"), { method: "PUT", body })).json()).toEqual([
      "PUT",
      null,
      text,
    ]);
  const request = new Request(at("/echo"), {
    method: "POST",
    body: "whole",
    headers: { "x-mine": "2" },
  });
  expect(await (await there(request)).json()).toEqual(["POST", "2", "whole"]);

  for (const path of ["/gzip", "/br", "/zstd"])
    expect(await (await there(at(path))).text()).toBe("packed");
  expect(await (await there(at("/gzip"), { decompress: false })).bytes()).toEqual(
    gzipSync("packed"),
  );
  expect((await there(at("/cookies"))).headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect((await (await there(at("/large"))).text()).length).toBe(3_000_000);
  expect((await there(at("/204"))).status).toBe(204);
  expect((await there(at("/echo"), { method: "HEAD" })).status).toBe(200);
  expect((await there(at("/nowhere"))).status).toBe(404);

  const followed = await there(at("/302"), { method: "POST", body: "x" });
  expect(followed).toMatchObject({ url: at("/echo"), redirected: true });
  expect(await followed.json()).toEqual(["GET", null, ""]);
  const again = await there(at("/307"), { method: "POST", body: "again" });
  expect(await again.json()).toEqual(["POST", null, "again"]);
  expect((await there(at("/302"), { redirect: "manual" })).status).toBe(302);
  await expect(there(at("/302"), { redirect: "error" })).rejects.toThrow("UnexpectedRedirect");
  await expect(there(at("/loop"))).rejects.toThrow("TooManyRedirects");
  expect(await (await there("data:,local")).text()).toBe("local");

  const slow = await there(at("/slow"), { signal: AbortSignal.timeout(100) });
  await expect(slow.text()).rejects.toMatchObject({ name: "TimeoutError" });
  const many = Array.from({ length: 100 }, async (_, i) => {
    const response = await there(at("/echo"), { method: "POST", body: `${i}` });
    expect(await response.json()).toEqual(["POST", null, `${i}`]);
  });
  await Promise.all(many);
  await web.stop(true);
});

test("a kept connection that the server closes meanwhile is no failure", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  let connections = 0;
  const web = await listen<{ requests: number }>({
    via: server.path,
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { requests: 0 };
        connections++;
      },
      data(socket) {
        if (socket.data.requests++ > 0) socket.terminate();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
      },
    },
  });
  using there = fetchVia(server.path);
  const url = `http://127.0.0.1:${web.port}/`;
  for (let i = 1; i <= 4; i++) {
    expect(await (await there(url)).text()).toBe("hi");
    expect(connections).toBe(i);
  }
  // What may not come twice is not sent twice.
  await expect(there(url, { method: "POST", body: "x" })).rejects.toMatchObject({
    code: "ECONNRESET",
  });
  web.stop(true);
});

test("a fetch that is disposed of keeps no connection, also none that was being made", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const web = await serve({ via: server.path, hostname: "127.0.0.1", port: 0, fetch: answer });
  const url = `http://127.0.0.1:${web.port}/echo`;
  const connections = async (): Promise<number> => {
    const { stdout } = await target.run(["ss", "-Htn", "state", "established"]);
    return stdout.split("\n").length - 1;
  };
  const there = fetchVia(server.path);
  expect(await (await there(url)).text()).toContain("GET");
  expect(await connections()).toBe(2); // both ends
  const controllers = Array.from({ length: 50 }, () => new AbortController());
  const all = controllers.map(({ signal }) => there(url, { signal }));
  await Bun.sleep(1);
  for (const controller of controllers) controller.abort();
  there[Symbol.dispose]();
  for (const one of await Promise.allSettled(all))
    if (one.status === "rejected")
      expect(["AbortError", "XSocketError"]).toContain(one.reason.name);
  await eventually("all to close", async () => (await connections()) === 0, 2000);
  expect(await (await there(url)).text()).toContain("GET");
  await eventually("that one to close", async () => (await connections()) === 0, 2000);
  await web.stop(true);
});

/* A server of the target that answers by path with these bytes, and then closes unless it is endless. */
function rawServer(via: string, answers: Record<string, string | Buffer>) {
  return listen<{ asked: string }>({
    via,
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => void (socket.data = { asked: "" }),
      data(socket, data) {
        socket.data.asked += data.toString("latin1");
        if (!socket.data.asked.includes("\r\n\r\n")) return;
        const path = /^\S+ \/(\S*) /.exec(socket.data.asked)?.[1] ?? "";
        const bytes = answers[path] ?? `HTTP/1.1 200 OK\r\n\r\n${socket.data.asked}`;
        if (path.startsWith("endless")) socket.write(bytes);
        else socket.end(bytes);
      },
    },
  });
}

const ENDLESS = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
const RAW = {
  endless: `HTTP/1.1 200 OK\r\n${ENDLESS}`,
  "endless-302": `HTTP/1.1 302 Found\r\nlocation: /end\r\n${ENDLESS}`,
  end: "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nend",
  upgrade: "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
  odd: "HTTP/1.1 999 Odd\r\ncontent-length: 1\r\n\r\nx",
  "no-location": "HTTP/1.1 302 Found\r\nlocation:\r\ncontent-length: 0\r\n\r\n",
  location: "HTTP/1.1 302 Grün\r\nlocation: /grün\r\ncontent-length: 0\r\n\r\n",
  "gr%C3%BCn": "HTTP/1.1 200 Grün\r\ncontent-length: 5\r\n\r\ngreen",
  "long-head": `HTTP/1.1 200 OK\r\nx: ${"x".repeat(100_000)}\r\ncontent-length: 1\r\n\r\nx`,
  short: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
  "no-gzip": "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain",
  encoding: "HTTP/1.1 200 OK\r\ncontent-encoding: __proto__\r\ncontent-length: 1\r\n\r\nx",
  nonsense: "nonsense\r\n\r\n",
};

test("answers that are out of the ordinary are those of fetch", async () => {
  await using server = await startServer();
  const web = await rawServer(server.path, RAW);
  using there = fetchVia(server.path);
  const at = (path: string): string => `http://127.0.0.1:${web.port}/${path}`;
  const limits = { signal: AbortSignal.timeout(5000) };
  const odd = await there(at("odd"), limits);
  expect([odd.status, odd.ok, odd.statusText, await odd.clone().text()]).toEqual([
    999,
    false,
    "Odd",
    "x",
  ]);
  expect((await there(at("no-location"), limits)).status).toBe(302);
  const green = await there(at("location"), limits);
  expect([green.statusText, await green.text()]).toEqual(["Grün", "green"]);
  expect((await there(at("long-head"), limits)).headers.get("x")).toHaveLength(100_000);
  const headers = { "transfer-encoding": "chunked" };
  const sent = await there(at("echo"), { method: "POST", body: "abc", headers, ...limits });
  expect(await sent.text()).not.toContain("transfer-encoding");
  const reader = (await there(at("end"), limits)).body?.getReader();
  expect((await reader?.read())?.value?.constructor).toBe(Uint8Array);
  await reader?.cancel();
  expect(await (await there(at("encoding"), limits)).text()).toBe("x");
  for (const [path, code] of [
    ["upgrade", "UnrequestedUpgrade"],
    ["nonsense", "Malformed_HTTP_Response"],
    ["short", "ECONNRESET"],
    ["no-gzip", "ZlibError"],
  ] as const) {
    const text = there(at(path), limits).then((response) => response.text());
    await expect(text).rejects.toMatchObject({ name: "TypeError", code });
  }
  web.stop(true);
});

test("TLS options that cannot be right fail the request", async () => {
  await using server = await startServer();
  const web = await rawServer(server.path, RAW);
  using there = fetchVia(server.path);
  const limits = { signal: AbortSignal.timeout(5000) };
  const given = there(`https://127.0.0.1:${web.port}/`, { tls: { ca: "garbage" }, ...limits });
  await expect(given).rejects.toThrow("Invalid CA");
  web.stop(true);
});

test("what nobody reads lets go of its connection", async () => {
  await using server = await startServer();
  const web = await rawServer(server.path, RAW);
  using there = fetchVia(server.path);
  const at = (path: string): string => `http://127.0.0.1:${web.port}/${path}`;
  const forget = async (path: string): Promise<void> => {
    const responses = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => there(at(path))));
    expect(responses).toHaveLength(8);
  };
  const before = descriptors().size;
  await forget("endless"); // bodies that were never read
  await forget("endless-302"); // those of redirects
  await eventually("connections to close", () => {
    Bun.gc(true);
    return descriptors().size <= before + 4; // what a conservative collector may still see
  });
  // and the source of a body hears that nobody sends it any more
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream({
    start: (sink) => sink.enqueue("part"),
    cancel: () => cancelled.resolve(),
  });
  const signal = AbortSignal.timeout(100);
  const upload = there(at("endless-upload"), { method: "POST", body, signal });
  await expect(upload.then((response) => response.text())).rejects.toMatchObject({
    name: "TimeoutError",
  });
  await cancelled.promise;
  web.stop(true);
}, 20_000);

test("a fetch that fails shows the line of its caller", async () => {
  await using server = await startServer();
  using there = fetchVia(server.path);
  let stack: unknown;
  try {
    await there("http://127.0.0.1:9/");
  } catch (error) {
    stack = Reflect.get(Object(error), "stack");
  }
  const [first] = /^ +at .*$/m.exec(String(stack)) ?? [];
  expect(first).toContain(import.meta.file);
});

test("what fetch cannot do through the target is refused with a sentence", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  using there = fetchVia(server.path);
  const url = "http://127.0.0.1:9/";
  const cases: [string, string, object][] = [
    ["ECONNREFUSED", url, {}],
    ["ENETUNREACH", "http://192.0.2.1/", {}],
    ["ENOTSUP", "ftp://127.0.0.1/", {}],
    ["ENOTSUP", url, { proxy: "http://127.0.0.1:1" }],
    ["ENOTSUP", url, { unix: "/tmp/x" }],
    ["ENOTSUP", url, { protocol: "http2" }],
    ["ENOTSUP", url, { verbose: true }],
  ];
  for (const [code, at, options] of cases)
    await expect(there(at, options)).rejects.toMatchObject({ name: "XSocketError", code });
  const signal = AbortSignal.abort();
  await expect(there(url, { signal })).rejects.toMatchObject({ name: "AbortError" });
});

test("TLS is checked against the name that was looked up in the target", async () => {
  using dir = tempDir();
  const { key, cert } = await makeCertificate(dir, "web.test");
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const web = await serve({ via: server.path, port: 0, tls: { key, cert }, fetch: answer });
  using there = fetchVia(server.path, { lookup: () => ["127.0.0.1"] });
  const code = async (hostname: string, options: BunFetchRequestInit): Promise<unknown> =>
    there(`https://${hostname}:${web.port}/204`, options).then(
      ({ status }) => status,
      (error: unknown) => Reflect.get(Object(error), "code"),
    );
  expect(await code("web.test", { tls: { ca: cert } })).toBe(204);
  expect(await code("127.0.0.1", { tls: { ca: cert } })).toBe(204);
  expect(await code("other.test", { tls: { ca: cert } })).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  expect(await code("web.test", { tls: { rejectUnauthorized: false } })).toBe(204);
  expect(await code("web.test", {})).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
  await web.stop(true);
});

test("a peer that never answers the TLS handshake ends a fetch in time", async () => {
  await using server = await startServer();
  const deaf = await listen({ via: server.path, port: 0, socket: { data() {} } });
  using there = fetchVia(server.path, { timeoutMs: 300 });
  const signal = AbortSignal.timeout(5000);
  await expect(there(`https://127.0.0.1:${deaf.port}/`, { signal })).rejects.toMatchObject({
    name: "XSocketError",
    code: "ETIMEDOUT",
    step: "connect",
  });
  deaf.stop(true);
});

test("node:net, node:http, node:tls and node:dgram work in the target", async () => {
  using dir = tempDir();
  const certificate = await makeCertificate(dir, "web.test");
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const { path: via } = server;
  const web = http.createServer((request, response) => response.end(`seen ${request.url}`));
  await nodeListen(web, { via, host: "127.0.0.1" });
  const secure = tls.createServer(certificate, (socket) => void web.emit("connection", socket));
  await nodeListen(secure, { via, host: "127.0.0.1" });
  const [plainPort, securePort] = [portOf(web.address()), portOf(secure.address())];
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
  const unix = new Promise((_, reject) => {
    http.get({ socketPath: "/tmp/none", agent }).on("error", reject);
  });
  await expect(unix).rejects.toMatchObject({ code: "ENOTSUP" });
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

test("a server of node: that listens already is refused, and leaves nothing open", async () => {
  await using server = await startServer();
  const { path: via } = server;
  const plain = createServer();
  const web = http.createServer();
  for (const one of [plain, web]) {
    await nodeListen(one, { via });
    const before = descriptors().size;
    await expect(nodeListen(one, { via })).rejects.toMatchObject({ code: "EINVAL" });
    expect(descriptors().size).toBe(before);
    expect(one.listenerCount("error")).toBe(0);
    await new Promise((resolve) => one.close(resolve));
  }
  const datagrams = await nodeBind(dgram.createSocket("udp4"), { via });
  const before = descriptors().size;
  await expect(nodeBind(datagrams, { via })).rejects.toMatchObject({
    code: "ERR_SOCKET_ALREADY_BOUND",
  });
  expect(descriptors().size).toBe(before);
  expect(datagrams.listenerCount("error")).toBe(0);
  await new Promise<void>((resolve) => datagrams.close(resolve));
  const udp6 = dgram.createSocket("udp6");
  await expect(nodeBind(udp6, { via, host: "127.0.0.1" })).rejects.toMatchObject({
    code: "EINVAL",
  });
  udp6.close();
});

test("a server of node:http can be let go of, and counts its connections", async () => {
  await using server = await startServer();
  const program = `
    import * as http from "node:http";
    import { nodeListen } from ${JSON.stringify(import.meta.resolve("@xsocket/client"))};
    const server = await nodeListen(http.createServer(), { via: ${JSON.stringify(server.path)} });
    server.unref().getConnections((_, count) => console.log(count));`;
  using dir = tempDir();
  await Bun.write(dir.join("program.ts"), program);
  const ended = await here.run([process.execPath, dir.join("program.ts")], { withinMs: 5000 });
  expect(ended.stdout, ended.stderr).toBe("0\n");
});

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address ? address.port : 0;
}
