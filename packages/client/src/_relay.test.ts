import { expect, test } from "bun:test";
import { once } from "node:events";
import { closeSync, openSync, readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from "@xsocket/protocol";
import { checked, loadSyscalls } from "@xsocket/xbind-native";
import { changedEnv, tempDir } from "../../../tests/harness/index.ts";
import { webCertificate } from "../../../tests/sdk/certificate.ts";
import { startRelayed } from "./_relay.ts";
import { bindTo, boundPort } from "./_socket.ts";
import { OwnedSocket } from "./owned.ts";

const fetch = (): Response => new Response("hello");
const IP = { family: 4, address: "127.0.0.1", scope: undefined } as const;

function boundSocket(): OwnedSocket {
  const fd = checked("socket", loadSyscalls().socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  bindTo(fd, IP, 0);
  return new OwnedSocket(fd, { domain: AF_INET, type: SOCK_STREAM, protocol: 0 });
}

const WEBSOCKETS = {
  fetch: (request: Request, server: Bun.Server<undefined>) =>
    server.upgrade(request) ? undefined : new Response("no upgrade"),
  websocket: { message() {} },
};
const UPGRADE =
  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/* Bun.serve behind a relay, at a port of its own. */
function relayed(options: Bun.Serve.Options<undefined> = { fetch }): Bun.Server<undefined> {
  using socket = boundSocket();
  const run = (place: object): Bun.Server<undefined> => Bun.serve({ ...options, ...place });
  return startRelayed(options, run, { socket, ip: IP, port: boundPort(socket.fd) });
}

type At = Pick<Bun.Server<undefined>, "protocol" | "port">;
const clientOf = ({ port = 0 }: At): Socket => connect(port, IP.address);
const urlOf = ({ protocol, port }: At): string => `${protocol}://${IP.address}:${port}/`;

/* Sends a request, and returns the first part of its answer. */
async function ask(client: Socket, headers = ""): Promise<string> {
  client.write(`GET / HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  const [answer] = await once(client, "data");
  return String(answer);
}

test("a relay that cannot start removes its directory and leaves the socket open for its owner", () => {
  using socket = boundSocket();
  using dir = tempDir(); // other tests make relays at the same time
  using _ = changedEnv({ TMPDIR: dir.path });
  const made: string[] = [];
  const run = (): never => {
    made.push(...readdirSync(dir.path));
    throw new Error("no room for a path");
  };
  expect(() => startRelayed({}, run, { socket, ip: IP, port: 80 })).toThrow("no room for a path");
  expect(made).toEqual([expect.stringContaining("xsocket-relay-")]);
  expect(readdirSync(dir.path)).toEqual([]);
  expect(socket.closed).toBe(false);
});

test("a relay has the TLS that an object inherits", async () => {
  const { key, cert } = await webCertificate();
  for (const tls of [{ key, cert }, Object.create({ key, cert })]) {
    using pages = relayed({ tls, fetch });
    const answer = await globalThis.fetch(urlOf(pages), { tls: { ca: cert } });
    expect([pages.protocol, await answer.text()]).toEqual(["https", "hello"]);
  }
});

test("a relay tells clients of no time limit for their next request, as Bun.serve", async () => {
  using pages = relayed();
  const client = clientOf(pages);
  expect(await ask(client)).not.toMatch(/^keep-alive:/im);
  client.destroy();
});

test("a relay passes an answer with a long head", async () => {
  const headers = { "x-long": "x".repeat(100_000) };
  using pages = relayed({ fetch: () => new Response("hello", { headers }) });
  const answer = await globalThis.fetch(urlOf(pages));
  expect(answer.headers.get("x-long")).toBe(headers["x-long"]);
});

async function* broken(): AsyncGenerator<string> {
  yield "part";
  await Bun.sleep(20);
  throw new Error("the rest will not come");
}

const earlyOrBroken = ({ headers }: Request): Response =>
  new Response(headers.has("content-length") ? "early" : broken());

test("a relay answers before it has the body, breaks off with the handler, and has no port once stopped", async () => {
  using server = relayed({ fetch: earlyOrBroken, idleTimeout: 0 });
  const client = clientOf(server);
  expect(await ask(client, "Content-Length: 5\r\n")).toContain("early");
  client.destroy();
  const cut = clientOf(server);
  expect(await ask(cut)).toContain("part");
  await once(cut, "close");
  await server.stop();
  expect(server.port).toBe(0);
});

test("a relay answers a request for a WebSocket that lacks the header connection", async () => {
  using server = relayed(WEBSOCKETS);
  const client = clientOf(server);
  expect(await ask(client, UPGRADE)).toContain("no upgrade");
  client.destroy();
});

test("a relay hands on all that a WebSocket's client has sent before it left", async () => {
  const { promise: closed, resolve: close } = Promise.withResolvers<number>();
  let bytes = 0;
  const websocket: Bun.WebSocketHandler<undefined> = {
    message(_, { length }) {
      bytes += length;
      Bun.sleepSync(5); // slower than the client
    },
    close: (_, code) => close(code),
  };
  using server = relayed({ ...WEBSOCKETS, websocket });
  const client = clientOf(server);
  await ask(client, `Connection: upgrade\r\n${UPGRADE}`);
  const message = Buffer.alloc(14 + 131_072);
  message.set([0x82, 0xff, 0, 0, 0, 0, 0, 2]); // its length; the mask behind it is zero
  for (let i = 0; i < 64; i++) client.write(message);
  client.end(new Uint8Array([0x88, 0x82, 0, 0, 0, 0, 1000 >> 8, 1000 & 0xff]));
  expect(await closed).toBe(1000);
  expect(bytes).toBe(64 * 131_072);
});

test("a relay has the handlers of a class, also those given to reload", async () => {
  class Echo {
    message(socket: Bun.ServerWebSocket, text: string): void {
      socket.send(`got ${text}`);
    }
  }
  class Pages {
    readonly websocket = new Echo();
    readonly answer: string;

    constructor(answer: string) {
      this.answer = answer;
    }

    get fetch() {
      return (request: Request, server: Bun.Server<undefined>) =>
        server.upgrade(request) ? undefined : new Response(this.answer);
    }
  }
  const { websocket } = new Pages("");
  using pages = relayed({ websocket, fetch });
  pages.reload(new Pages("reloaded"));
  expect(await (await globalThis.fetch(urlOf(pages))).text()).toBe("reloaded");
  const client = new WebSocket(urlOf(pages));
  const heard = Promise.withResolvers<unknown>();
  client.addEventListener("open", () => client.send("hello"));
  client.addEventListener("message", ({ data }) => heard.resolve(data));
  client.addEventListener("close", heard.reject);
  expect(await heard.promise).toBe("got hello");
  client.terminate();
});

test("a relay whose socket Bun cannot adopt throws ENOSPC once, and stops the server behind it", async () => {
  using socket = boundSocket();
  // Bun cannot poll this, just as if fs.epoll.max_user_watches were reached
  const nothing = openSync("/dev/null", "r");
  loadSyscalls().dupOnto(nothing, socket.fd);
  closeSync(nothing);
  using dir = tempDir();
  const unix = dir.join("http");
  const run = (): Bun.Server<undefined> => Bun.serve({ unix, fetch: () => new Response() });
  expect(() => startRelayed({}, run, { socket, ip: IP, port: 80 })).toThrow("ENOSPC");
  expect(socket.closed).toBe(false);
  expect(readdirSync(dir.path)).toEqual([]); // the server behind has ended
  await Bun.sleep(20); // an unhandled error would have come by now
});

test("closeIdleConnections of a relay leaves alone who has asked nothing yet, or has a WebSocket", async () => {
  using server = relayed(WEBSOCKETS);
  const fresh = clientOf(server);
  await once(fresh, "connect");
  const [idle, upgraded] = [clientOf(server), clientOf(server)];
  await Promise.all([ask(idle), ask(upgraded)]);
  await ask(upgraded, `Connection: upgrade\r\n${UPGRADE}`);
  const closed = once(idle, "close");
  expect(server.closeIdleConnections()).toBe(1);
  await closed;
  await ask(fresh);
  expect(upgraded.destroyed).toBe(false);
  for (const client of [fresh, upgraded]) client.destroy();
});
