/* Options that an object has from its class or its prototype. Bun's own functions read them, too. */
import { expect, test } from "bun:test";
import * as http from "node:http";
import { connect, fetchVia, HttpAgent, listen, listenSync, nodeConnect } from "@xsocket/client";
import { serve, serveSync, udp } from "@xsocket/client";
import { startServer } from "../harness/index.ts";
import { webCertificate } from "./certificate.ts";

const fetch = (): Response => new Response("hello");
const checkServerIdentity = (): Error => new Error("another one was expected");

class Pinned {
  readonly ca: string;

  constructor(ca: string) {
    this.ca = ca;
  }

  checkServerIdentity(): Error {
    return new Error("not the pinned one");
  }
}

test("serve has the TLS of an object's class, as Bun.serve", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  class Pages {
    readonly via = server.path;
    readonly hostname = "127.0.0.1";
    readonly port = 0;
    readonly fetch = fetch;
    get tls() {
      return { key, cert };
    }
  }
  for (const start of [Bun.serve, serve, serveSync]) {
    using pages = await Reflect.apply(start, undefined, [new Pages()]);
    expect(pages.protocol).toBe("https");
  }
});

test("fetchVia has the options of a request that an object inherits, as fetch", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  using fetchThere = fetchVia(server.path);
  const place = { hostname: "127.0.0.1", port: 0, tls: { key, cert } };
  using pages = Bun.serve({ ...place, fetch: async (request) => new Response(request.body) });
  class Trusting extends Request {
    get tls() {
      return { ca: cert };
    }
    get page(): never {
      throw new Error("nobody reads this");
    }
  }
  for (const ask of [globalThis.fetch, fetchThere]) {
    const posted: object = Object.create({ tls: { ca: cert }, method: "POST", body: "sent" });
    expect(await (await ask(pages.url, posted)).text()).toBe("sent");
    const init = { method: "POST", body: "sent" };
    const made = (form: typeof Request): Request => new form(pages.url.href, init);
    const extended = (): Request => Object.assign(made(Request), { tls: { ca: cert } });
    for (const request of [extended(), made(Trusting)])
      expect(await (await ask(pages.url, request)).text()).toBe("sent");
    for (const request of [extended(), made(Trusting)])
      expect(await (await ask(request)).text()).toBe("sent");
    const other: object = { tls: undefined, body: "other" };
    expect(await (await ask(extended(), other)).text()).toBe("other");
    await expect(ask(made(Trusting), { tls: { ca: "none" } })).rejects.toThrow();
    const checked: object = Object.create({ tls: { ca: cert, checkServerIdentity } });
    await expect(ask(pages.url, checked)).rejects.toThrow("another one was expected");
    await expect(ask(pages.url, { tls: new Pinned(cert) })).rejects.toThrow("not the pinned one");
  }
});

test("a Request that has an option which does not go with via is refused", async () => {
  using there = fetchVia("/nowhere");
  for (const refused of [{ proxy: "http://127.0.0.1:9" }, { unix: "/tmp/x" }, { protocol: "h2" }]) {
    const request = Object.assign(new Request("http://127.0.0.1:9/"), refused);
    await expect(there(request)).rejects.toMatchObject({ code: "ENOTSUP" });
    await expect(there("http://127.0.0.1:9/", request)).rejects.toMatchObject({ code: "ENOTSUP" });
  }
});

test("a connection is kept for requests whose tls is of a class", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  using fetchThere = fetchVia(server.path);
  using pages = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key, cert },
    fetch: (request, self) => new Response(String(self.requestIP(request)?.port)),
  });
  class Trusting {
    readonly ca = cert;
  }
  const portOf = async () => (await fetchThere(pages.url, { tls: new Trusting() })).text();
  expect(await portOf()).toBe(await portOf());
});

test("fetchVia takes what is no object for no options, as fetch", async () => {
  await using server = await startServer();
  using fetchThere = fetchVia(server.path);
  using pages = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
  for (const ask of [globalThis.fetch, fetchThere])
    for (const given of [1, "POST", true, fetch])
      expect((await Reflect.apply(ask, undefined, [pages.url, given])).status).toBe(200);
});

test("listen, connect and udp have the handlers that an object inherits", async () => {
  await using server = await startServer();
  const heard: string[] = [];
  const socket = { data() {}, open: () => void heard.push("open") };
  const place = { via: server.path, hostname: "127.0.0.1", port: 0 };
  const options = (own: object) => Object.assign(Object.create({ socket }), own);
  for (const start of [Bun.listen, listen, listenSync]) {
    using listener = await Reflect.apply(start, undefined, [options(place)]);
    const peer = options({ ...place, port: listener.port });
    (await connect(peer)).terminate();
  }
  expect(heard).toContain("open");
  const received = Promise.withResolvers<string>();
  const data = (_: unknown, bytes: Buffer): void => received.resolve(bytes.toString());
  const datagrams = Object.assign(Object.create({ socket: { data } }), place);
  using receiver = await udp(datagrams);
  using sender = await udp(place);
  sender.send("hello", receiver.port, "127.0.0.1");
  expect(await received.promise).toBe("hello");
});

test("connect takes handlers and TLS options of a class, and reads no more of it than Bun.connect", async () => {
  const { key, cert } = await webCertificate();
  await using server = await startServer();
  class Trusting {
    readonly #ca = cert;
    get ca(): string {
      return this.#ca;
    }
  }
  class Handlers {
    readonly #done = Promise.withResolvers<boolean>();
    readonly connectError = (): void => {};
    data(): void {}
    get peer(): never {
      throw new Error("not connected yet");
    }
    get done(): Promise<boolean> {
      return this.#done.promise;
    }
    get handshake() {
      return (_: unknown, isTrusted: boolean): void => this.#done.resolve(isTrusted);
    }
  }
  const place = { via: server.path, hostname: "127.0.0.1", port: 0 };
  using listener = await listen({ ...place, tls: { key, cert }, socket: { data() {} } });
  for (const start of [Bun.connect, connect]) {
    const socket = Object.freeze(new Handlers());
    const peer = { ...place, port: listener.port, tls: new Trusting(), socket };
    const connected = await Reflect.apply(start, undefined, [peer]);
    expect(await socket.done).toBe(true);
    connected.terminate();
  }
});

test("a lookup that an object inherits is asked", async () => {
  await using server = await startServer();
  const through = Object.create({ lookup: () => ["127.0.0.1"], via: server.path });
  using pages = await serve({ via: server.path, hostname: "127.0.0.1", port: 0, fetch });
  const host = "nowhere.invalid";
  const { port } = pages;
  (await nodeConnect(Object.assign(Object.create(through), { host, port }))).destroy();
  const peer = Object.assign(Object.create(through), { host, port, socket: { data() {} } });
  (await connect(peer)).terminate();
  using fetchThere = fetchVia(server.path, Object.create({ lookup: () => ["127.0.0.1"] }));
  expect(await (await fetchThere(`http://${host}:${port}/`)).text()).toBe("hello");
  const agent = new HttpAgent(through);
  const answer = Promise.withResolvers<number | undefined>();
  http
    .get({ agent, host, port }, (response) => {
      response.resume();
      answer.resolve(response.statusCode);
    })
    .on("error", answer.reject);
  expect(await answer.promise).toBe(200);
  agent.destroy();
});
