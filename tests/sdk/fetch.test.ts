import { expect, test } from "bun:test";
import { getEventListeners } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { fetchVia, listen, serve } from "@xsocket/client";
import { createNamespace, eventually, here, startServer, tempDir } from "../harness/index.ts";
import { firstFrame } from "./observed.ts";
import { endOf, SilentServer } from "./silent.ts";

const UNUSED_MS = 8000; // before Bun.serve closes a connection by itself

const ANSWERS: Record<string, (request: Request) => Response | Promise<Response>> = {
  "/echo": async (request) =>
    Response.json([
      request.method,
      request.headers.get("x-mine"),
      request.headers.get("content-length"),
      await request.text(),
    ]),
  "/cookies": () =>
    new Response("", {
      headers: [
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
    }),
  "/gzip": () => new Response(gzipSync("packed"), { headers: { "content-encoding": "gzip" } }),
  "/302": () => new Response(null, { status: 302, headers: { location: "/echo" } }),
  "/204": () => new Response(null, { status: 204 }),
  "/large": () => new Response("x".repeat(3_000_000)),
};

function answer(request: Request): Response | Promise<Response> {
  const make = ANSWERS[new URL(request.url).pathname];
  return make ? make(request) : new Response("nothing here", { status: 404 });
}

/* The programs of parity.test.ts test what else fetch does. */
test("fetch sends files of any size, and honours decompress and redirect", async () => {
  await using server = await startServer({ place: "own" });
  using web = await serve({ via: server.path, hostname: "127.0.0.1", port: 0, fetch: answer });
  using there = fetchVia(server.path);
  const at = (path: string): string => `http://127.0.0.1:${web.port}${path}`;

  const echo = await there(at("/echo#part"), {
    method: "POST",
    body: "text",
    headers: { "x-mine": "1" },
    protocol: "http1.1",
  });
  expect(echo).toMatchObject({ status: 200, ok: true, url: at("/echo"), redirected: false });
  expect(await echo.json()).toEqual(["POST", "1", "4", "text"]);
  const ofNoSize = Bun.file("/proc/self/comm"); // stat(2) tells none
  const comm = readFileSync("/proc/self/comm", "utf8");
  using dir = tempDir();
  const [digits, many9] = ["0123456789", "9".repeat(3_000_000)];
  writeFileSync(dir.join("digits"), digits);
  writeFileSync(dir.join("many"), many9);
  await here.run(["mkfifo", dir.join("pipe")]);
  void here.run(["sh", "-c", 'printf piped >"$0"', dir.join("pipe")]);
  /* A long file is not read to find its length, and Bun does not know that of a slice. */
  const bodies: [Bun.BodyInit, string, isLengthKnown?: false][] = [
    [ofNoSize, comm],
    [ofNoSize, comm],
    [Bun.file(dir.join("digits")).slice(5), digits.slice(5)],
    [Bun.file(dir.join("digits")).slice(5, 7), digits.slice(5, 7)],
    [Bun.file(dir.join("digits")).slice(20), ""],
    [Bun.file(dir.join("many")), many9],
    [Bun.file(dir.join("many")).slice(5), many9.slice(5), false],
    [Bun.file(dir.join("many")).slice(5, 4_000_000), many9.slice(5), false],
    [Bun.file(dir.join("pipe")), "piped", false],
  ];
  for (const [body, text, isLengthKnown = true] of bodies)
    expect(await (await there(at("/echo"), { method: "PUT", body })).json()).toEqual([
      "PUT",
      null,
      isLengthKnown ? String(text.length) : null,
      text,
    ]);

  expect(await (await there(at("/gzip"), { decompress: false })).bytes()).toEqual(
    gzipSync("packed"),
  );
  expect((await there(at("/cookies"))).headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect((await (await there(at("/large"))).text()).length).toBe(3_000_000);
  const nothing = await there(at("/204"));
  expect([nothing.status, nothing.body]).toEqual([204, null]);
  expect((await there(at("/nowhere"))).status).toBe(404);

  expect((await there(at("/302"), { redirect: "manual" })).status).toBe(302);
  await expect(there(at("/302"), { redirect: "error" })).rejects.toThrow("UnexpectedRedirect");
});

test("port 0 in a URL does not mean the default port of the scheme", async () => {
  await using server = await startServer({ place: "own" });
  using _ = await serve({ via: server.path, hostname: "127.0.0.1", port: 80, fetch: answer });
  using there = fetchVia(server.path);
  const refused = expect(there("http://127.0.0.1:0/large")).rejects;
  await refused.toMatchObject({ code: "ECONNREFUSED", step: "connect" });
});

test("an idempotent request is sent again if the server closes the kept connection, and a POST is not", async () => {
  await using server = await startServer({ place: "own" });
  let connections = 0;
  using web = await listen<{ requests: number }>({
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
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      },
    },
  });
  using there = fetchVia(server.path);
  const url = `http://127.0.0.1:${web.port}/`;
  for (const [before, method] of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].entries()) {
    expect((await there(url, { method })).status).toBe(200);
    expect(connections).toBe(before + 1);
  }
  // A POST might take effect twice.
  await expect(there(url, { method: "POST", body: "x" })).rejects.toMatchObject({
    code: "ECONNRESET",
  });
});

