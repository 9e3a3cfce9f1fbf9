/* Connections that are kept alive for the next request. */
import { expect, test } from "bun:test";
import { truncateSync, writeFileSync } from "node:fs";
import * as https from "node:https";
import { createServer } from "node:tls";
import { fetchVia, HttpsAgent, listen, nodeListen, serve } from "@xsocket/client";
import { socketsOf } from "../harness/descriptors.ts";
import { descriptors, eventually, startServer, tempDir } from "../harness/index.ts";
import { webCertificate } from "./certificate.ts";
import { isSocketAt, optionOf, portOf as portOfServer } from "./observed.ts";

const hostname = "127.0.0.1";
const POST = { method: "POST", body: "x" } as const;

function streamOf(text: string): ReadableStream<string> {
  return new ReadableStream({
    async pull(sink) {
      await Bun.sleep(2); // a stream that is complete at once is sent as a whole
      sink.enqueue(text);
      sink.close();
    },
  });
}

/* Answers with the method, path and body of the request, and the client's port. */
async function told(request: Request, server: Bun.Server<undefined>): Promise<Response> {
  const { pathname } = new URL(request.url);
  const headers = { port: String(server.requestIP(request)?.port) };
  return new Response(`${request.method} ${pathname} ${await request.text()}`, { headers });
}

test("a content-length that does not match the body does not spoil the next request", async () => {
  await using server = await startServer();
  using web = await serve({ via: server.path, hostname, port: 0, fetch: told });
  using there = fetchVia(server.path);
  const text = async (path: string, init: RequestInit, length: string): Promise<string> => {
    const headers = { "content-length": length };
    const all = { ...init, headers, signal: AbortSignal.timeout(20_000) };
    return (await there(`http://${hostname}:${web.port}${path}`, all)).text();
  };
  for (const length of ["99", "1"]) {
    expect(await text("/get", {}, length)).toBe("GET /get ");
    expect(await text("/put", { method: "PUT" }, length)).toBe("PUT /put ");
    expect(await text("/post", { method: "POST", body: "body" }, length)).toBe("POST /post body");
    const streamed = text("/stream", { method: "POST", body: streamOf("body") }, length);
    await expect(streamed).rejects.toMatchObject({ code: "ERR_HTTP_CONTENT_LENGTH_MISMATCH" });
  }
  const right = await text("/stream", { method: "POST", body: streamOf("body") }, "4");
  expect(right).toBe("POST /stream body");
  using dir = tempDir();
  for (const [bytes, left] of [
    [6, 4],
    [2 << 20, 3 << 19],
  ] as const) {
    writeFileSync(dir.join("file"), Buffer.alloc(bytes, "x"));
    const body = Bun.file(dir.join("file"));
    expect(body.size).toBe(bytes); // Bun remembers it
    truncateSync(dir.join("file"), left);
    const outcome = text("/file", { method: "PUT", body }, "9").catch((error: unknown) => error);
    if (left === 4) expect(await outcome).toBe("PUT /file xxxx");
    else expect(await outcome).toMatchObject({ code: "ERR_HTTP_CONTENT_LENGTH_MISMATCH" });
  }
});

test("a request with keepalive false or connection: close has a connection of its own", async () => {
  await using server = await startServer();
  using web = await serve({ via: server.path, hostname, port: 0, fetch: told });
  using there = fetchVia(server.path);
  const url = `http://${hostname}:${web.port}/`;
  const portOf = async (init: BunFetchRequestInit, asked = new Request(url)): Promise<string> => {
    const response = await there(asked, init);
    await response.text();
    return response.headers.get("port") ?? "";
  };
  const streamed = { method: "POST", body: streamOf("body"), keepalive: true };
  const kept = [await portOf({}), await portOf({}), await portOf(streamed)];
  const others = [
    await portOf({ keepalive: false }),
    await portOf({ keepalive: false, headers: { expect: "100-continue" } }),
    await portOf({}, Object.assign(new Request(url), { keepalive: false })),
    await portOf({ headers: { connection: "close" } }),
  ];
  expect(new Set(kept).size).toBe(1);
  expect(new Set([...kept, ...others]).size).toBe(5);
  expect(await portOf({})).toBe(kept[0] ?? "");
});

