/* Connections and listeners: see api.ts. */
import { createSecureContext } from "node:tls";
import {
  codeOf,
  doConnect,
  doListen,
  noting,
  outcome,
  play,
  settled,
  startConnect,
} from "./api.ts";

const { KEY: key = "", CERT: cert = "" } = process.env;
type Socket = Bun.Socket;

interface Pair {
  readonly listener: Bun.TCPSocketListener;
  readonly client: Socket;
  readonly server: Socket;
  /** The calls of each side's handlers, kept apart because the order between the sides is chance. */
  readonly seen: () => { server: string[]; client: string[] };
}

async function pair(allowHalfOpen = false, secure = false): Promise<Pair> {
  const logs: Record<"server" | "client", string[]> = { server: [], client: [] };
  const { promise: server, resolve } = Promise.withResolvers<Socket>();
  const handlers = noting(logs.server, "server");
  const open = (socket: Socket): void => {
    logs.server.push("server open");
    resolve(socket);
  };
  const tls = secure ? { tls: { key, cert } } : {};
  const socket = { ...handlers, open };
  const listener = await doListen({ port: 0, allowHalfOpen, ...tls, socket });
  const client = await doConnect({
    port: listener.port,
    allowHalfOpen,
    ...(secure && { tls: { ca: cert } }),
    socket: noting(logs.client, "client"),
  });
  return { listener, client, server: await server, seen: () => logs };
}

async function after(act: () => unknown): Promise<void> {
  act();
  await settled();
}

const CHUNK = Buffer.alloc(1 << 20, 7);

/* Writes until the kernel's buffers are full, however large they are, and the rest after a drain. */
async function sendBig(): Promise<unknown> {
  const { promise: all, resolve } = Promise.withResolvers<number>();
  let received = 0;
  const listener = await doListen({
    port: 0,
    socket: {
      data: (_, data) => void (received += data.length),
      close: () => resolve(received),
    },
  });
  let sent = 0;
  let drains = 0;
  const open = (socket: Socket): void => {
    for (let taken = CHUNK.length; taken === CHUNK.length; sent += Math.max(taken, 0))
      taken = socket.write(CHUNK);
  };
  const drain = (socket: Socket): void => {
    if (drains++ === 0) sent += socket.end("the rest");
  };
  await doConnect({ port: listener.port, socket: { data() {}, open, drain } });
  const got = await all;
  listener.stop(true);
  return [got === sent, drains > 0];
}

async function upgrade(): Promise<unknown> {
  const log: string[] = [];
  const echo = { data: (socket: Socket, data: Buffer) => void socket.write(data) };
  const listener = await doListen({ port: 0, tls: { key, cert }, socket: echo });
  const plain = await doConnect({ port: listener.port, socket: { data() {} } });
  const { promise, resolve } = Promise.withResolvers<void>();
  const [, secure] = plain.upgradeTLS({
    tls: { ca: cert, serverName: "web.test" },
    socket: {
      handshake(socket, ok) {
        log.push(`handshake ${ok}`);
        socket.write("secret");
      },
      data(_, data) {
        log.push(data.toString());
        resolve();
      },
    },
  });
  await promise;
  secure.end();
  listener.stop(true);
  return log;
}

/* The server name that a TLS client sends, and whether it accepts the certificate; "plain" without TLS. */
async function shake(tls: unknown): Promise<unknown> {
  const { promise: asked, resolve } = Promise.withResolvers<unknown>();
  const { promise: checked, resolve: tell } = Promise.withResolvers<unknown>();
  const handshake = (socket: Bun.TLSSocket): void => resolve(socket.getServername() ?? "none");
  const plain = { data() {}, handshake, close: () => resolve("plain") };
  const listener = await doListen({ port: 0, tls: { key, cert }, socket: plain });
  try {
    const client = await doConnect({
      port: listener.port,
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JavaScript may give
      tls: tls as Bun.TLSOptions,
      socket: { data() {}, handshake: (_, ok) => tell(ok), close: () => tell("plain") },
    });
    await settled();
    client.end();
    return [await asked, await checked];
  } finally {
    listener.stop(true);
  }
}

/* No host names, but a URL parser finds one in them. */
const NO_HOSTS = ["127.0.0.1/x", "127.0.0.1?x", "127.0.0.1#x", "127.0.0.1\\x", "12\t7.0.0.1"];
const NO_NAMES = ["%31%32%37.0.0.1", "127.0.0.1\n", "localhost/x", "loc\talhost", "127.0.0.1 x"];