test("dispose closes kept connections and those being made, and later requests keep none", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  using web = await serve({ via: server.path, hostname: "127.0.0.1", port: 0, fetch: answer });
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
  await eventually("all to close", async () => (await connections()) === 0, UNUSED_MS);
  expect(await (await there(url)).text()).toContain("GET");
  await eventually("that one to close", async () => (await connections()) === 0, UNUSED_MS);
});

test("an aborted fetch closes its connection to the control socket", async () => {
  using silent = new SilentServer();
  using there = fetchVia(silent.path, { timeoutMs: Infinity });
  for (const protocol of ["http", "https"]) {
    const controller = new AbortController();
    const given = there(`${protocol}://127.0.0.1/`, { signal: controller.signal });
    const connection = await silent.accept();
    controller.abort();
    await expect(given).rejects.toMatchObject({ name: "AbortError" });
    await endOf(connection);
  }
});

test("the stack of a failed fetch begins at the caller's line", async () => {
  await using server = await startServer();
  using there = fetchVia(server.path);
  expect(await firstFrame(async () => await there("http://127.0.0.1:9/"))).toContain(
    import.meta.file,
  );
});

test("fetch rejects what it cannot do through the target, with an error code", async () => {
  await using server = await startServer({ place: "own" });
  using there = fetchVia(server.path);
  const url = "http://127.0.0.1:9/";
  const cases: [string, string, object][] = [
    ["ECONNREFUSED", url, {}],
    ["ENETUNREACH", "http://192.0.2.1/", {}],
    ["ENOTSUP", "ftp://127.0.0.1/", {}],
    ["ENOTSUP", url, { method: "TRACE" }],
    ["EINVAL", url, { timeoutMs: 500 }],
  ];
  for (const [code, at, options] of cases)
    await expect(there(at, options)).rejects.toMatchObject({ name: "XSocketError", code });
  const signal = AbortSignal.abort();
  await expect(there(url, { signal })).rejects.toMatchObject({ name: "AbortError" });
});

test("an answer that has been read leaves no listener on the signal", async () => {
  await using server = await startServer();
  using web = await serve({ via: server.path, hostname: "127.0.0.1", port: 0, fetch: answer });
  using there = fetchVia(server.path);
  const { signal } = new AbortController();
  const response = await there(`http://127.0.0.1:${web.port}/large`, { signal });
  expect((await response.text()).length).toBe(3_000_000);
  const left = () => getEventListeners(signal, "abort").length;
  await eventually("no listener", () => left() === 0);
});

test("a fetch whose peer never answers the TLS handshake ends after timeoutMs", async () => {
  await using server = await startServer();
  using deaf = await listen({ via: server.path, port: 0, socket: { data() {} } });
  using there = fetchVia(server.path, { timeoutMs: 1000 });
  const signal = AbortSignal.timeout(20_000);
  await expect(there(`https://127.0.0.1:${deaf.port}/`, { signal })).rejects.toMatchObject({
    name: "XSocketError",
    code: "ETIMEDOUT",
    step: "connect",
  });
});