/* Ends the connection with the answer to /last, and does not say so in it. */
function answerShortly(socket: Bun.Socket, request: Buffer): void {
  socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  if (request.includes("/last")) socket.end();
}

test("over TLS, a POST does not use a connection that ended with the answer before", async () => {
  const certificate = await webCertificate();
  await using server = await startServer();
  const place = { via: server.path, hostname, port: 0, tls: certificate };
  using web = await listen({ ...place, socket: { data: answerShortly } });
  using there = fetchVia(server.path);
  const tls = { ca: certificate.cert };
  for (const body of ["whole", streamOf("a")]) {
    const url = `https://${hostname}:${web.port}`;
    expect(await (await there(`${url}/last`, { tls })).text()).toBe("ok");
    expect(await (await there(url, { method: "POST", body, tls })).text()).toBe("ok");
  }
});

/* SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT of the client's socket, which this process has as well. */
function probing(request: Request, server: Bun.Server<undefined>): Response {
  const port = server.requestIP(request)?.port ?? 0;
  const fd = [...descriptors().keys()].find((each) => isSocketAt(each, port)) ?? -1;
  const tcp = [4, 5, 6].map((name) => optionOf(fd, 6, name));
  return Response.json([optionOf(fd, 1, 9), ...tcp]);
}

test("TCP asks for a silent peer as late as on a connection of Bun's fetch", async () => {
  const certificate = await webCertificate();
  await using server = await startServer();
  const place = { via: server.path, hostname, port: 0, fetch: probing };
  using plain = await serve(place);
  using secure = await serve({ ...place, tls: certificate });
  using there = fetchVia(server.path);
  const asked = async (form: typeof fetch, url: URL, keepalive: boolean): Promise<unknown> =>
    (await form(url, { tls: { ca: certificate.cert }, keepalive })).json();
  for (const { url } of [plain, secure])
    for (const keepalive of [true, false]) {
      const own = await asked(fetch, url, keepalive);
      if (keepalive) expect(own).toEqual([1, 60, 1, 10]);
      expect(await asked(there, url, keepalive)).toEqual(own);
      expect(await asked(there, url, keepalive)).toEqual(own); // over the kept connection, if it is kept
    }
});

test("a short answer that nobody reads gives its connection back for later requests", async () => {
  await using server = await startServer();
  const routes = {
    "/whole": () => new Response("fine"),
    "/chunks": () => new Response(streamOf("fine")),
  };
  using web = await serve({ via: server.path, hostname, port: 0, routes, fetch: told });
  using there = fetchVia(server.path);
  const base = `http://${hostname}:${web.port}`;
  const unread: Response[] = []; // so that none is garbage-collected
  const before = socketsOf(process.pid);
  for (let i = 0; i < 100; i++) {
    unread.push(await there(`${base}/${i % 2 ? "whole" : "chunks"}`));
    await Bun.sleep(3);
  }
  expect(socketsOf(process.pid) - before).toBeLessThan(50); // else there are 200
  const later = there(`${base}/later`);
  await Promise.all(unread.slice(0, 50).map(({ body }) => body?.cancel()));
  expect(await (await later).text()).toBe("GET /later ");
  expect(await unread[99]?.text()).toBe("fine");
});

test("a long answer that nobody reads blocks its sender", async () => {
  await using server = await startServer();
  const chunk = Buffer.alloc(1 << 16);
  let left = 100 << 20; // bounded, so that the test can fail
  const fill = (peer: Bun.Socket): void => {
    while (left > 0) {
      const written = peer.write(chunk);
      left -= written;
      if (written < chunk.byteLength) return;
    }
  };
  const socket = {
    data(peer: Bun.Socket) {
      peer.write(`HTTP/1.1 200 OK\r\ncontent-length: ${left}\r\n\r\n`);
      fill(peer);
    },
    drain: fill,
  };
  using web = await listen({ via: server.path, hostname, port: 0, socket });
  using there = fetchVia(server.path);
  const { body } = await there(`http://${hostname}:${web.port}/`);
  for (let before = -1; left !== before; await Bun.sleep(500)) before = left; // until it stands still
  expect(left).toBeGreaterThan(50 << 20); // the kernel holds a few MB
  await body?.cancel();
});