/* As shake(), with a connection that becomes one of TLS when it is open, or later, by options that are inherited. */
async function shakeLater(hostname: string, secure: object, inOpen: boolean) {
  const { promise: asked, resolve } = Promise.withResolvers<unknown>();
  const { promise: checked, resolve: tell } = Promise.withResolvers<unknown>();
  const handshake = (socket: Bun.TLSSocket): void => resolve(socket.getServername() ?? "none");
  const listener = await doListen({
    port: 0,
    tls: { key, cert },
    socket: { data() {}, handshake },
  });
  const upgradeNow = (socket: Socket): void => {
    const shaken = (_: Socket, ok: boolean, error: Error | null) => tell([ok, error?.message]);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.create() gives any
    const options = Object.create(secure) as Parameters<Socket["upgradeTLS"]>[0];
    socket.upgradeTLS(Object.assign(options, { socket: { data() {}, handshake: shaken } }));
  };
  const open = inOpen ? { open: upgradeNow } : {};
  const socket = { data() {}, ...open };
  const client = await doConnect({ hostname, port: listener.port, socket });
  if (!inOpen) upgradeNow(client);
  const told = await Promise.all([asked, checked]);
  client.terminate();
  listener.stop(true);
  return told;
}

const NAMES: readonly object[] = [
  {},
  { serverName: "web.test" },
  { servername: "web.test" },
  { serverName: "web.test", servername: "other.test" },
  { serverName: "other.test", servername: "web.test" },
  { serverName: undefined },
  { serverName: undefined, servername: "web.test" },
  { serverName: null, servername: "web.test" },
  { servername: null },
];

function complain(): never {
  throw new Error("mine");
}

