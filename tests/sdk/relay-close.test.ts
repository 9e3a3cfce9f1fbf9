/* When connections through a relay end, and the relay itself. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { tempDir } from "../harness/index.ts";
import { said } from "./behind-relay.ts";

describe("where Bun's epoll set cannot be read,", () => {
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
      // less than the answer takes, and enough for a request to reach its handler on a busy machine
      const patient = ["/longer", "/negative", "/none", "/some", "/ever"].map((path) => ask(4, path));
      console.log(...(await Promise.all([...impatient, ask(0, "/"), ask(-1, "/"), ...patient])));
      process.exit();`;
    expect(await said(script)).toBe(`ECONNRESET ECONNRESET${" page".repeat(7)}\n`);
  });

  test("a timeout set for a request holds until the next one, but not for a client that reads nothing", async () => {
    const script = `
      const web = await serve({
        ...place,
        idleTimeout: 3, // for a request to reach its handler, even on a busy machine
        websocket: { open: (socket) => void setTimeout(() => socket.close(1000, "late"), 3500), message() {} },
        async fetch(request, self) {
          const { pathname } = new URL(request.url);
          if (pathname === "/upgrade") {
            await Bun.sleep(3500); // for which Bun.serve waits
            self.timeout(request, 1);
            if (self.upgrade(request)) return;
          }
          if (pathname === "/large") return new Response(new Uint8Array(100_000_000));
          if (pathname === "/second") await Bun.sleep(500);
          if (pathname !== "/plain") self.timeout(request, 0);
          if (pathname === "/second") await Bun.sleep(3500);
          return new Response("page");
        },
      });
      const head = (path) => "GET " + path + " HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n";
      // with a count it is open if it still is by then; without one it has to end, however busy the machine is
      const ended = (text, count = Infinity, whenOpen = () => {}) => new Promise((resolve) => {
        let pages = 0;
        const look = () => (pages < count ? setTimeout(look, 100) : resolve("open " + pages));
        const client = connect(web.port, "127.0.0.1", () => (client.write(text), whenOpen(client)));
        client.on("data", (data) => (pages += data.toString().split("page").length - 1));
        client.on("error", () => {}).on("close", () => resolve("ended " + pages));
        setTimeout(look, 5500);
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
        ended(head("/first"), 1),
        ended(head("/first"), undefined, (client) => setTimeout(() => client.write(head("/plain")), 2500)),
        ended(head("/third") + head("/second"), 2),
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
