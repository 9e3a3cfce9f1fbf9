import { expect, test } from "bun:test";
import { join } from "node:path";
import { here, tempDir } from "../../../tests/harness/index.ts";
import { connect, xsocket, XSocketError, type XSocketOptions, xsocketSync } from "./index.ts";

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
  const error = await failureOf({ via, family: 6 });
  expect(error).toMatchObject({ code: "ENOENT", step: "reach", server: via });
  expect(error.asked).toBe("get an IPv6 stream socket");
  expect(error.remedy).toContain(`xsocket serve ${via}`);
});

test("invalid options are refused before anything is opened", async () => {
  // The wrong types are the point: programs in JavaScript get here too.
  const wrong: [string, object][] = [
    ["family is 5", { family: 5 }],
    ["family is 'constructor'", { family: "constructor" }],
    ["family is [Object: null prototype] {}", { family: Object.create(null) }],
    ["both family and domain", { family: 4, domain: 2 }],
    ["type is 'tape'", { type: "tape" }],
    ["type is 'toString'", { type: "toString" }],
    ["protocol is 1.5", { protocol: 1.5 }],
    ["domain is 4294967298", { domain: 2 ** 32 + 2 }],
    ["domain is 2147483648", { domain: 2 ** 31 }],
    ["domain is '2'", { domain: "2" }],
    ["domain is [Object: null prototype] {}", { domain: Object.create(null) }],
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

test("an error tells a path that is no socket, one through a file, an unused abstract name, a ~ and a URL apart", async () => {
  const cases: [string, string, string][] = [
    [import.meta.path, "ECONNREFUSED", "what is there is not a socket"],
    [`${import.meta.path}/control`, "ENOTDIR", "a part of the path"],
    ["@nobody.has.this.name", "ECONNREFUSED", "in this network namespace"],
    ["~/control", "ENOENT", "only a shell replaces the ~"],
    ["unix:/run/xsocket/control", "ENOENT", "Give the path, or @name, alone"],
    ["file:///run/xsocket/control", "ENOENT", "Give the path, or @name, alone"],
    ["http://localhost:3000", "ENOENT", "Give the path, or @name, alone"],
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
    const stdin = `import { xsocket, xsocketSync } from "@xsocket/client";\n${script}`;
    const argv = [process.execPath, "run", "-"];
    const { stderr: said } = await here.run(argv, { cwd, stdin });
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