await play({
  async echo() {
    const { listener, client, server, seen } = await pair();
    await after(() => client.write("ping"));
    await after(() => server.write("pong"));
    await after(() => client.end("bye"));
    listener.stop();
    return [seen(), client.readyState, server.readyState];
  },
  async "the server ends"() {
    const { listener, client, server, seen } = await pair();
    await after(() => server.end("last words"));
    listener.stop();
    return [seen(), client.readyState, server.readyState];
  },
  async "half open"() {
    const { listener, client, server, seen } = await pair(true);
    await after(() => client.shutdown());
    await after(() => server.write("after that"));
    await after(() => server.end());
    await after(() => client.end());
    listener.stop(true);
    return seen();
  },
  async terminate() {
    const { listener, client, seen } = await pair();
    await after(() => client.terminate());
    listener.stop();
    return seen();
  },
  async "stop(true)"() {
    const { listener, client, seen } = await pair();
    await after(() => listener.stop(true));
    await after(() => (client.end(), client.terminate(), listener.stop()));
    return [seen(), client.readyState, client.write("x")];
  },
  async reload() {
    const { listener, client, server } = await pair();
    const log: string[] = [];
    listener.reload({ socket: noting(log, "server anew") });
    await after(() => client.write("x"));
    client.reload({ socket: noting(log, "client anew") });
    await after(() => server.write("y"));
    client.terminate();
    listener.stop(true);
    return log;
  },
  async "what sockets tell"() {
    const { listener, client, server } = await pair();
    const told = [
      [listener.hostname, typeof listener.port, Object.keys(listener)],
      [client.remoteAddress, client.remotePort === listener.port, client.remoteFamily],
      [server.remoteAddress, server.remotePort === client.localPort, server.localFamily],
      [client.setNoDelay(true), client.setKeepAlive(true, 1000), client.alpnProtocol],
      [client.bytesWritten, client.write("é"), client.bytesWritten],
    ];
    client.terminate();
    listener.stop(true);
    return told;
  },
  async TLS() {
    const { listener, client, server, seen } = await pair(false, true);
    await after(() => client.write("secret"));
    const told = [client.authorized, client.getPeerCertificate().subject.CN, server.authorized];
    await after(() => client.end());
    listener.stop(true);
    return [seen(), told];
  },
  async "whose certificate it has to be"() {
    return Promise.all(NAMES.map((name) => outcome(shake({ ca: cert, ...name }))));
  },
  async "whose certificate it has to be after upgradeTLS()"() {
    const named = { ca: cert, serverName: "web.test" };
    const forms = [{ ca: cert }, named, { ca: cert, rejectUnauthorized: false }, true];
    const { context } = createSecureContext({ ca: cert });
    const told: unknown[] = [];
    for (const hostname of ["127.0.0.1", "localhost"])
      for (const secure of [...forms.map((tls) => ({ tls })), { secureContext: context }])
        for (const inOpen of [false, true]) told.push(await shakeLater(hostname, secure, inOpen));
    return told;
  },
  async "upgradeTLS() without TLS options"() {
    const { listener, client } = await pair();
    const told: unknown[] = [];
    for (const tls of [undefined, null, false, {}, { ca: undefined }, 5, []]) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JavaScript may give
      const options = { tls, socket: { data() {} } } as Parameters<Socket["upgradeTLS"]>[0];
      told.push(await outcome((async () => client.upgradeTLS(options).length)()));
    }
    client.terminate();
    listener.stop(true);
    return told;
  },
  async "TLS options that are inherited, or none"() {
    const none = [null, undefined, false, 0, "", "x", []];
    const inherited: object = Object.create({ ca: cert, servername: "web.test" });
    return Promise.all([inherited, ...none].map((tls) => outcome(shake(tls))));
  },
  async refused() {
    const log: string[] = [];
    const attempt = doConnect({ port: 1, socket: noting(log, "client") });
    const facts = attempt.catch(({ errno, syscall }) => [errno, syscall]);
    return [await outcome(attempt), await facts, log];
  },
  async "refused, and nobody awaits the promise"() {
    const left: string[] = [];
    const note = (error: unknown): void => void left.push(codeOf(error));
    process.on("unhandledRejection", note);
    const { promise: told, resolve } = Promise.withResolvers<void>();
    void startConnect({ port: 1, socket: { data() {}, connectError: () => resolve() } });
    await told;
    await settled();
    void startConnect({ port: 1, socket: { data() {} } });
    while (!left.includes("ECONNREFUSED")) await settled();
    void startConnect({ port: 1, socket: { data() {}, connectError: complain } });
    while (!left.includes("Error")) await settled();
    process.off("unhandledRejection", note);
    return left;
  },
  async "refused, with a connectError that gives an error back, and what its this is"() {
    const isSocket: boolean[] = [];
    function connectError(this: unknown, socket: Socket): never {
      isSocket.push(this === socket);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JavaScript may give
      return new RangeError("mine") as never;
    }
    return [await outcome(doConnect({ port: 1, socket: { data() {}, connectError } })), isSocket];
  },
  async "what open is called on, and with, and one that is no function"() {
    const listener = await doListen({ port: 0, socket: { data() {} } });
    const told: unknown[] = [];
    function open(this: unknown, ...given: Socket[]): void {
      told.push([given.length, this === given[0]]);
    }
    for (const each of [open, null, 5, "x"]) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JavaScript may give
      const socket = { data() {}, open: each } as Bun.SocketHandler;
      const attempt = doConnect({ port: listener.port, socket });
      told.push(await outcome(attempt.then((client) => client.terminate())));
    }
    listener.stop(true);
    return told;
  },
  async "a text that is no host name"() {
    const listener = await doListen({ port: 0, socket: { data() {} } });
    const attempt = async (hostname: string): Promise<void> =>
      (await doConnect({ hostname, port: listener.port, socket: { data() {} } })).terminate();
    const texts = [...NO_HOSTS, ...NO_NAMES];
    const told = await Promise.all(texts.map((hostname) => outcome(attempt(hostname))));
    listener.stop(true);
    return told;
  },
  async "TLS options that cannot be right"() {
    const log: string[] = [];
    const listener = await doListen({ port: 0, socket: { data() {} } });
    const options = { port: listener.port, tls: { ca: "none" }, socket: noting(log, "client") };
    const failure = await outcome(doConnect(options));
    listener.stop(true);
    return [failure, log];
  },
  async "an address in use"() {
    const first = await doListen({ port: 0, socket: { data() {} } });
    const second = doListen({ port: first.port, socket: { data() {} } });
    const facts = second.catch(({ syscall, address, port }) => [
      syscall,
      address,
      port === first.port,
    ]);
    const told = [await outcome(second), await facts];
    first.stop();
    return told;
  },
  async "a handler that throws"() {
    const { listener, client, server, seen } = await pair();
    client.reload({ socket: { ...noting(seen().client, "client"), data: complain } });
    await after(() => server.write("x"));
    listener.stop(true);
    return seen().client;
  },
  big: sendBig,
  upgradeTLS: upgrade,
});
