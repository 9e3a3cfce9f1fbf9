import { expect, setDefaultTimeout, test } from "bun:test";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { join } from "node:path";
import { inspect } from "node:util";
import { shellWord } from "@xsocket/protocol";
import { descriptors, expectNoLeak } from "../../../tests/harness/descriptors.ts";
import { tempDir } from "../../../tests/harness/temp.ts";
import { THROUGH_KEYS } from "./_through.ts";
import {
  connect,
  fetchVia,
  HttpAgent,
  HttpsAgent,
  listen,
  nodeBind,
  nodeConnect,
  nodeListen,
  serve,
  Session,
  udp,
  xsocket,
  XSocketError,
  type XSocketOptions,
  xsocketSync,
} from "./index.ts";

setDefaultTimeout(60_000); // a busy machine

/** The error of both forms, which must agree. */
async function failureOf(options: XSocketOptions): Promise<XSocketError> {
  const failures = [];
  for (const form of [xsocketSync, xsocket]) {
    try {
      (await form(options)).close();
    } catch (error) {
      if (!(error instanceof XSocketError)) throw error;
      failures.push(error);
    }
  }
  const [sync, async] = failures;
  if (!sync || !async) throw new Error("no failure");
  expect(async.message).toBe(sync.message);
  return sync;
}

async function whereOf(run: Promise<unknown>): Promise<unknown> {
  const error = await run.catch((thrown: unknown) => thrown);
  return error instanceof XSocketError ? [error.step, error.server] : error;
}

test("an error about the options names no server, and an error in reaching the server does", async () => {
  const via = "/run/xsocket/none";
  const peer = { hostname: "127.0.0.1", socket: { data() {} } };
  expect(await whereOf(connect({ via, ...peer, port: -1 }))).toEqual(["options", undefined]);
  expect(await whereOf(connect({ via, ...peer, port: 1 }))).toEqual(["reach", via]);
});

test("a missing server gives ENOENT with a remedy, and leaves nothing open", async () => {
  using dir = tempDir();
  const via = dir.join("control");
  const before = descriptors();
  const error = await failureOf({ via, family: 6 });
  expect(error).toMatchObject({ code: "ENOENT", step: "reach", server: via });
  expect(error.asked).toBe("get an IPv6 stream socket");
  expect(error.remedy).toContain(`xsocket serve ${via}`);
  await expectNoLeak(before);
});

test("invalid options are refused before anything is opened", async () => {
  // The wrong types are the point: programs in JavaScript get here too.
  const wrong: [string, object][] = [
    ["family is 5", { family: 5 }],
    ["both family and domain", { family: 4, domain: 2 }],
    ["type is 'tape'", { type: "tape" }],
    ["type is 'toString'", { type: "toString" }],
    ["protocol is 1.5", { protocol: 1.5 }],
    ["domain is 4294967298", { domain: 2 ** 32 + 2 }],
    ["timeoutMs is 0", { timeoutMs: 0 }],
    ["timeoutMs is NaN", { timeoutMs: Number.NaN }],
    ["is empty", { via: "" }],
    ["via is 5", { via: 5 }],
    ["no option famly", { famly: 6 }],
    ["Did you mean nonblocking", { nonBlocking: true }],
  ];
  for (const [found, options] of wrong) {
    const error = await failureOf({ via: "/nowhere", ...options });
    expect(error).toMatchObject({ code: "EINVAL", step: "options" });
    expect(error.message).toContain(found);
  }
});

test("a remedy quotes the server for a shell", () => {
  for (const via of ["/run/$$/none", "/run/$&", "/run/SERVER", "/run/a b", "/run/it's", "@a b"]) {
    const wrong = new XSocketError({ code: "ENOENT", step: "reach", server: via, asked: "ask" });
    const [, word] = /"xsocket serve (.*)" in/.exec(wrong.remedy) ?? [];
    const { stdout } = Bun.spawnSync(["sh", "-c", `printf %s ${word}`]);
    expect(stdout.toString()).toBe(via);
  }
});

test("an error without words of its own says in words what failed", () => {
  const failure = { code: "EIO", server: "/run/x", asked: "get an IPv4 stream socket" } as const;
  const { message } = new XSocketError({ ...failure, step: "ask" });
  expect(message).toBe(
    "cannot get an IPv4 stream socket through /run/x: asking the server failed (EIO). See EIO in docs/errors.md or in errno(3).",
  );
});

test("an error names the type that was asked for, its unknown bits as well", async () => {
  for (const [type, name] of [
    [2, "dgram"],
    [2 | 0o2004000, "dgram"], // SOCK_NONBLOCK and SOCK_CLOEXEC
    [2 | 0x10000, "type 65538"],
  ] as const) {
    const { asked } = await failureOf({ via: "/run/xsocket/none", type });
    expect(asked).toBe(`get an IPv4 ${name} socket`);
  }
});

