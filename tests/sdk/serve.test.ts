import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { serve, serveSync, XSocketError } from "@xsocket/client";
import { boundPort, getOption } from "../../packages/client/src/_socket.ts";
import {
  createNamespace,
  descriptors,
  eventually,
  guardDescriptors,
  hasIpv6,
  here,
  type Namespace,
  OWN_MOUNTS,
  refusing,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { makeCertificate } from "./certificate.ts";

guardDescriptors();

async function curl(place: Namespace, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await place.run(["curl", "-sS", "-m", "10", ...args]);
  return code === 0 ? stdout : `exit ${code}: ${stderr}`;
}

type Data = { id: number };

function empty(): Response {
  return new Response("");
}

/* What the servers of these tests answer with. */
function handlers(name: string) {
  return {
    routes: {
      "/static": new Response("static"),
      "/user/:id": (request: Bun.BunRequest<"/user/:id">) => new Response(request.params.id),
    },
    async fetch(request: Request, server: Bun.Server<Data>) {
      if (server.upgrade(request, { data: { id: 7 } })) return undefined;
      const { address } = server.requestIP(request) ?? {};
      return Response.json([name, address, new URL(request.url).protocol, await request.text()]);
    },
    websocket: {
      open: (socket: Bun.ServerWebSocket<Data>) =>
        void socket.send(`welcome ${socket.remoteAddress}`),
      message: (socket: Bun.ServerWebSocket<Data>, message: string | Buffer) =>
        void socket.send(`${socket.data.id} ${message.toString()}`),
    },
  };
}

/* A WebSocket client in the target that says hello and prints two messages. */
const WS = `
  const socket = new WebSocket(process.argv[1], { tls: { rejectUnauthorized: false } });
  const seen = [];
  socket.onopen = () => setTimeout(() => socket.send("hello"), 1500); // longer than idleTimeout, which is for HTTP
  socket.onmessage = ({ data }) => { seen.push(data); if (seen.length === 2) socket.close(); };
  socket.onclose = () => console.log(seen.join());
  socket.onerror = ({ message }) => console.log(message);`;

/* A client that names no host, and prints the first line of the answer. Some versions of curl send an empty name. */
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

async function check(target: Namespace, server: Bun.Server<Data>): Promise<void> {
  const scheme = server.protocol ?? "http";
  const base = `${scheme}://127.0.0.1:${server.port}`;
  const echo = [`${base}/echo`, "-k", "-d", "body"];
  expect(JSON.parse(await curl(target, ...echo))).toEqual([
    "one",
    "127.0.0.1",
    `${scheme}:`,
    "body",
  ]);
  expect(await curl(target, "-k", `${base}/static`, `${base}/user/42`)).toBe("static42");
  const socket = [process.execPath, "-e", WS, base.replace("http", "ws")];
  expect((await target.run(socket)).stdout).toBe("welcome 127.0.0.1,7 hello\n");
  server.reload(handlers("two"));
  expect(await curl(target, ...echo)).toContain('"two"');
}

/* Of descriptors that are no sockets no port is told. */
function isSocketAt(fd: number, port: number): boolean {
  try {
    return boundPort(fd) === port;
  } catch {
    return false;
  }
}

/* What URLs a server sees for what is given to its own fetch. */
async function ownAnswers(server: Bun.Server<undefined>): Promise<string[]> {
  const asked = ["/a?b#c", "//other/x", "http://other/y"];
  return Promise.all(asked.map(async (path) => (await server.fetch(path)).text()));
}

describe("serve", () => {
  test.each(["http", "https"])(
    "is Bun.serve in the target: %s, routes, WebSocket, reload, stop",
    async (scheme) => {
      using dir = tempDir();
      const tls = scheme === "https" ? { tls: await makeCertificate(dir.path, "web.test") } : {};
      await using target = await createNamespace();
      await using xsocketServer = await startServer({ place: target });
      for (const form of [serve, serveSync]) {
        const open = descriptors().size;
        const server = await form<Data, "/static" | "/user/:id">({
          via: xsocketServer.path,
          hostname: "127.0.0.1",
          port: 0,
          ...tls,
          ...handlers("one"),
        });
        const { port = 0 } = server;
        expect(server.hostname).toBe("127.0.0.1");
        expect(server.url.href).toBe(`${scheme}://127.0.0.1:${port}/`);
        expect(Reflect.get(server, "address")).toEqual({
          address: "127.0.0.1",
          family: "IPv4",
          port,
        });
        expect([target.listens("tcp", port), here.listens("tcp", port)]).toEqual([true, false]);
        await check(target, server);
        await server.stop(true);
        expect(target.listens("tcp", port)).toBe(false);
        // one more: the shared session's connection; Bun closes the pipes of curl a little later
        await eventually("descriptors to close", () => descriptors().size <= open + 1);
      }
    },
  );

  test.skipIf(!hasIpv6)(
    "listens at all addresses by default, of both families, and tells the client's own",
    async () => {
      await using target = await createNamespace();
      await using xsocketServer = await startServer({ place: target });
      const server = await serve({
        via: xsocketServer.path,
        port: 0,
        fetch: (request, self) => new Response(self.requestIP(request)?.address),
      });
      expect(server.hostname).toBe("localhost");
      expect(await curl(target, `http://127.0.0.1:${server.port}/`)).toBe("::ffff:127.0.0.1");
      expect(await curl(target, `http://[::1]:${server.port}/`)).toBe("::1");
      using scoped = await serve({
        via: xsocketServer.path,
        hostname: "::1%1",
        port: 0,
        fetch: empty,
      });
      expect(scoped.url.hostname).toBe("[::1]");
      await server.stop(true);
    },
  );

  test.skipIf(!hasIpv6)(
    "completes a path given to its own fetch by its address, as Bun.serve does",
    async () => {
      await using target = await createNamespace();
      await using xsocketServer = await startServer({ place: target });
      for (const place of [{}, { hostname: "127.0.0.1" }, { hostname: "::1" }]) {
        const options = { ...place, port: 0, fetch: ({ url }: Request) => new Response(url) };
        using ours = await serve({ via: xsocketServer.path, ...options });
        using bun = Bun.serve(options); // which says port 0 here, as it was told
        const [found, expected] = [await ownAnswers(ours), await ownAnswers(bun)];
        expect(found).toEqual(expected.map((text) => text.replace(":0/", `:${ours.port}/`)));
      }
    },
  );

  test("is given no connection before it asks something, as Bun.serve is not", async () => {
    await using xsocketServer = await startServer();
    const options = { hostname: "127.0.0.1", port: 0, fetch: empty };
    using ours = await serve({ via: xsocketServer.path, ...options });
    using bun = Bun.serve(options);
    const deferred = [ours, bun].map(({ port = 0 }) =>
      [...descriptors().keys()]
        .filter((fd) => isSocketAt(fd, port))
        .map((fd) => getOption(fd, "TCP_DEFER_ACCEPT")),
    );
    expect(deferred).toEqual([[1], [1]]);
  });

  test("takes thousands of requests and leaves nothing behind", async () => {
    await using target = await createNamespace();
    await using xsocketServer = await startServer({ place: target });
    const server = await serve({
      via: xsocketServer.path,
      port: 0,
      fetch: () => new Response("yes"),
    });
    const load = `
      let yes = 0;
      const one = async () => { for (let i = 0; i < 100; i++) if ((await (await fetch(process.argv[1])).text()) === "yes") yes++; };
      await Promise.all(Array.from({ length: 20 }, one));
      console.log(yes);`;
    const url = `http://127.0.0.1:${server.port}/`;
    const { stdout, stderr } = await target.run([process.execPath, "-e", load, url]);
    expect(stdout + stderr).toBe("2000\n");
    await server.stop(true);
  });

  test("gets its new handlers under bun --hot", async () => {
    using dir = tempDir();
    await using target = await createNamespace();
    await using xsocketServer = await startServer({ place: target });
    const program = (version: number): string => `
      import { serve, serveSync } from "@xsocket/client";
      const options = { via: "${xsocketServer.path}", hostname: "127.0.0.1" };
      await serve({ ...options, port: 5081, fetch: () => new Response("one ${version}") });
      const id = "two"; // by which it is the same one, also at another port
      serveSync({ ...options, id, port: ${5081 + version}, fetch: () => new Response("two ${version}") });
      console.log("run ${version}");`;
    symlinkSync(join(import.meta.dir, "../node_modules"), dir.join("node_modules"));
    writeFileSync(dir.join("program.ts"), program(1));
    await using running = here.spawn([process.execPath, "--hot", dir.join("program.ts")]);
    const pages = ["http://127.0.0.1:5081/", "http://127.0.0.1:5082/"];
    await running.says(/run 1/);
    expect(await curl(target, ...pages)).toBe("one 1two 1");
    writeFileSync(dir.join("program.ts"), program(2));
    await running.says(/run 2/);
    expect(await curl(target, ...pages)).toBe("one 2two 2");
  });

  test("that cannot be is refused with a sentence", async () => {
    await using target = await createNamespace();
    await using xsocketServer = await startServer({ place: target });
    const { path: via } = xsocketServer;
    const first = await serve({ via, port: 0, fetch: empty });
    const cases: [string, object][] = [
      ["EADDRINUSE", { port: first.port }],
      ["EADDRNOTAVAIL", { hostname: "192.0.2.1" }],
      ["EINVAL", { port: 99_999 }],
      ["ENOTSUP", { fd: 3 }],
      ["ENOTSUP", { unix: "/tmp/x" }],
      ["ENOTSUP", { http3: true }],
    ];
    for (const [code, options] of cases)
      for (const form of [
        serve,
        async (o: { port: number }) => serveSync({ via, fetch: empty, ...o }),
      ]) {
        const error: unknown = await form({ via, port: 0, fetch: empty, ...options }).catch(
          (e: unknown) => e,
        );
        expect(error, code).toBeInstanceOf(XSocketError);
        expect(error).toMatchObject({ code });
      }
    const wrong = { via, port: 0, fetch: 5 };
    await expect(Reflect.apply(serve, undefined, [wrong])).rejects.toThrow("function");
    await first.stop(true);
  });
});

const CUT_SHORT = [18, 56]; // what curl calls it, without TLS and with it

/* A program whose /proc has no fdinfo: Bun's epoll set cannot be looked into. */
const HIDE = 'mount -t tmpfs none /proc/$$/fdinfo && exec "$@"';
const HIDING = [...OWN_MOUNTS, "sh", "-c", HIDE, "sh"];

/* One in a unit with RestrictAddressFamilies=AF_UNIX, which has sockets of other families from the server alone. */
const WITHOUT_INET = refusing("socket", 0, 2, "EAFNOSUPPORT");

describe("where Bun cannot be looked into, or cannot listen by itself", () => {
  test("a relay takes connections in a worker of node:cluster itself, and as many as may wait", async () => {
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
  ])("a relay does the same: %s, %s", async (scheme, _, start) => {
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
    const body = await curl(target, "-k", "-d", "body", `${base}/echo`);
    expect(JSON.parse(body)).toEqual(["127.0.0.1", `${scheme}:`, "body", Number(port)]);
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
    const web = `${base}/static`;
    const late = curl(target, "-k", "--rate", "15/m", "-w", "%{num_connects}", web, web); // 4 s apart
    expect(await late).toBe("static1static1");
    const slow = curl(target, "-k", `${base}/slow`);
    await program.says(/slow was asked for/);
    await program.endInput(); // it stops, but not before that is answered
    expect(await slow).toBe("slow");
    expect(await program.finished()).toBe(0);
    expect(program.stdout).toContain("left nothing");
  });

  test("a relay asks for certificates of clients", async () => {
    using dir = tempDir();
    const { key, cert } = await makeCertificate(dir.path, "web.test");
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      const [, via, key, cert] = process.argv;
      const tls = { key, cert, ca: cert, requestCert: true, rejectUnauthorized: true };
      const own = { via, hostname: "127.0.0.1", port: 0, fetch: () => new Response("page") };
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
    const argv = [process.execPath, "-e", script, server.path, key, cert];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe("page\nrefused\nhttps\nEINVAL\nEINVAL\n");
  });

  test("a relay that is stopped answers a request of which a part has come, unless that is to be ended", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      import { connect } from "node:net";
      const own = { hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: () => new Response("page") };
      for (const closeActive of [false, true]) {
        const web = await serve({ via: process.argv[1], ...own });
        const client = connect(web.port, "127.0.0.1");
        client.write("GET / HTTP/1.1\\r\\n");
        console.log(await (await fetch(web.url)).text()); // by then that part has come
        const stopped = web.stop(closeActive);
        client.write("host: x\\r\\n\\r\\n");
        const answer = await client.toArray().catch(() => ["none"]);
        console.log(answer.join("").split("\\n").at(-1));
        await stopped;
      }`;
    const argv = [process.execPath, "-e", script, server.path];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toMatch(/^page\npage\npage\n(none)?\n$/);
  });

  test("a relay answers more requests at once than the server behind it may have waiting", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      import { connect } from "node:net";
      import { once } from "node:events";
      const count = 1500;
      const web = await serve({ via: process.argv[1], hostname: "127.0.0.1", port: 0, fetch: () => new Response("page") });
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
    const argv = [process.execPath, "-e", script, server.path];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe("1500\n");
  });

  test("a relay hands on what a client has sent ahead one after the other", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      import { connect } from "node:net";
      let atOnce = 0, most = 0;
      const web = await serve({
        via: process.argv[1],
        hostname: "127.0.0.1",
        port: 0,
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
    const argv = [process.execPath, "-e", script, server.path];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe("100 1\n");
  });

  test("a relay leaves a body that is not read at its client, and passes over the rest once that is answered", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      import { connect } from "node:net";
      const length = 32 * 1024 * 1024;
      const { promise: waits, resolve: answer } = Promise.withResolvers();
      const web = await serve({
        via: process.argv[1],
        hostname: "127.0.0.1",
        port: 0,
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
    const argv = [process.execPath, "-e", script, server.path];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe("waits\nPOST\nGET\n");
  });

  test("a relay has a handler know that its client has gone", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      import { connect } from "node:net";
      const end = (text) => process.exit(console.log(text));
      const fetch = ({ signal }) => new Promise(() => {
        signal.addEventListener("abort", () => end("gone"));
        client.destroy();
      });
      const web = await serve({ via: process.argv[1], hostname: "127.0.0.1", port: 0, fetch });
      const client = connect(web.port, "127.0.0.1");
      client.write("GET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n");
      setTimeout(end, 8000, "in vain");`;
    const argv = [process.execPath, "-e", script, server.path];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe("gone\n");
  });

  test("a relay hands heads on byte for byte, and what connections are for", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      import { connect } from "node:net";
      const web = await serve({
        via: process.argv[1],
        hostname: "127.0.0.1",
        port: 0,
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
    const argv = [process.execPath, "-e", script, server.path];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe(
      "x-name: grün\n127.0.0.1\n" + "x-name: grün 127.0.0.1\n".repeat(2) + "page\n",
    );
  });

  test("a relay ends who is silent for too long, as the server says for each request", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      const seconds = { "/longer": 0, "/shorter": 1, "/negative": -1, "/none": NaN, "/some": 0.5, "/ever": Infinity };
      const ask = async (idleTimeout, path) => {
        const web = await serve({
          via: process.argv[1],
          hostname: "127.0.0.1",
          port: 0,
          idleTimeout,
          async fetch(request, self) {
            if (path in seconds) self.timeout(request, seconds[path]);
            await Bun.sleep(4500); // Bun.serve looks every 4 s
            return new Response("page");
          },
        });
        return fetch(new URL(path, web.url)).then((page) => page.text(), ({ code }) => code);
      };
      console.log(...(await Promise.all([ask(1, "/"), ask(0, "/shorter")])));
      const patient = ["/longer", "/negative", "/none", "/some", "/ever"].map((path) => ask(1, path));
      console.log(...(await Promise.all([ask(0, "/"), ask(-1, "/"), ...patient])));
      process.exit();`;
    const argv = [process.execPath, "-e", script, server.path];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe(`ECONNRESET ECONNRESET\n${Array(7).fill("page").join(" ")}\n`);
  });

  test("a relay has patience with a connection until the next request, but for a client that takes nothing", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      import { connect } from "node:net";
      const web = await serve({
        via: process.argv[1],
        hostname: "127.0.0.1",
        port: 0,
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
      console.log(...(await Promise.all([
        ended(head("/first")),
        ended(head("/first"), (client) => setTimeout(() => client.write(head("/plain")), 2500)),
        ended(head("/third") + head("/second")),
        upgraded,
      ])));
      taker.resume();
      await new Promise((resolve) => taker.on("close", resolve));
      console.log(taken < 100_000_000);
      process.exit();`;
    const argv = [process.execPath, "-e", script, server.path];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe("open 1 ended 2 open 2 late\ntrue\n");
  });

  test("a relay knows a client whose port was that of another, of whose end it hears later", async () => {
    await using server = await startServer();
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
      import { serve } from "@xsocket/client";
      const [via, program] = process.argv.slice(1);
      const asked = Promise.withResolvers();
      const web = await serve({
        via,
        hostname: "127.0.0.1",
        port: 0,
        idleTimeout: 2,
        async fetch(request, self) {
          self.timeout(request, 0);
          if (request.url.endsWith("/busy")) asked.resolve();
          else await Bun.sleep(3500);
          return new Response("page");
        },
      });
      const client = Bun.spawn(["python3", "-c", program, web.port], { stdin: "pipe" });
      await asked.promise;
      await client.stdin.write("\\n");
      await client.stdin.flush();
      Bun.sleepSync(1000);
      console.log(await client.stdout.text());
      process.exit();`;
    const argv = [process.execPath, "-e", script, server.path, client];
    const { stdout, stderr } = await here.run([...HIDING, ...argv]);
    expect(stdout + stderr).toBe("answered\n\n");
  });

  test("a relay without a directory for its socket says so", async () => {
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      await serve({ via: process.argv[1], port: 0, fetch: () => new Response() });`;
    const argv = [process.execPath, "-e", script, server.path];
    const env = { TMPDIR: "/nowhere" };
    const { stderr } = await here.run([...WITHOUT_INET, ...argv], { env });
    expect(stderr).toMatch(/XSocketError: cannot serve: .* in \/nowhere, .*\(ENOENT\)\. .*TMPDIR/);
  });

  test("a process that ends without stop() leaves no directory of its relays", async () => {
    using dir = tempDir();
    await using server = await startServer();
    const script = `
      import { serve } from "@xsocket/client";
      import { readdirSync } from "node:fs";
      const [, via, directory] = process.argv;
      for (let i = 0; i < 2; i++) await serve({ via, port: 0, fetch: () => new Response() });
      console.log(readdirSync(directory).length);
      process.exit();`;
    const argv = [process.execPath, "-e", script, server.path, dir.path];
    const env = { TMPDIR: dir.path };
    const { stdout, stderr } = await here.run([...HIDING, ...argv], { env });
    expect(stdout + stderr).toBe("2\n");
    expect(readdirSync(dir.path)).toEqual([]);
  });
});

test("without a port it is that of the environment, of what is one", async () => {
  await using target = await createNamespace();
  await using server = await startServer({ place: target });
  const before = { ...process.env };
  try {
    for (const [port, environment] of [
      [3000, { BUN_PORT: "", PORT: "", NODE_PORT: "none" }],
      [65_535, { BUN_PORT: "65535", PORT: "4001", NODE_PORT: "4002" }],
      [4001, { BUN_PORT: "", PORT: "0004001", NODE_PORT: "4002" }],
      [4002, { BUN_PORT: "-1", PORT: "70000", NODE_PORT: "4002" }],
    ] as const) {
      Object.assign(process.env, environment);
      const web = await serve({ via: server.path, fetch: empty });
      expect(web.port).toBe(port);
      await web.stop(true);
    }
  } finally {
    for (const name of ["BUN_PORT", "PORT", "NODE_PORT"]) {
      delete process.env[name];
      if (before[name] !== undefined) process.env[name] = before[name];
    }
  }
});