test("of several kept connections, a POST uses the one that is still open", async () => {
  await using server = await startServer();
  const first = Promise.withResolvers<void>();
  const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
  const socket = {
    async data(peer: Bun.Socket, text: Buffer) {
      if (!text.includes("/second")) return void peer.write(answer);
      await first.promise;
      peer.end(answer);
    },
  };
  using web = await listen({ via: server.path, hostname, port: 0, socket });
  using there = fetchVia(server.path);
  const ask = async (path: string, init?: RequestInit): Promise<string> =>
    (await there(`http://${hostname}:${web.port}/${path}`, init)).text();
  const second = ask("second");
  expect(await ask("first")).toBe("hi");
  first.resolve(); // so that it is kept last, and would be taken first
  expect(await second).toBe("hi");
  expect(await ask("first", POST)).toBe("hi");
});

test("a request is not sent again after a partial or malformed answer, or dispose", async () => {
  await using server = await startServer();
  const asked: string[] = [];
  const peers = new Set<Bun.Socket>();
  const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
  const data = (peer: Bun.Socket, text: Buffer): void => {
    const path = /^GET \/(\w*)/.exec(text.toString())?.[1] ?? "";
    asked.push(path);
    peers.add(peer);
    if (!path.startsWith("silence"))
      peer.write(
        path === "malformed" ? "none\r\n\r\n" : path === "half" ? `${answer}h` : `${answer}hi`,
      );
  };
  using web = await listen({ via: server.path, hostname, port: 0, socket: { data } });
  const there = fetchVia(server.path);
  const url = (path: string): string => `http://${hostname}:${web.port}/${path}`;
  const ask = (path: string, init?: RequestInit): Promise<string> =>
    there(url(path), { signal: AbortSignal.timeout(20_000), ...init }).then((response) =>
      response.text(),
    );
  const isAsked = async (path: string): Promise<unknown> =>
    eventually(`/${path}`, () => asked.includes(path));

  expect(await ask("kept")).toBe("hi");
  const { body } = await there(url("half"));
  for (const peer of peers) peer.terminate();
  const rest = new Response(body).text();
  await expect(rest).rejects.toMatchObject({ code: "ECONNRESET" });

  expect(await ask("kept")).toBe("hi");
  await expect(ask("malformed")).rejects.toMatchObject({ code: "Malformed_HTTP_Response" });

  expect(await ask("kept")).toBe("hi");
  const silence = ask("silence");
  await isAsked("silence");
  const unkept = ask("silence_unkept", { keepalive: false });
  await isAsked("silence_unkept");
  there[Symbol.dispose]();
  for (const ended of await Promise.allSettled([silence, unkept]))
    expect(ended).toMatchObject({ reason: { code: "ECONNRESET" } });

  await Bun.sleep(100); // time for a repeated request to arrive
  expect(asked).toEqual(["kept", "half", "kept", "malformed", "kept", "silence", "silence_unkept"]);
});

test("the certificate is checked against the host of the URL, not the host header", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  using web = await serve({ via: server.path, port: 0, tls: { key, cert }, fetch: told });
  using there = fetchVia(server.path, { lookup: () => [hostname] });
  const outcome = async (host: string, header: string): Promise<unknown> =>
    there(`https://${host}:${web.port}/`, { tls: { ca: cert }, headers: { host: header } }).then(
      ({ status }) => status,
      (error: unknown) => Reflect.get(Object(error), "code"),
    );
  expect(await outcome("web.test", "other.test")).toBe(200);
  expect(await outcome(hostname, "other.test")).toBe(200);
  expect(await outcome("other.test", "web.test")).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  for (const tls of [null, true, false]) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JavaScript may give these
    const init = { tls } as unknown as BunFetchRequestInit;
    const given = there(`https://web.test:${web.port}/`, init);
    await expect(given).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  }
});