test("a remedy gives a relative path as an absolute one", () => {
  const wrong = new XSocketError({ code: "ENOENT", step: "reach", server: "lan", asked: "ask" });
  expect(wrong.remedy).toContain(`"xsocket serve ${shellWord(`${process.cwd()}/lan`)}"`);
});

test("the remedy for an untrusted abstract name gives the variable that trusts it", () => {
  const wrong = new XSocketError({ code: "EACCES", step: "reach", server: "@name", asked: "ask" });
  expect(wrong.remedy).toEndWith("set XSOCKET_ANY_SERVER=1.");
});

test("an invalid address gives its reason and one remedy", async () => {
  const path = `/${"p".repeat(200)}`;
  const wrong: [string, string, string, string][] = [
    ["", "EINVAL", "the address of a control socket is empty", "Give a path, or @name."],
    [
      "/a\0b",
      "EINVAL",
      "the address of a control socket holds a NUL byte",
      "Give a path, or @name.",
    ],
    [
      path,
      "ENAMETOOLONG",
      `${path} does not fit a UNIX socket address, taking 202 bytes of 108`,
      "Use a shorter path.",
    ],
  ];
  for (const [via, code, found, remedy] of wrong) {
    const error = await failureOf({ via });
    expect(error).toMatchObject({ code, step: "options", remedy });
    expect(error.message).toBe(`cannot get an IPv4 stream socket: ${found} (${code}). ${remedy}`);
  }
});

test("a flag that is neither a boolean nor undefined is refused", async () => {
  const [via, port, socket] = ["/nowhere", 1, { data() {} }];
  const forms: [(options: object) => unknown, string[]][] = [
    [(o) => xsocket({ via, ...o }), ["nonblocking"]],
    [(o) => listen({ via, port, socket, ...o }), ["reusePort", "ipv6Only", "exclusive"]],
    [(o) => serve({ via, fetch: () => new Response(), ...o }), ["reusePort", "ipv6Only"]],
    [(o) => connect({ via, hostname: "::1", port, socket, ...o }), ["reusePort", "ipv6Only"]],
    [(o) => udp({ via, ...o }), ["reusePort", "reuseAddr", "ipv6Only"]],
    [(o) => nodeListen(createServer(), { via, ...o }), ["reusePort", "ipv6Only"]],
    [(o) => nodeBind(createSocket("udp6"), { via, ...o }), ["reusePort", "reuseAddr", "ipv6Only"]],
  ];
  for (const [form, names] of forms)
    for (const name of names) {
      const failing = async (value: unknown): Promise<unknown> => form({ [name]: value });
      for (const value of [1, "false"])
        await expect(failing(value), name).rejects.toThrow(`${name} is ${inspect(value)} (EINVAL)`);
      await expect(failing(undefined), name).rejects.toMatchObject({ code: "ENOENT" });
    }
});

test("misspelt options of the SDK are refused, and other unknown ones are left to Bun", async () => {
  const socket = { data() {} };
  const common = [...THROUGH_KEYS, "host", "hostname", "port", "reusePort", "ipv6Only"];
  const besideBuns: [(options: object) => unknown, string[]][] = [
    [(o) => connect({ socket, hostname: "::", port: 1, ...o }), ["localAddress", "localPort"]],
    [(o) => listen({ socket, port: 0, ...o }), ["backlog"]],
    [(o) => serve({ fetch: () => new Response(), ...o }), ["backlog"]],
    [(o) => udp(o), ["reuseAddr"]],
  ];
  const forms: [(options: object) => unknown, object, string][] = [
    ...besideBuns.flatMap(([form, names]) =>
      [...common, ...names].map((name): (typeof forms)[number] => {
        const swapped = name.replace(/^(.)(.)/, "$2$1");
        return [form, { [swapped]: 1 }, name];
      }),
    ),
    [(o) => new Session(o), { idlems: 5 }, "idleMs"],
    [(o) => new Session({ via: "/x" }).socket(o), { timeoutms: 5 }, "timeoutMs"],
    [(o) => udp(o), { timeout: 5 }, "timeoutMs"],
    [(o) => udp(o), { Via: "/x" }, "via"],
    [(o) => nodeConnect({ port: 1, ...o }), { hosts: "x" }, "host"],
    [(o) => nodeListen(createServer(), o), { backlogs: 5 }, "backlog"],
    [(o) => nodeBind(createSocket("udp4"), o), { reuseaddr: true }, "reuseAddr"],
    [(o) => fetchVia("/x", o), { lookUp: () => [] }, "lookup"],
    [(o) => new HttpAgent(o), { signals: 1 }, "signal"],
  ];
  for (const [form, options, name] of forms) {
    const failing = async (): Promise<unknown> => form(options);
    await expect(failing(), name).rejects.toMatchObject({ code: "EINVAL", step: "options" });
    await expect(failing(), name).rejects.toThrow(`Did you mean ${name}?`);
  }
  const more = { socket, via: "/nowhere", port: 0, somethingOfBuns: 1 };
  await expect(listen(more)).rejects.toMatchObject({ code: "ENOENT" });
});

