/* Unusual answers, written out byte for byte, and answers that nobody reads. */
import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { fetchVia, listen } from "@xsocket/client";
import { expectNoLeak } from "../harness/descriptors.ts";
import { descriptors, eventually, startServer } from "../harness/index.ts";

/* A server in the target that answers each path with its bytes, then closes unless the path begins with "endless". */
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
  "endless-413": "HTTP/1.1 413 Too Big\r\ncontent-length: 3\r\n\r\nbig",
  end: "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nend",
  "endless-upgrade":
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
  "endless-upgrade-to-nothing": "HTTP/1.1 101 Switching Protocols\r\n\r\n",
  odd: "HTTP/1.1 999 Odd\r\ncontent-length: 1\r\n\r\nx",
  "no-location": "HTTP/1.1 302 Found\r\nlocation:\r\ncontent-length: 0\r\n\r\n",
  location: "HTTP/1.1 302 Grün\r\nlocation: /grün\r\ncontent-length: 0\r\n\r\n",
  scheme: "HTTP/1.1 302 Found\r\nlocation: httpx://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
  "gr%C3%BCn": "HTTP/1.1 200 Grün\r\ncontent-length: 5\r\n\r\ngreen",
  "long-head": `HTTP/1.1 200 OK\r\nx: ${"x".repeat(100_000)}\r\ncontent-length: 1\r\n\r\nx`,
  "many-headers": `HTTP/1.1 200 OK\r\n${"x: x\r\n".repeat(2000)}content-length: 1\r\ny: y\r\n\r\nx`,
  short: "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
  "no-gzip": "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain",
  encoding: "HTTP/1.1 200 OK\r\ncontent-encoding: __proto__\r\ncontent-length: 1\r\n\r\nx",
  nonsense: "nonsense\r\n\r\n",
};

test("unusual answers are read, or fail with an error code", async () => {
  await using server = await startServer();
  using web = await rawServer(server.path, RAW);
  using there = fetchVia(server.path);
  const at = (path: string): string => `http://127.0.0.1:${web.port}/${path}`;
  const limits = { signal: AbortSignal.timeout(20_000) };
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
  expect((await there(at("many-headers"), limits)).headers.get("y")).toBe("y");
  const headers = { "transfer-encoding": "chunked" };
  const sent = await there(at("echo"), { method: "POST", body: "abc", headers, ...limits });
  expect(await sent.text()).not.toContain("transfer-encoding");
  const asked = await there(at("echo?#x"), limits);
  expect(await asked.text()).toContain("GET /echo? HTTP/1.1\r\n");
  const reader = (await there(at("end"), limits)).body?.getReader();
  expect((await reader?.read())?.value?.constructor).toBe(Uint8Array);
  await reader?.cancel();
  expect(await (await there(at("encoding"), limits)).text()).toBe("x");
  for (const [path, code] of [
    ["endless-upgrade", "UnrequestedUpgrade"],
    ["endless-upgrade-to-nothing", "UnrequestedUpgrade"],
    ["scheme", "UnsupportedRedirectProtocol"],
    ["nonsense", "Malformed_HTTP_Response"],
    ["short", "ECONNRESET"],
    ["no-gzip", "ZlibError"],
  ] as const) {
    const text = there(at(path), limits).then((response) => response.text());
    await expect(text).rejects.toMatchObject({ name: "TypeError", code });
  }
});

function encoded(name: string, bytes: Uint8Array): Buffer {
  const head = `HTTP/1.1 200 OK\r\ncontent-encoding: ${name}\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/* Answers with a valid head. */
const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const text = "text ".repeat(100);
const BODIES = {
  "no-size": `${CHUNKED}zz\r\n`,
  "no-size-later": `${CHUNKED}5\r\nhello\r\nzz\r\n`,
  "no-end-of-chunk": `${CHUNKED}5\r\nhello0\r\n\r\n`,
  "cut-chunk": `${CHUNKED}5\r\nhel`,
  trailer: `${CHUNKED}5\r\nhello\r\n0\r\nx: y\r\n\r\n`,
  more: `${CHUNKED}5\r\nhello\r\n0\r\n\r\nmore`,
  "no-size-of-gzip":
    "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
  gzip: encoded("gzip", gzipSync(text)),
  "short-gzip": encoded("gzip", gzipSync(text)).subarray(0, -2),
  "cut-gzip": encoded("gzip", gzipSync(text).subarray(0, -2)),
  "two-gzips": encoded("gzip", Buffer.concat([gzipSync(text), gzipSync(text)])),
  br: encoded("br", brotliCompressSync(text)),
  "cut-br": encoded("br", brotliCompressSync(text).subarray(0, -2)),
  zstd: encoded("zstd", zstdCompressSync(text)),
  "no-zstd": encoded("zstd", Buffer.from("no zstd")),
  "cut-zstd": encoded("zstd", zstdCompressSync(text).subarray(0, -2)),
  "two-zstds": encoded("zstd", Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)])),
};

test("unusual and malformed bodies give the same text or error as with Bun's fetch", async () => {
  await using server = await startServer();
  using web = await rawServer(server.path, BODIES);
  using there = fetchVia(server.path);
  for (const path of Object.keys(BODIES)) {
    const told = async (one: typeof fetch): Promise<unknown> => {
      const signal = AbortSignal.timeout(5000);
      const response = await one(`http://127.0.0.1:${web.port}/${path}`, { signal });
      return response.text().catch(({ name, code }) => ({ name, code }));
    };
    expect([path, await told(there)]).toEqual([path, await told(fetch)]);
  }
});

