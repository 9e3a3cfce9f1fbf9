import { describe, expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { serve, serveSync } from "@xsocket/client";
import { getOption } from "../../packages/client/src/_socket.ts";
import {
  changedEnv,
  createNamespace,
  descriptors,
  eventually,
  hasIpv6,
  here,
  type Namespace,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { webCertificate } from "./certificate.ts";
import { curl, WS } from "./web-clients.ts";
import { isSocketAt, rejection } from "./observed.ts";

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

/* The URLs that a server sees for the arguments of its own fetch(). */
async function ownAnswers(server: Bun.Server<undefined>): Promise<string[]> {
  const asked = ["/a?b#c", "//other/x", "http://other/y"];
  return Promise.all(asked.map(async (path) => (await server.fetch(path)).text()));
}

describe("serve", () => {
  test.each(["http", "https"])(
    "works as Bun.serve does, in the target: %s, routes, WebSocket, reload, stop",
    async (scheme) => {
      const tls = scheme === "https" ? { tls: await webCertificate() } : {};
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
    "listens at all IPv4 and IPv6 addresses by default, and knows the client's address",
    async () => {
      await using target = await createNamespace();
      await using xsocketServer = await startServer({ place: target });
      using server = await serve({
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
    },
  );

  test.skipIf(!hasIpv6)(
    "resolves a path that is given to its fetch() as Bun.serve does",
    async () => {
      await using xsocketServer = await startServer({ place: "own" });
      for (const place of [{}, { hostname: "127.0.0.1" }, { hostname: "::1" }]) {
        const options = { ...place, port: 0, fetch: ({ url }: Request) => new Response(url) };
        using ours = await serve({ via: xsocketServer.path, ...options });
        using bun = Bun.serve(options); // whose URLs have port 0, as given
        const [found, expected] = [await ownAnswers(ours), await ownAnswers(bun)];
        expect(found).toEqual(expected.map((text) => text.replace(":0/", `:${ours.port}/`)));
      }
    },
  );

  test("sets TCP_DEFER_ACCEPT, as Bun.serve does", async () => {
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

  test("answers thousands of requests and leaves no descriptor open", async () => {
    await using target = await createNamespace();
    await using xsocketServer = await startServer({ place: target });
    using server = await serve({
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
      const three = await serve({ ...options, port: 5085, fetch: () => new Response("three ${version}") });
      if (${version} === 1) await three.stop(true); // so that it is started anew
      console.log("run ${version}");`;
    symlinkSync(join(import.meta.dir, "../node_modules"), dir.join("node_modules"));
    writeFileSync(dir.join("program.ts"), program(1));
    await using running = here.spawn([process.execPath, "--hot", dir.join("program.ts")]);
    const pages = ["http://127.0.0.1:5081/", "http://127.0.0.1:5082/"];
    await running.says(/run 1/);
    expect(await curl(target, ...pages)).toBe("one 1two 1");
    writeFileSync(dir.join("program.ts"), program(2));
    await running.says(/run 2/);
    expect(await curl(target, ...pages, "http://127.0.0.1:5085/")).toBe("one 2two 2three 2");
  });

  test("rejects invalid options and addresses with an XSocketError", async () => {
    await using xsocketServer = await startServer({ place: "own" });
    const { path: via } = xsocketServer;
    using first = await serve({ via, port: 0, fetch: empty });
    const cases: [string, object][] = [
      ["EADDRINUSE", { port: first.port }],
      ["EADDRNOTAVAIL", { hostname: "192.0.2.1" }],
      ["EINVAL", { port: 99_999 }],
      ["ENOTSUP", { fd: 3 }],
    ];
    for (const [code, options] of cases)
      for (const form of [
        serve,
        async (o: { port: number }) => serveSync({ via, fetch: empty, ...o }),
      ]) {
        const refused = form({ via, port: 0, fetch: empty, ...options });
        expect((await rejection(refused)).code).toBe(code);
      }
    const wrong = { via, port: 0, fetch: 5 };
    await expect(Reflect.apply(serve, undefined, [wrong])).rejects.toThrow("function");
  });
});

test("serve without a port takes the first valid one of BUN_PORT, PORT and NODE_PORT, or else 3000", async () => {
  await using server = await startServer({ place: "own" });
  for (const [port, environment] of [
    [3000, { BUN_PORT: "", PORT: "", NODE_PORT: "none" }],
    [65_535, { BUN_PORT: "65535", PORT: "4001", NODE_PORT: "4002" }],
    [4001, { BUN_PORT: "", PORT: "0004001", NODE_PORT: "4002" }],
    [4002, { BUN_PORT: "-1", PORT: "70000", NODE_PORT: "4002" }],
  ] as const) {
    using _ = changedEnv(environment);
    using web = await serve({ via: server.path, fetch: empty });
    expect(web.port).toBe(port);
  }
});
