import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import {
  createNamespace,
  guardDescriptors,
  here,
  OWN_MOUNTS,
  refusing,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { makeCertificate } from "./certificate.ts";
import { curl, WS } from "./web-clients.ts";

guardDescriptors();

/* A client without a host header that prints the first line of the answer. Some versions of curl send an empty one. */
const NAMELESS = `
  const [, port, scheme] = process.argv;
  await Bun.connect({
    hostname: "127.0.0.1",
    port,
    tls: scheme === "https" && { rejectUnauthorized: false },
    socket: {
      open: (socket) => void socket.write("GET /static HTTP/1.1\\r\\n\\r\\n"),
      data(_, bytes) { console.log(String(bytes).split("\\r\\n")[0]); process.exit(); }, // the end may come by itself
    },
  });`;

const CUT_SHORT = [18, 56]; // curl's exit codes for it, without TLS and with it

/* Hides fdinfo in /proc from a program, so that Bun's epoll set cannot be read. */
const HIDE = 'mount -t tmpfs none /proc/$$/fdinfo && exec "$@"';
const HIDING = [...OWN_MOUNTS, "sh", "-c", HIDE, "sh"];

/* As in a unit with RestrictAddressFamilies=AF_UNIX: only the server has sockets of other families. */
const WITHOUT_INET = refusing("socket", 0, 2, "EAFNOSUPPORT");

/* The beginning of each script: its imports, and the address of its servers. */
const HEAD = `
  import { serve } from "@xsocket/client";
  import { connect } from "node:net";
  const [, via, ...words] = process.argv;
  const place = { via, hostname: "127.0.0.1", port: 0 };`;

/* The output of a script, by default where Bun's epoll set cannot be read. */
async function said(
  script: string,
  words: readonly string[] = [],
  env = {},
  start = HIDING,
): Promise<string> {
  await using server = await startServer();
  const argv = [process.execPath, "-e", HEAD + script, server.path, ...words];
  const { stdout, stderr } = await here.run([...start, ...argv], { env });
  return stdout + stderr;
}

describe("where Bun's epoll set cannot be read, or Bun cannot make sockets,", () => {
  test("a node:cluster worker accepts connections itself, with the given backlog", async () => {
    await using target = await createNamespace();
    await using xsocketServer = await startServer({ place: target });
    const argv = [process.execPath, `${import.meta.dir}/clustered.ts`, xsocketServer.path];
    await using program = here.spawn([...WITHOUT_INET, ...argv], { stdin: "" });
    const [, port] = await program.says(/port (\d+)/);
    expect(await curl(target, `http://127.0.0.1:${port}/`)).toBe("of a worker");
    const { stdout } = await target.run(["ss", "-Hltn", `sport = :${port}`]);
    expect(stdout).toMatch(/^LISTEN 0 +7 /);
    await program.endInput();
    expect(await program.finished()).toBe(0);
  });

  test.each([
    ["http", "no fdinfo", HIDING],
    ["https", "no fdinfo", HIDING],
    ["http", "no sockets of its own", WITHOUT_INET],
  ])(
    "a relay serves as Bun.serve does, and answers open requests before it stops: %s, %s",
    async (scheme, _, start) => {
      using dir = tempDir();
      const names = scheme === "https" ? ["web.test", "other.test"] : [];
      const directories = names.map((name) => dir.join(name));
      for (const directory of directories) {
        mkdirSync(directory);
        await makeCertificate(directory, basename(directory));
      }
      await using target = await createNamespace();
      await using xsocketServer = await startServer({ place: target });
      const script = `${import.meta.dir}/relayed.ts`;
      const argv = [process.execPath, script, xsocketServer.path, ...directories];
      const env = { TMPDIR: dir.path };
      await using program = here.spawn([...start, ...argv], { env, stdin: "" });
      const [, port] = await program.says(/port (\d+)/);
      const base = `${scheme}://127.0.0.1:${port}`;
      const web = `${base}/static`;
      const late = curl(target, "-k", "--rate", "15/m", "-w", "%{num_connects}", web, web); // 4 s apart
      const body = await curl(target, "-k", "-d", "body", `${base}/echo`);
      expect(JSON.parse(body)).toEqual(["127.0.0.1", "IPv4", `${scheme}:`, "body", Number(port)]);
      expect(await curl(target, "-k", `${base}/static`)).toBe("static");
      for (const name of names) {
        const there = ["--resolve", `${name}:${port}:127.0.0.1`, `https://${name}:${port}/static`];
        const cert = dir.join(`${name}/cert.pem`);
        expect(await curl(target, "--cacert", cert, ...there)).toBe("static");
      }
      const status = ["-k", "-o", "/dev/null", "-w", "%{http_code}"];
      const large = ["-H", "content-length: 3000000000", "-d", "x"];
      expect(await curl(target, ...status, ...large, `${base}/echo`)).toBe("413");
      const nameless = [process.execPath, "-e", NAMELESS, `${port}`, scheme];
      expect((await target.run(nameless)).stdout).toBe("HTTP/1.1 400 Bad Request\n");
      const socket = [process.execPath, "-e", WS, base.replace("http", "ws")];
      expect((await target.run(socket)).stdout).toBe("welcome 127.0.0.1,7 hello\n");
      const failing = ["curl", "-sk", "--max-time", "10", `${base}/failing`];
      const { code, stdout } = await target.run(failing);
      expect(CUT_SHORT).toContain(code);
      expect(stdout).toBe("part");
      expect(await late).toBe("static1static1");
      const slow = curl(target, "-k", `${base}/slow`);
      await program.says(/slow was asked for/);
      await program.endInput(); // it stops, but not before that is answered
      expect(await slow).toBe("slow");
      expect(await program.finished()).toBe(0);
      expect(program.stdout).toContain("left nothing");
    },
  );

  test("a relay asks clients for certificates and checks them", async () => {
    using dir = tempDir();
    const { key, cert } = await makeCertificate(dir.path, "web.test");
    const script = `
      const [key, cert] = words;
      const tls = { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true };
      const own = { ...place, fetch: () => new Response("page") };
      const web = await serve({ ...own, tls });
      for (const shown of [{ key, cert }, {}]) {
        const answer = fetch(web.url, { tls: { ca: cert, ...shown } });
        console.log(await answer.then((page) => page.text(), () => "refused"));
      }
      const named = { ...tls, serverName: "web.test" };
      const any = { ...named, rejectUnauthorized: false };
      const none = { ...named, requestCert: false };
      for (const hosts of [[named, none], [any, named], [none, any]]) {
        const made = serve({ ...own, tls: hosts });
        console.log(await made.then((both) => both.protocol, ({ code }) => code));
      }
      process.exit();`;
    expect(await said(script, [key, cert])).toBe("page\nrefused\nhttps\nEINVAL\nEINVAL\n");
  });

  test("stop() of a relay lets a request finish that has partly arrived, and stop(true) ends it", async () => {
    const script = `
      const own = { ...place, idleTimeout: 0, fetch: () => new Response("page") };
      for (const closeActive of [false, true]) {
        const web = await serve(own);
        const client = connect(web.port, "127.0.0.1");
        client.write("GET / HTTP/1.1\\r\\n");
        console.log(await (await fetch(web.url)).text()); // by then that part has come
        const stopped = web.stop(closeActive);
        if (!closeActive) client.write("host: x\\r\\n\\r\\n");
        const answer = await client.toArray().catch(() => ["none"]);
        console.log(answer.join("").split("\\n").at(-1));
        await stopped;
      }`;
    expect(await said(script)).toMatch(/^page\npage\npage\n(none)?\n$/);
  });

  test("closeIdleConnections() of a relay closes the connections of clients that wait for nothing", async () => {
    const script = `
      import { once } from "node:events";
      const { promise: arrived, resolve: arrive } = Promise.withResolvers();
      const { promise: waits, resolve: answer } = Promise.withResolvers();
      const web = await serve({
        ...place,
        idleTimeout: 60,
        fetch: async ({ url }) => (url.endsWith("/slow") && (arrive(), await waits), new Response("page")),
      });
      const open = (path) => {
        const client = connect(web.port, "127.0.0.1").on("error", () => {});
        client.write("GET " + path + " HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n");
        return client;
      };
      const busy = open("/slow");
      const idle = [open("/"), open("/")];
      const closed = Promise.all(idle.map((client) => once(client, "close"))).then(() => "closed");
      await Promise.all([arrived, ...idle.map((client) => once(client, "data"))]);
      let count = 0;
      for (let i = 0; i < 200 && count < 2; i++) count += (await Bun.sleep(10), web.closeIdleConnections());
      console.log(count, await Promise.race([closed, Bun.sleep(5000).then(() => "open")]));
      answer();
      const [page] = await once(busy, "data");
      console.log(page.toString().split("\\r\\n\\r\\n")[1]);
      process.exit();`;
    expect(await said(script)).toBe("2 closed\npage\n");
  });

  test("a relay answers more concurrent requests than the backlog of the server behind it holds", async () => {
    const script = `
      import { once } from "node:events";
      const count = 1500;
      const web = await serve({ ...place, fetch: () => new Response("page") });
      const clients = [];
      for (let i = 0; i < count; i++) {
        clients.push(connect(web.port, "127.0.0.1"));
        await once(clients[i], "connect");
      }
      for (const client of clients) client.write("GET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n");
      const answers = clients.map((client) => new Promise((resolve) => {
        client.once("data", (data) => resolve(data.includes("200 OK"))).once("close", () => resolve(false));
      }));
      console.log((await Promise.all(answers)).filter(Boolean).length);
      process.exit();`;
    expect(await said(script)).toBe("1500\n");
  });

  test("a relay passes on pipelined requests one at a time", async () => {
    const script = `
      let atOnce = 0, most = 0;
      const web = await serve({
        ...place,
        fetch: async (request) => {
          most = Math.max(most, ++atOnce);
          await Bun.sleep(1);
          const text = await request.text();
          atOnce -= 1;
          return new Response(text);
        },
      });
      const client = connect(web.port, "127.0.0.1");
      const head = "POST / HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: 4\\r\\n";
      client.write((head + "\\r\\npage").repeat(99) + head + "connection: close\\r\\n\\r\\npage");
      console.log((await client.toArray()).join("").split("page").length - 1, most);
      process.exit();`;
    expect(await said(script)).toBe("100 1\n");
  });

  test("a relay leaves an unread body with the client, and skips the rest once the request is answered", async () => {
    const script = `
      const length = 32 * 1024 * 1024;
      const { promise: waits, resolve: answer } = Promise.withResolvers();
      const web = await serve({
        ...place,
        maxRequestBodySize: length,
        fetch: async ({ method }) => (method === "POST" && (await waits), new Response(method)),
      });
      const client = connect(web.port, "127.0.0.1");
      client.write("POST / HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: " + length + "\\r\\n\\r\\n");
      const taken = new Promise((resolve) => client.write(Buffer.alloc(length), () => resolve("taken")));
      client.write("GET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n");
      console.log(await Promise.race([taken, Bun.sleep(1500).then(() => "waits")]));
      answer();
      for await (const data of client) {
        console.log(data.toString().split("\\r\\n\\r\\n").at(-1));
        if (data.includes("GET")) process.exit();
      }`;
    expect(await said(script)).toBe("waits\nPOST\nGET\n");
  });

  test("a relay aborts the signal of a request whose client has gone", async () => {
    const script = `
      const end = (text) => process.exit(console.log(text));
      const fetch = ({ signal }) => new Promise(() => {
        signal.addEventListener("abort", () => end("gone"));
        client.destroy();
      });
      const web = await serve({ ...place, fetch });
      const client = connect(web.port, "127.0.0.1");
      client.write("GET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n");
      setTimeout(end, 8000, "in vain");`;
    expect(await said(script)).toBe("gone\n");
  });

  test("a relay passes on Latin-1 headers and client addresses, also for upgrades not taken and HTTP/1.0", async () => {
    const script = `
      const web = await serve({
        ...place,
        idleTimeout: 8, // ends what should have been closed
        fetch: (request, self) => {
          const body = request.url.endsWith("/parts") ? async function* () { yield "pa"; await Bun.sleep(1); yield "ge"; } : self.requestIP(request)?.address;
          return new Response(body, { headers: { "x-name": request.headers.get("x-name") ?? "" } });
        },
      });
      const ask = (text) => new Promise((resolve) => {
        const client = connect(web.port, "127.0.0.1").setEncoding("latin1");
        let answer = "";
        client.on("data", (part) => (answer += part)).on("error", () => {}).on("close", () => resolve(answer));
        client.write(text, "latin1");
      });
      const lines = (answer, what) => answer.match(what)?.join() ?? "none";
      const name = /x-name: .*(?=\\r)/g;
      const address = /(?<=\\r\\n\\r\\n)[\\d.]+/g;
      const body = "content-length: 1000000\\r\\n\\r\\n" + "x".repeat(1000000);
      console.log(lines(await ask("POST / HTTP/1.1\\r\\nhost: x\\r\\nx-name: gr\\xfcn\\r\\nconnection: close\\r\\ncontent-length: 1\\r\\n\\r\\nx"), name));
      console.log(lines(await ask("POST / HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\n" + body), address));
      for (const protocol of ["h2c", "websocket"]) {
        const upgrade = "GET / HTTP/1.1\\r\\nhost: x\\r\\nx-name: gr\\xfcn\\r\\nconnection: upgrade\\r\\nupgrade: " + protocol;
        const answers = await ask(upgrade + "\\r\\n\\r\\nGET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n");
        console.log(lines(answers, name), lines(answers, address));
      }
      const [, parts] = (await ask("GET /parts HTTP/1.0\\r\\n\\r\\n")).split("\\r\\n\\r\\n");
      console.log(parts);
      process.exit();`;
    expect(await said(script)).toBe(
      "x-name: grün\n127.0.0.1\n" + "x-name: grün 127.0.0.1\n".repeat(2) + "page\n",
    );
  });

  test("a relay leaves out the header for trailers, of which it hands on none", async () => {
    const script = `
      import { once } from "node:events";
      const web = await serve({
        ...place,
        fetch: ({ headers }) => new Response(headers.get("trailer"), { headers: { trailer: "x" } }),
      });
      const { port } = web;
      for (const more of ["", "content-length: 2\\r\\n\\r\\nhi", "transfer-encoding: chunked\\r\\n\\r\\n0\\r\\n"]) {
        const client = connect(port, "127.0.0.1");
        client.write("POST / HTTP/1.1\\r\\nhost: x\\r\\nconnection: close\\r\\ntrailer: x\\r\\n" + more + "\\r\\n");
        const [answer] = await once(client, "data");
        console.log(String(answer).split("\\r\\n")[0], /trailer/i.test(answer));
      }
      process.exit();`;
    expect(await said(script)).toBe("HTTP/1.1 200 OK false\n".repeat(3));
  });

  test("a relay passes on a WebSocket message that is sent with the request to upgrade", async () => {
    const script = `
      const web = await serve({
        ...place,
        fetch: (request, self) => void self.upgrade(request),
        websocket: { message: (socket, text) => void socket.send("heard " + text) },
      });
      const client = connect(web.port, "127.0.0.1").setEncoding("latin1");
      const head = "GET / HTTP/1.1\\r\\nhost: x\\r\\nconnection: upgrade\\r\\nupgrade: websocket\\r\\n";
      const key = "sec-websocket-version: 13\\r\\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\n";
      client.write(head + key + "\\r\\n\\x81\\x82\\0\\0\\0\\0hi", "latin1");
      setTimeout(() => process.exit(), 8000);
      let answer = "";
      for await (const part of client)
        if ((answer += part).endsWith("heard hi")) process.exit(console.log("heard"));`;
    expect(await said(script)).toBe("heard\n");
  });

  test("behind a relay, WebSockets know their client after reload(), and unref() lets the program end", async () => {
    const script = `
      import { once } from "node:events";
      const handlers = (word) => ({
        fetch(request, self) {
          if (request.url.endsWith("/never")) return new Promise(() => {});
          return self.upgrade(request) ? undefined : new Response("page");
        },
        websocket: { open: (socket) => void socket.send(word + " " + socket.remoteAddress), message() {} },
      });
      const web = await serve({ ...place, idleTimeout: 60, ...handlers("old") });
      for (const word of ["old", "new"]) {
        web.reload(handlers(word));
        const socket = new WebSocket(web.url);
        const [{ data }] = await once(socket, "message");
        console.log(data);
        socket.close();
        await once(socket, "close");
      }
      const open = (path, ...heads) => {
        const client = connect(web.port, "127.0.0.1").unref();
        client.on("connect", () => client.write(["GET " + path + " HTTP/1.1", "host: x", ...heads, "", ""].join("\\r\\n")));
        return client;
      };
      const ask = (...heads) => once(open("/", ...heads), "data");
      const key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==";
      await ask("connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", key);
      open("/never");
      await ask(); // who stays connected
      web.unref();
      await ask();
      setTimeout(() => process.exit(console.log("held")), 8000).unref();`;
    expect(await said(script)).toBe("old 127.0.0.1\nnew 127.0.0.1\n");
  });

  test("a relay closes silent connections after idleTimeout, or server.timeout() of the request", async () => {
    const script = `
      const seconds = { "/longer": 0, "/shorter": 1, "/negative": -1, "/none": NaN, "/some": 0.5, "/ever": Infinity };
      const ask = async (idleTimeout, path) => {
        const web = await serve({
          ...place,
          idleTimeout,
          async fetch(request, self) {
            if (path in seconds) self.timeout(request, seconds[path]);
            await Bun.sleep(4500); // Bun.serve looks every 4 s
            return new Response("page");
          },
        });
        return fetch(new URL(path, web.url)).then((page) => page.text(), ({ code }) => code);
      };
      const impatient = [ask(1, "/"), ask(0, "/shorter")];
      const patient = ["/longer", "/negative", "/none", "/some", "/ever"].map((path) => ask(1, path));
      console.log(...(await Promise.all([...impatient, ask(0, "/"), ask(-1, "/"), ...patient])));
      process.exit();`;
    expect(await said(script)).toBe(`ECONNRESET ECONNRESET${" page".repeat(7)}\n`);
  });

  test("a timeout set for a request holds until the next one, but not for a client that reads nothing", async () => {
    const script = `
      const web = await serve({
        ...place,
        idleTimeout: 1,
        websocket: { open: (socket) => void setTimeout(() => socket.close(1000, "late"), 2500), message() {} },
        async fetch(request, self) {
          const { pathname } = new URL(request.url);
          if (pathname === "/upgrade") {
            await Bun.sleep(2500); // for which Bun.serve waits
            self.timeout(request, 1);
            if (self.upgrade(request)) return;
          }
          if (pathname === "/large") return new Response(new Uint8Array(100_000_000));
          if (pathname === "/second") await Bun.sleep(500);
          if (pathname !== "/plain") self.timeout(request, 0);
          if (pathname === "/second") await Bun.sleep(2500);
          return new Response("page");
        },
      });
      const head = (path) => "GET " + path + " HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n";
      const ended = (text, whenOpen = () => {}) => new Promise((resolve) => {
        let pages = 0;
        const client = connect(web.port, "127.0.0.1", () => (client.write(text), whenOpen(client)));
        client.on("data", (data) => (pages += data.toString().split("page").length - 1));
        client.on("error", () => {}).on("close", () => resolve("ended " + pages));
        setTimeout(() => resolve("open " + pages), 4500);
      });
      const socket = new WebSocket(new URL("/upgrade", web.url));
      const upgraded = new Promise((resolve) => {
        socket.onclose = ({ reason }) => resolve(reason);
      });
      const taker = connect(web.port, "127.0.0.1", () => taker.write(head("/large")));
      let taken = 0;
      taker.on("data", ({ length }) => void (taken += length)).on("error", () => {}).pause();
      const takerEnded = new Promise((resolve) => taker.on("close", resolve)); // before all this, on a busy machine
      console.log(...(await Promise.all([
        ended(head("/first")),
        ended(head("/first"), (client) => setTimeout(() => client.write(head("/plain")), 2500)),
        ended(head("/third") + head("/second")),
        ended("GET / HT"),
        upgraded,
      ])));
      taker.resume();
      await takerEnded;
      console.log(taken < 100_000_000);
      process.exit();`;
    expect(await said(script)).toBe("open 1 ended 2 open 2 ended 0 late\ntrue\n");
  });

  test("a relay keeps a new client apart from a closed one that had the same port", async () => {
    const client = `
import socket, struct, sys
def connect(port=0):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", port))
    client.connect(("127.0.0.1", int(sys.argv[1])))
    return client
def ask(client, path):
    client.sendall(f"GET {path} HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n".encode())
old = connect()
port = old.getsockname()[1]
old.sendall(b"GET /")  # it is accepted
busy = connect()
ask(busy, "/busy")
sys.stdin.readline()
other = connect()  # the listener has news first
ask(other, "/")
old.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
old.close()
new = connect(port)
ask(new, "/")
print("answered" if new.recv(1000) else "ended")`;
    const script = `
      const asked = Promise.withResolvers();
      const web = await serve({
        ...place,
        idleTimeout: 2,
        async fetch(request, self) {
          self.timeout(request, 0);
          if (request.url.endsWith("/busy")) asked.resolve();
          else await Bun.sleep(3500);
          return new Response("page");
        },
      });
      const client = Bun.spawn(["python3", "-c", words[0], web.port], { stdin: "pipe" });
      await asked.promise;
      await client.stdin.write("\\n");
      await client.stdin.flush();
      Bun.sleepSync(1000);
      console.log(await client.stdout.text());
      process.exit();`;
    expect(await said(script, [client])).toBe("answered\n\n");
  });

  test("a relay without a directory for its socket fails with ENOENT and names TMPDIR", async () => {
    const script = "await serve({ ...place, fetch: () => new Response() });";
    const words = await said(script, [], { TMPDIR: "/nowhere" }, WITHOUT_INET);
    expect(words).toMatch(/XSocketError: cannot serve: .* in \/nowhere, .*\(ENOENT\)\. .*TMPDIR/);
  });

  test("a process that exits without stop() removes the directories of its relays", async () => {
    using dir = tempDir();
    const script = `
      import { readdirSync } from "node:fs";
      for (let i = 0; i < 2; i++) await serve({ ...place, fetch: () => new Response() });
      console.log(readdirSync(words[0]).length);
      process.exit();`;
    expect(await said(script, [dir.path], { TMPDIR: dir.path })).toBe("2\n");
    expect(readdirSync(dir.path)).toEqual([]);
  });
});