test("an abort once a short body has arrived fails only its reading", async () => {
  await using server = await startServer();
  const short = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
  using web = await rawServer(server.path, { short });
  using there = fetchVia(server.path);
  const controller = new AbortController();
  const { signal } = controller;
  const response = await there(`http://127.0.0.1:${web.port}/short`, { signal });
  await Bun.sleep(50);
  controller.abort();
  await Bun.sleep(50); // an error that nobody listens for would end the program
  await expect(response.text()).rejects.toMatchObject({ name: "AbortError" });
});

test("reading an encoded body after an abort fails with the signal's reason", async () => {
  await using server = await startServer();
  using there = fetchVia(server.path);
  const noise = randomBytes(400_000); // so large that half of its encoded bytes already decode to something
  for (const [name, encode] of Object.entries({
    gzip: gzipSync,
    br: brotliCompressSync,
    zstd: zstdCompressSync,
  })) {
    const bytes = encoded(name, encode(noise));
    using web = await rawServer(server.path, { endless: bytes.subarray(0, bytes.length / 2) });
    for (const reason of [undefined, null]) {
      const controller = new AbortController();
      const { signal } = controller;
      const { body } = await there(`http://127.0.0.1:${web.port}/endless`, { signal });
      const parts = body?.values();
      await parts?.next();
      controller.abort(reason);
      const rest = async (): Promise<void> => {
        while ((await parts?.next())?.done === false);
      };
      await expect(rest()).rejects.toBe(signal.reason);
    }
  }
});

/* As by the handler of another answer of that moment. */
test("an abort just after the head of an answer ends its body", async () => {
  await using server = await startServer();
  using web = await rawServer(server.path, RAW);
  using there = fetchVia(server.path);
  const controller = new AbortController();
  const { signal } = controller;
  const remove = signal.removeEventListener.bind(signal);
  signal.removeEventListener = (...listener: Parameters<typeof remove>): void => {
    remove(...listener); // of the part that waits for the head
    controller.abort("enough");
  };
  const response = await there(`http://127.0.0.1:${web.port}/endless`, { signal });
  await expect(response.text()).rejects.toBe("enough");
});

test("a request with an invalid CA fails", async () => {
  await using server = await startServer();
  using web = await rawServer(server.path, RAW);
  using there = fetchVia(server.path);
  const limits = { signal: AbortSignal.timeout(5000) };
  const before = descriptors();
  const given = there(`https://127.0.0.1:${web.port}/`, { tls: { ca: "garbage" }, ...limits });
  await expect(given).rejects.toThrow("Invalid CA");
  await expectNoLeak(before);
});

test("a peer that breaks off the TLS handshake gives the same error as with Bun's fetch", async () => {
  await using server = await startServer();
  using there = fetchVia(server.path);
  const alert = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 40); // fatal: handshake_failure
  for (const [answer, code] of [
    [alert, "EPROTO"],
    ["no TLS at all\r\n", "EPROTO"],
    ["", "ECONNRESET"],
  ] as const) {
    const socket = { data: (peer: Bun.Socket) => void peer.end(answer) };
    using web = await listen({ via: server.path, hostname: "127.0.0.1", port: 0, socket });
    const url = `https://127.0.0.1:${web.port}/`;
    for (const one of [there, fetch]) {
      const given = one(url, { signal: AbortSignal.timeout(5000) });
      await expect(given).rejects.toMatchObject({ name: "TypeError", code });
    }
  }
});

test("an unread answer closes its connection once collected, and an unfinished upload is cancelled", async () => {
  await using server = await startServer();
  using web = await rawServer(server.path, RAW);
  using there = fetchVia(server.path);
  const at = (path: string): string => `http://127.0.0.1:${web.port}/${path}`;
  const forget = async (path: string): Promise<void> => {
    const responses = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => there(at(path))));
    expect(responses).toHaveLength(8);
  };
  const before = descriptors().size;
  await forget("endless"); // bodies that were never read
  await forget("endless-302"); // those of redirects
  for (const path of ["endless-upgrade", "endless-upgrade-to-nothing"])
    await expect(forget(path)).rejects.toMatchObject({ code: "UnrequestedUpgrade" });
  await eventually("connections to close", () => {
    Bun.gc(true);
    return descriptors().size <= before + 4; // what a conservative collector may still see
  });
  // the source of a request body is cancelled when its request times out
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
  // also when the server has answered in full and still reads
  const answered = Promise.withResolvers<void>();
  const endless = new ReadableStream({
    async pull(sink) {
      await Bun.sleep(2);
      sink.enqueue("part");
    },
    cancel: () => answered.resolve(),
  });
  const refused = await there(at("endless-413"), { method: "POST", body: endless });
  expect(await refused.text()).toBe("big");
  await answered.promise;
});

function objects(): number {
  Bun.gc(true);
  return heapStats().objectCount;
}

test("a response that was read keeps no objects of its request alive", async () => {
  await using server = await startServer();
  const web = await rawServer(server.path, RAW);
  using there = fetchVia(server.path);
  const answered: Response[] = [];
  const ask = async (): Promise<void> => {
    const response = await there(`http://127.0.0.1:${web.port}/end`);
    expect(await response.text()).toBe("end");
    answered.push(response);
  };
  for (let i = 0; i < 20; i++) await ask();
  const before = objects();
  for (let i = 0; i < 200; i++) await ask();
  await eventually("what is held to be of the answers alone", () => objects() - before < 200 * 50);
  expect(answered).toHaveLength(220);
  web.stop(true);
});