test("a request that checks the certificate otherwise does not use a kept connection", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  using web = await serve({ via: server.path, port: 0, tls: { key, cert }, fetch: told });
  using there = fetchVia(server.path, { lookup: () => [hostname] });
  const portOf = async (tls: object): Promise<string | null> => {
    const response = await there(`https://web.test:${web.port}/`, { tls: { ca: cert, ...tls } });
    await response.text();
    return response.headers.get("port");
  };
  const kept = await portOf({});
  expect(await portOf({})).toBe(kept);
  for (const tls of [{ ca: [cert] }, { checkServerIdentity: () => undefined }])
    expect(await portOf(tls)).not.toBe(kept);
});

test("a new connection resumes an earlier TLS session as Bun's own do, if that was checked in the same way", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  const resumed: boolean[] = [];
  const answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
  await using web = createServer({ key, cert }, (client) => {
    resumed.push(client.isSessionReused());
    client.once("data", () => client.end(answer));
  });
  await nodeListen(web, { via: server.path, host: hostname });
  const url = `https://${hostname}:${portOfServer(web)}/`;
  using there = fetchVia(server.path);
  const fetched = async (form: typeof fetch, more: object = {}): Promise<unknown> =>
    (await form(url, { tls: { ca: cert, ...more } })).text();
  const got = (agent: https.Agent): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const request = https.get(url, { agent, ca: cert }, (response) => {
        response.resume().on("end", resolve);
      });
      request.on("error", reject);
    });
  const through = { via: server.path };
  const agents = [new https.Agent(), new HttpsAgent(through)];
  for (const ask of [
    () => fetched(fetch),
    () => fetched(there),
    ...agents.map((agent) => () => got(agent)),
  ]) {
    for (let i = 0; i < 3; i++) await ask();
    expect(resumed.splice(0)).toEqual([false, true, true]);
  }
  for (const otherwise of [{ ca: [cert] }, { checkServerIdentity: () => undefined }])
    for (let i = 0; i < 2; i++) await fetched(there, otherwise);
  const none = new HttpsAgent(through, { maxCachedSessions: 0 });
  for (let i = 0; i < 2; i++) await got(none);
  expect(resumed).toEqual(Array<boolean>(6).fill(false));
});

test("fetchVia offers HTTP/1.1 in the TLS handshake and nothing else, as fetch does", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  const taken: unknown[] = [];
  const ALPNProtocols = ["h2", "http/1.1"];
  await using web = createServer({ key, cert, ALPNProtocols }, (client) => {
    taken.push(client.alpnProtocol);
    client.once("data", () => client.end("HTTP/1.1 204 None\r\nconnection: close\r\n\r\n"));
  });
  await nodeListen(web, { via: server.path, host: hostname });
  using there = fetchVia(server.path);
  for (const form of [fetch, there])
    for (const tls of [{ ca: cert }, { ca: cert, ALPNProtocols: "h2" }])
      await form(`https://${hostname}:${portOfServer(web)}/`, { tls });
  expect(taken).toEqual(Array(4).fill("http/1.1"));
});

test("a POST that a redirect turns into a GET drops its content headers", async () => {
  await using server = await startServer();
  using web = await serve({
    via: server.path,
    hostname,
    port: 0,
    routes: { "/to": () => new Response(null, { status: 303, headers: { location: "/at" } }) },
    fetch: ({ headers }) =>
      Response.json([...headers.keys()].filter((name) => name.startsWith("content"))),
  });
  using there = fetchVia(server.path);
  const names = ["type", "encoding", "language", "location"].map((name) => `content-${name}`);
  const headers = Object.fromEntries(names.map((name) => [name, "x"]));
  const response = await there(`http://${hostname}:${web.port}/to`, { ...POST, headers });
  expect(await response.json()).toEqual([]);
});
