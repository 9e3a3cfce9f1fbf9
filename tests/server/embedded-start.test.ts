/* What serve() takes and refuses, and starts that fail. */
import { expect, spyOn, test } from "bun:test";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { xsocket } from "@xsocket/client";
import { SOCK_SEQPACKET, SOCK_STREAM } from "@xsocket/protocol";
import { DEFAULT_POLICY, type LogRecord, serve } from "@xsocket/server";
import { checked, errno, loadSyscalls } from "@xsocket/xbind-native";
import { boundAt, descriptors, leaked, tempDir } from "../harness/index.ts";

test("reports why a start failed and leaves nothing open even if cleaning up fails", async () => {
  using dir = tempDir();
  const home = dir.join("home");
  mkdirSync(home);
  const before = descriptors();
  const policy = () => {
    renameSync(home, dir.join("elsewhere"));
    writeFileSync(home, ""); // the socket file can no longer be reached
    throw new Error("the policy is none");
  };
  await expect(serve({ address: `${home}/control`, policy })).rejects.toThrow("the policy is none");
  expect(leaked(before)).toEqual([]);
});

test.each([
  ["epollCreate", "control", "epoll_create: ENOMEM"],
  ["listen", "control", "cannot listen at /"],
  ["bind", "control", "cannot make /"],
  ["listen", "@", "cannot take the name @"],
  ["bind", "@", "cannot take the name @"],
] as const)(
  "leaves nothing open when the kernel has no memory (%s, %s)",
  async (call, name, words) => {
    using dir = tempDir();
    const native = loadSyscalls();
    const before = descriptors();
    using refused = spyOn(native, call).mockReturnValue(-errno.ENOMEM);
    const address = name === "@" ? `@xsocket-memory-${process.pid}` : dir.join(name);
    const auditFile = dir.join("audit");
    await expect(serve({ address, auditFile })).rejects.toThrow(words);
    expect(refused).toHaveBeenCalled();
    expect(leaked(before)).toEqual([]);
    expect(existsSync(address)).toBe(false);
  },
);

test("refuses a directory that others may write to and names the option", async () => {
  await expect(serve({ address: "/tmp/control" })).rejects.toThrow(
    "or allow a shared directory (sharedDirectory)",
  );
});

