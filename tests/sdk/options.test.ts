/*
 * Every option key that Bun's types know for serve, listen, connect, udpSocket and fetch, read from the types
 * themselves: each must be in exactly one of the lists below, and each list has its test. A new Bun
 * with a new key fails here until somebody has decided what it means through a server.
 */
import { expect, test } from "bun:test";
import { readFileSync, realpathSync } from "node:fs";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import {
  connect,
  fetchVia,
  HttpAgent,
  HttpsAgent,
  listen,
  listenSync,
  nodeBind,
  nodeConnect,
  nodeListen,
  serve,
  serveSync,
  Session,
  udp,
  xsocket,
  xsocketSync,
} from "@xsocket/client";
import { ROOT, startServer, textOf } from "../harness/index.ts";

const BUN = realpathSync(Bun.resolveSync("@types/bun/package.json", import.meta.dir));
const TYPES = dirname(Bun.resolveSync("bun-types/package.json", dirname(BUN)));
const SOURCES = join(ROOT, "packages/client/src");

/* The property names of interfaces or types in one of Bun's declaration files, or in the file of a path. */
function keysOf(file: string, ...names: string[]): string[] {
  const text = readFileSync(resolve(TYPES, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const keys = names.flatMap((name) => {
    const head = new RegExp(`(interface|type) ${name}\\b[^{]*\\{`).exec(text);
    if (!head) throw new Error(`there is no type ${name} in ${file}`);
    return propertiesAt(text, head.index + head[0].length);
  });
  return [...new Set(keys)].toSorted();
}

/* The names at the outermost level of the braces that open before `start`. */
function propertiesAt(text: string, start: number): string[] {
  let depth = 1;
  let outermost = "";
  for (const character of text.slice(start)) {
    if ("})]".includes(character)) depth--;
    if (depth === 0) break;
    if (depth === 1) outermost += character;
    if ("{([".includes(character)) depth++;
  }
  return [...outermost.matchAll(/(?:^|[;\n}])\s*(?:readonly\s+)?(\w+)\??\s*(?=[:(<])/g)].map(
    ([, name = ""]) => name,
  );
}

const SERVE = {
  observed: {
    tls: "serve.test.ts",
    fetch: "serve.test.ts",
    routes: "serve.test.ts",
    websocket: "serve.test.ts",
    hostname: "serve.test.ts",
    port: "serve.test.ts",
    maxRequestBodySize: "option-effects.test.ts",
    development: "option-effects.test.ts",
    error: "option-effects.test.ts",
    id: "option-effects.test.ts",
    reusePort: "option-effects.test.ts",
    ipv6Only: "option-effects.test.ts",
    http2: "option-effects.test.ts",
    http1: "option-effects.test.ts",
    idleTimeout: "option-effects.test.ts",
  },
  refused: { unix: "/tmp/x", http3: true },
};
const LISTEN = {
  observed: {
    socket: "tcp.test.ts",
    data: "tcp.test.ts",
    tls: "tcp.test.ts",
    hostname: "tcp.test.ts",
    port: "tcp.test.ts",
    allowHalfOpen: "option-effects.test.ts",
    exclusive: "option-effects.test.ts",
  },
  refused: { unix: "/tmp/x", fd: 3 },
};
const CONNECT = {
  observed: {
    socket: "connect.test.ts",
    data: "connect.test.ts",
    tls: "tcp.test.ts",
    hostname: "connect.test.ts",
    port: "connect.test.ts",
    allowHalfOpen: "option-effects.test.ts",
    reusePort: "option-effects.test.ts",
    ipv6Only: "option-effects.test.ts",
  },
  refused: { exclusive: true, unix: "/tmp/x", fd: 3 },
};
const UDP = {
  observed: {
    hostname: "udp.test.ts",
    port: "udp.test.ts",
    socket: "udp.test.ts",
    binaryType: "udp.test.ts",
    connect: "udp.test.ts",
  },
  refused: { fd: 3, unix: "/tmp/x" },
};
const FETCH = {
  observed: {
    tls: "parity/fetch.ts",
    decompress: "fetch.test.ts",
    maxRedirects: "parity/fetch.ts",
  },
  refused: {
    proxy: "http://h",
    unix: "/tmp/x",
    s3: {},
    session: {},
    verbose: true,
    compress: true,
    protocol: "http2",
  },
};

function named({ observed, refused }: { observed: object; refused: object }): string[] {
  return [...Object.keys(observed), ...Object.keys(refused)].toSorted();
}

test("every option of Bun's types is either passed on and tested, or refused", () => {
  const serveTypes = ["BaseServeOptions", "HostnamePortServeOptions", "UnixServeOptions"];
  const handlers = ["fetch", "routes", "websocket"]; // in unions, which have no single list of keys
  expect([...keysOf("serve.d.ts", ...serveTypes), ...handlers].toSorted()).toEqual(named(SERVE));
  const common = ["SocketOptions", "UnixSocketOptions", "FdSocketOptions"];
  expect(keysOf("bun.d.ts", ...common, "TCPSocketListenOptions")).toEqual(named(LISTEN));
  expect(keysOf("bun.d.ts", ...common, "TCPSocketConnectOptions")).toEqual(named(CONNECT));
  expect([...keysOf("bun.d.ts", "ConnectSocketOptions"), "fd", "unix"].toSorted()).toEqual(
    named(UDP),
  );
  const ignored = "timeout"; // docs/sdk.md says so
  expect(keysOf("globals.d.ts", "BunFetchRequestInit")).toEqual(
    [...named(FETCH), ignored].toSorted(),
  );
});

test("refused options reject with ENOTSUP and an error that names them", async () => {
  const forms: [(options: never) => Promise<unknown>, object, object][] = [
    [serve, SERVE.refused, { fetch: () => new Response() }],
    [listen, LISTEN.refused, { socket: { data() {} } }],
    [connect, CONNECT.refused, { socket: { data() {} }, hostname: "127.0.0.1" }],
    [connect, { fd: 3, unix: "/tmp/x" }, { socket: { data() {} } }], // as Bun.connect takes them
    [udp, UDP.refused, {}],
    [(options: object) => fetchVia("/nowhere")("http://h/", options), FETCH.refused, {}],
  ];
  for (const [form, refused, rest] of forms)
    for (const [key, value] of Object.entries(refused)) {
      const options = { via: "/nowhere", port: 1, ...rest, [key]: value };
      const refusal = Reflect.apply(form, undefined, [options]);
      await expect(refusal, key).rejects.toMatchObject({ code: "ENOTSUP", step: "options" });
      await expect(refusal, key).rejects.toThrow(key);
    }
});

test.each([null, "", 0])(
  "a refused option that is %p counts as none, as with Bun's functions",
  async (none) => {
    const options = { via: "/nowhere", port: 1, hostname: "127.0.0.1", unix: none, http3: none };
    const ofRequest = { proxy: none, unix: none, s3: none, verbose: none };
    for (const [form, ...args] of [
      [listen, { ...options, socket: { data() {} } }],
      [connect, { ...options, socket: { data() {} } }],
      [serve, { ...options, fetch: () => new Response() }],
      [udp, options],
      [fetchVia("/nowhere"), "http://127.0.0.1:1/", ofRequest],
    ] as const)
      await expect(Reflect.apply(form, undefined, args)).rejects.toMatchObject({ code: "ENOENT" });
  },
);

/* The names of our own types. */
const own = (file: string, ...types: string[]) => keysOf(join(SOURCES, file), ...types);

test("each function's own options are in docs/sdk.md, and misspelt ones rejected with the right name", async () => {
  const limits = own("_deadline.ts", "Limits");
  const names = own("_through.ts", "Naming");
  const through = [...own("_through.ts", "Through"), ...limits, ...names];
  const kind = own("_kind.ts", "SocketKind");
  const bound = [...through, "port", "hostname", "reusePort", "ipv6Only"];
  const [server, datagrams] = [createServer(), createSocket("udp4")];
  const forms: [(options: never) => unknown, string[]][] = [
    [xsocket, [...own("xsocket.ts", "XSocketOptions"), ...kind, ...limits]],
    [xsocketSync, [...own("xsocket.ts", "XSocketOptions"), ...kind, ...limits]],
    [(options) => new Session(options), own("session.ts", "SessionOptions")],
    [(options) => new Session().socket(options), [...kind, ...limits]],
    [connect, [...bound, ...own("connect.ts", "ConnectOptions")]],
    [listen, [...bound, ...own("listen.ts", "ListenOptions"), "exclusive"]],
    [serve, [...bound, ...own("serve.ts", "ServeExtras")]],
    [udp, [...bound, ...own("udp.ts", "UdpExtras")]],
    [nodeConnect, [...through, ...own("node.ts", "NodeConnectOptions")]],
    [
      (options) => nodeListen(server, options),
      [...through, ...own("node.ts", "NodeListenOptions")],
    ],
    [
      (options) => nodeBind(datagrams, options),
      [...through, "host", "port", "reusePort", "ipv6Only", ...own("node.ts", "NodeBindOptions")],
    ],
    [(options) => new HttpAgent(options), through],
    [(options) => new HttpsAgent(options), through],
    [(options) => fetchVia("/nowhere", options), ["timeoutMs", ...names]],
  ];
  for (const [form, keys] of forms)
    for (const key of keys) {
      const refusal = Promise.try(() => Reflect.apply(form, undefined, [{ [`${key}x`]: 1 }]));
      await expect(refusal, key).rejects.toThrow(
        RegExp(`no option ${key}x \\(EINVAL\\).* Did you mean ${key}`),
      );
    }
  datagrams.close();
  const page = textOf("docs/sdk.md");
  const all = new Set(forms.flatMap(([, keys]) => keys));
  const missing = [...all].filter((name) => !new RegExp(`\\b${name}\\b`).test(page));
  expect(missing, "not in docs/sdk.md").toEqual([]);
});

test("the stack of an error that Bun throws begins at the caller's line", async () => {
  await using server = await startServer();
  const via = server.path;
  using there = fetchVia(via);
  using listener = await listen({ via, port: 0, socket: { data() {} } });
  const peer = { via, hostname: "127.0.0.1", port: listener.port };
  const closed = createSocket("udp4");
  closed.close();
  // oxlint-disable typescript/no-unsafe-type-assertion -- what a program in JavaScript may give
  const refused: [string, () => unknown][] = [
    ["Bun.serve() needs", () => serve({ via, port: 0 } as never)],
    ["Bun.serve() needs", () => serveSync({ via, port: 0 } as never)],
    ["callback", () => listen({ via, port: 0, socket: {} })],
    ["callback", () => connect({ ...peer, socket: {} })],
    ["to be a function", () => udp({ via, socket: { data: 5 } } as never)],
    ["Not running", () => nodeBind(closed, { via })],
    ["Invalid URL", () => there("/path")],
    ["has no body", () => there("http://127.0.0.1:9/", { method: "GET", body: "text" })],
  ];
  for (const [words, call] of refused) {
    let thrown: unknown;
    try {
      await call();
    } catch (error) {
      thrown = error;
    }
    expect(String(thrown)).toContain(words);
    const [first] = /^ +at .*\(\/.*$/m.exec(String(Reflect.get(Object(thrown), "stack"))) ?? [];
    expect(first).toContain(import.meta.file);
  }
});

test("an option whose getter throws leaves no socket open", async () => {
  await using server = await startServer();
  const options = { via: server.path, hostname: "127.0.0.1", port: 0, socket: { data() {} } };
  Object.defineProperty(options, "tls", {
    enumerable: true,
    get(): never {
      throw new Error("read");
    },
  });
  expect(() => listenSync(options)).toThrow("read");
});

function connectError(): never {
  expect.unreachable("nothing was to be connected");
}

test("connect has Bun check handlers and TLS options before anything is connected", async () => {
  await using server = await startServer();
  const peer = { via: server.path, hostname: "127.0.0.1", port: 1 }; // where nobody listens
  for (const [wrong, message] of [
    [{ socket: { data: 1, connectError } }, /onData.*function/],
    [{ socket: { connectError } }, /"data" or "drain"/],
    [{ socket: { data() {}, connectError }, tls: { ca: "none" } }, "Invalid CA"],
    [{ socket: { data() {}, connectError }, allowHalfOpen: "no" }, /allowHalfOpen/],
  ] as const)
    await expect(Reflect.apply(connect, undefined, [{ ...peer, ...wrong }])).rejects.toThrow(
      message,
    );
});

test.each(["http://127.0.0.1", "https://web.test/page", "127.0.0.1:80", "web.test:80", "[::1]:80"])(
  "connect says that the hostname %s is more than a name, and asks no name server",
  async (hostname) => {
    const connecting = connect({ via: "/nowhere", hostname, port: 80, socket: { data() {} } });
    await expect(connecting).rejects.toMatchObject({
      code: "ENOTFOUND",
      remedy: "Give the host alone: no URL, and its port as port.",
    });
  },
);

test("serve and udp take an empty hostname as none, and connect rejects it and missing handlers", async () => {
  await using server = await startServer();
  const place = { via: server.path, hostname: "", port: 0 };
  await using page = await serve({ ...place, fetch: () => new Response() });
  using socket = await udp(place);
  expect([page.hostname, socket.hostname]).toEqual(["localhost", "0.0.0.0"]);
  await expect(connect({ ...place, socket: { data() {} } })).rejects.toThrow("hostname is missing");
  const mute = Reflect.apply(connect, undefined, [{ ...place, hostname: "127.0.0.1" }]);
  await expect(mute).rejects.toThrow("socket is undefined");
});
