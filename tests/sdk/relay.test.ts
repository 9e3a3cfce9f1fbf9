import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import { createNamespace, HELD_TO_MODES, here, startServer, tempDir } from "../harness/index.ts";
import { HIDING, said, WITHOUT_INET } from "./behind-relay.ts";
import { makeCertificate, webCertificate } from "./certificate.ts";
import { curl, WS } from "./web-clients.ts";

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
    const { key, cert } = await webCertificate();
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

  test("a relay answers more concurrent requests than the backlog of the server behind it holds", async () => {
    const script = `
      import { once } from "node:events";
      const count = 1500;
      const web = await serve({ ...place, idleTimeout: 0, fetch: () => new Response("page") });
      const clients = []; // who connect one after the other
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

  test("a relay without a directory for its socket fails with ENOENT and names TMPDIR", async () => {
    const script = "await serve({ ...place, fetch: () => new Response() });";
    const words = await said(script, [], { TMPDIR: "/nowhere" }, WITHOUT_INET);
    expect(words).toMatch(/XSocketError: cannot serve: .* in \/nowhere, .*\(ENOENT\)\. .*TMPDIR/);
  });

  test("a relay whose directory can be neither used nor removed fails with the first error alone", async () => {
    const script = `
      process.umask(0o777);
      await serve({ ...place, fetch: () => new Response() }).catch((error) => console.log(error.name, error.code));`;
    using dir = tempDir();
    const words = await said(script, [], { TMPDIR: dir.path }, [...HELD_TO_MODES, ...WITHOUT_INET]);
    for (const name of readdirSync(dir.path)) chmodSync(dir.join(name), 0o700);
    expect(words).toBe("XSocketError EACCES\n");
  });
});