test("refuses invalid options before it opens anything", async () => {
  using dir = tempDir();
  const address = dir.join("control");
  const misspelt = { kind: "socket", allow: true, uid: [{ first: 1000, last: 1000 }] }; // the key is uids
  const plain = { name: "r", kind: "socket", allow: false };
  const rules: [unknown, string][] = [
    [null, "a rule of the policy must be an object, not null"],
    ["deny", "a rule of the policy must be an object, not 'deny'"],
    [Object.create(plain), "name of a rule must be a text, not undefined"],
    [{ ...plain, name: 1 }, "name of a rule must be a text, not 1"],
    [{ name: "r", allow: false }, 'kind of a rule must be "socket" or "status", not undefined'],
    [{ ...plain, allow: "deny" }, "allow of a rule must be true or false, not 'deny'"],
    [{ ...plain, uids: 1000 }, "uids of a rule must be a list of spans of ids, as {"],
    [{ ...plain, uids: [1000] }, "uids of a rule must be a list of spans of ids, as {"],
    [
      { ...plain, uids: [Object.assign(() => {}, { first: 0, last: 0 })] },
      "uids of a rule must be a list of spans of ids, as {",
    ],
    [{ ...plain, gids: [{ first: 9, last: 1 }] }, "gids of a rule must be a list of spans"],
    [{ ...plain, gids: [{ first: -2, last: -2 }] }, "gids of a rule must be a list of spans"],
    [{ ...plain, gids: [Object.create({ first: 1, last: 9 })] }, "gids of a rule must be a list"],
    [{ ...plain, gids: [] }, "gids of a rule must be a list of spans"],
    [
      { ...plain, types: [2 | 0o2000000] },
      "types of a rule must be a list of the numbers of socket",
    ],
    [{ ...plain, families: [-1] }, "families of a rule must be a list of the numbers of socket(2)"],
    [{ ...plain, types: Array(1) }, "types of a rule must be a list of the numbers of socket(2)"],
    [{ ...plain, types: ["raw"] }, "types of a rule must be a list of the numbers of socket(2)"],
    [
      { ...plain, allow: true, connections: 0 },
      "connections of a rule must be a whole number from",
    ],
    [
      { ...plain, allow: true, socketsPerMinute: 2 ** 24 },
      "socketsPerMinute of a rule must be a whole number from",
    ],
    [{ ...plain, connections: 1 }, "connections of a rule has no meaning where that denies"],
    [{ ...plain, socketsPerMinute: 1 }, "socketsPerMinute of a rule has no meaning"],
  ];
  const wrong: [unknown, string][] = [
    [null, "the options must be an object, not null"],
    [
      { address: 5 },
      "address must be the path of a file, or @name, without unix:, file: or ~/, not 5",
    ],
    ...[`unix:${address}`, `file://${address}`, "http://localhost", "~/control", `${address}/`].map(
      (other): [unknown, string] => [{ address: other }, `or ~/, not '${other}'`],
    ),
    [{ polcy: {} }, "there is no option polcy: there are address, mode,"],
    [
      { policy: null },
      "policy must be a policy or a function that reads one, as policyFile(PATH) is, not null",
    ],
    [
      { policy: "allow" },
      "policy must be a policy or a function that reads one, as policyFile(PATH) is, not 'allow'",
    ],
    [
      { policy: {} },
      "policy must be a policy or a function that reads one, as policyFile(PATH) is, not {}",
    ],
    [{ policy: () => undefined }, "policy has returned undefined: return what"],
    [
      { policy: { source: "mine", rules: [misspelt] } },
      "a rule of the policy has no key uid: there",
    ],
    [
      { policy: () => ({ source: "mine", rules: [misspelt] }) },
      "a rule of the policy has no key uid:",
    ],
    [{ policy: { rules: [] } }, "source of the policy must be a text, not undefined"],
    ...rules.map(([rule, message]): [unknown, string] => [
      { policy: { source: "mine", rules: [rule] } },
      message,
    ]),
    [{ log: console }, "log must be a function, not"],
    [{ logLevel: "warn" }, "logLevel must be one of error, warning,"],
    [{ sharedDirectory: "false" }, "sharedDirectory must be true or false, not 'false'"],
    [{ listenFd: "3" }, "listenFd must be a descriptor's number, not '3'"],
    [{ listenFd: -1 }, "listenFd must be a descriptor's number, not -1"],
    [{ listenFd: 2 ** 32 }, "listenFd must be a descriptor's number, not 4294967296"],
    [{ listenFd: 0, mode: 0o600 }, "the listening socket already has its mode and group"],
    [{ listenFd: 0, group: 0 }, "the listening socket already has its mode and group"],
    [{ address: "@name", mode: 0o600 }, "an abstract name has neither mode nor group"],
    [{ maxConnections: "8" }, "maxConnections must be a whole number from 1 to"],
    [{ maxConnectionsPerUid: null }, "maxConnectionsPerUid must be a whole number from 1 to"],
    [{ mode: "660" }, "mode must be a number from 0 to 0o777, such as 0o660, not '660'"],
    [{ mode: 660 }, "mode must be a number from 0 to 0o777, such as 0o660, not 660"],
    [{ log: console }, "log must be a function, not [Object [console]]"],
    [{ threads: 0 }, "threads must be a whole number from 1 to 64, not 0"],
    [{ threads: 65 }, "threads must be a whole number from 1 to 64, not 65"],
    ...[0, -1, 1.5, NaN, 2 ** 31].map((takeReplyMs): [unknown, string] => [
      { takeReplyMs },
      `takeReplyMs must be a whole number from 1 to 2147483647, not ${takeReplyMs}`,
    ]),
  ];
  for (const [options, message] of wrong) {
    const given: unknown = options === null ? null : { address, ...Object(options) };
    const starting: Promise<unknown> = Reflect.apply(serve, undefined, [given]);
    await expect(starting, message).rejects.toMatchObject({ code: "MISUSE" });
    await expect(starting, message).rejects.toThrow(message);
    expect(existsSync(address)).toBe(false);
  }
});