test("an agent refuses proxyEnv, which would be ignored", () => {
  const options = { proxyEnv: { HTTPS_PROXY: "http://127.0.0.1:1" } };
  const refusal = expect.objectContaining({ code: "ENOTSUP", step: "options" });
  for (const form of [HttpAgent, HttpsAgent])
    expect(() => Reflect.construct(form, [{}, options])).toThrow(refusal);
});

test("an agent can be made without arguments, as node:http's can", () => {
  for (const agent of [new HttpAgent(), new HttpsAgent()]) agent.destroy();
});

test("an invalid value is refused by name", async () => {
  const socket = { data() {} };
  // as Express makes one
  const application = Object.assign(() => {}, { listen: () => createServer(), on() {}, once() {} });
  const wrong: [() => unknown, string][] = [
    [() => xsocket({ signal: Object(5) }), "signal is"],
    [() => new Session({ idleMs: Number.NaN }), "idleMs is NaN"],
    [() => new Session({ idleMs: Object(5) }), "idleMs is [Number"],
    [() => nodeConnect({ port: Number.NaN }), "port is NaN"],
    [() => connect({ hostname: Object(5), port: 1, socket }), "hostname is"],
    [() => udp({ hostname: Object(5) }), "hostname is"],
    [() => serve({ backlog: -5, fetch: () => new Response() }), "backlog is -5"],
    [() => Reflect.apply(nodeListen, undefined, [5]), "the server is 5"],
    [() => Reflect.apply(nodeListen, undefined, [application]), "http.createServer(app)"],
    [() => Reflect.apply(nodeBind, undefined, []), "the socket is undefined"],
    [() => Reflect.apply(nodeBind, undefined, [createSocket]), "the socket is [Function"],
    [() => new HttpAgent({ signal: Object(5) }), "cannot make an agent: signal is"],
    [() => new HttpsAgent({ timeoutMs: 0 }), "cannot make an agent: timeoutMs is 0"],
    [() => new HttpAgent({ via: Object(5) }), "via is [Number: 5]"],
    [() => fetchVia("/x", { timeoutMs: 0 }), "cannot make a fetch: timeoutMs is 0"],
    [() => udp({ timeoutMs: -1 }), "cannot receive datagrams: timeoutMs is -1"],
    [
      () => connect({ hostname: "::1", port: 1, socket, timeoutMs: NaN }),
      "cannot connect: timeoutMs",
    ],
    [() => serve({ via: Object(Symbol("x")), fetch: () => new Response() }), "via is"],
  ];
  for (const [form, found] of wrong) {
    const failing = async (): Promise<unknown> => form();
    await expect(failing(), found).rejects.toMatchObject({ code: "EINVAL", step: "options" });
    await expect(failing(), found).rejects.toThrow(found);
  }
  expect(() => Reflect.construct(Session, ["/a/path"])).toThrow("the options are '/a/path'");
  expect(() => Reflect.apply(fetchVia, undefined, [{ via: "/x" }])).toThrow("via is [Object]");
  expect(() => Reflect.construct(HttpAgent, [{ via: new URL("http://a/") }])).toThrow(
    "via is URL {}",
  );
});

test("an error tells a path that is no socket, a path through a file and an unused abstract name apart", async () => {
  const cases: [string, string, string][] = [
    [import.meta.path, "ECONNREFUSED", "what is there is not a socket"],
    [`${import.meta.path}/control`, "ENOTDIR", "a part of the path"],
    ["@nobody.has.this.name", "ECONNREFUSED", "in this network namespace"],
  ];
  for (const [via, code, found] of cases) {
    const error = await failureOf({ via });
    expect(error).toMatchObject({ code, step: "reach" });
    expect(error.message).toContain(found);
  }
});

test("an uncaught error prints its message once and the caller's line, without its cause", async () => {
  const scripts = [
    `async function mine() { await xsocket({ via: "/nowhere" }); } await mine();`,
    `await xsocket({ via: "/nowhere" });`,
    `xsocketSync({ via: "/nowhere" });`,
  ];
  const cwd = join(import.meta.dir, "../../../tests"); // where the package can be imported
  for (const script of scripts) {
    const stdin = new Blob([`import { xsocket, xsocketSync } from "@xsocket/client";\n${script}`]);
    const argv = [process.execPath, "run", "-"];
    const said = await Bun.spawn(argv, { cwd, stdin, stderr: "pipe" }).stderr.text();
    expect(said.match(/cannot get/g)).toHaveLength(1);
    expect(said).toContain(script);
    expect(said).not.toContain("packages/client");
    expect(said).not.toContain("SyscallError");
  }
  const error = await failureOf({ via: "/nowhere" });
  expect(error.cause).toMatchObject({ name: "SyscallError", code: "ENOENT" });
});

test("an aborted signal ends both forms with its reason", async () => {
  const signal = AbortSignal.abort(new Error("no more"));
  expect(() => xsocketSync({ signal })).toThrow("no more");
  await expect(xsocket({ signal })).rejects.toThrow("no more");
});