test("accepts a policy object with further properties, also of its lists and spans", async () => {
  using dir = tempDir();
  const more = { toText: () => "mine" };
  const uids = Object.assign([{ first: 0, last: 2 ** 32 - 2, ...more }], more);
  const types = Object.assign([1], more);
  const rules = DEFAULT_POLICY.rules.map((rule) => ({ ...rule, uids, types }));
  const policy = { ...DEFAULT_POLICY, rules, ...more };
  await using server = await serve({ address: dir.join("control"), policy });
  expect(server.status().policy.source).toBe(DEFAULT_POLICY.source);
});

test("takes options that an object has from its class, and checks them", async () => {
  using dir = tempDir();
  class Options {
    address = dir.join("control");
    get policy() {
      return { source: "mine", rules: [] };
    }
    get threads() {
      return 2;
    }
  }
  await using server = await serve(new Options());
  expect(server.status()).toMatchObject({ policy: { source: "mine" } });
  expect(server.threads).toBe(2);
  class Wrong extends Options {
    override get threads() {
      return 65;
    }
  }
  await expect(serve(new Wrong())).rejects.toThrow("threads must be a whole number from 1 to 64");
});

test("calls methods of the options on the object that has them", async () => {
  using dir = tempDir();
  class Options {
    readonly address = dir.join("control");
    readonly #calls: string[] = [];
    static callsOf(options: Options) {
      return options.#calls;
    }
    policy() {
      this.#calls.push("policy");
      return { source: "mine", rules: [] }; // which is worth a warning
    }
    log({ level }: LogRecord) {
      this.#calls.push(level);
    }
  }
  const options = new Options();
  await using server = await serve(options);
  await server.reload();
  expect(Options.callsOf(options)).toEqual(["policy", "warning", "policy", "warning"]);
});

/** Makes a socket to pass to a server. */
function socketAt(path: string, type?: number, listens = true): number {
  const fd = boundAt(path, type);
  if (listens) checked("listen", loadSyscalls().listen(fd, 8));
  return fd;
}

test("closes a given listening socket when the start fails", async () => {
  using dir = tempDir();
  const before = descriptors();
  using _ = spyOn(loadSyscalls(), "setsockopt").mockReturnValue(-errno.ENOPROTOOPT);
  for (const [why, options] of [
    ["ENOENT", { auditFile: dir.join("none/audit") }],
    ["cannot refuse", { refuseDescriptors: true }],
  ] as const)
    await expect(serve({ listenFd: socketAt(dir.join(why)), ...options })).rejects.toThrow(why);
  expect(leaked(before)).toEqual([]);
});

test("serves a given listening socket, removes its file only if owned, and refuses others", async () => {
  using dir = tempDir();
  const native = loadSyscalls();
  for (const [type, listens] of [
    [SOCK_STREAM, true],
    [SOCK_SEQPACKET, false],
  ] as const) {
    const listenFd = socketAt(dir.join(`${type}`), type, listens);
    await expect(serve({ listenFd })).rejects.toThrow("is not a listening UNIX socket of type");
    expect(native.close(listenFd)).toBe(0); // a refused one stays open
  }
  for (const ownsFile of [false, true]) {
    const path = dir.join(`${ownsFile}`);
    const server = await serve({ listenFd: socketAt(path), ownsFile });
    expect([server.address, server.isReachable()]).toEqual([path, true]);
    (await xsocket({ via: path })).close();
    renameSync(path, dir.join("elsewhere"));
    expect(server.isReachable()).toBe(false);
    renameSync(dir.join("elsewhere"), path);
    await server.stop();
    expect(existsSync(path)).toBe(!ownsFile);
  }
});
