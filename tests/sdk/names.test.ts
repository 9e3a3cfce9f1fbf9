import { describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { connect, type ConnectOptions, listen } from "@xsocket/client";
import { loadSyscalls } from "@xsocket/xbind-native";
import {
  createNamespace,
  eventually,
  hasIpv6,
  here,
  type Namespace,
  OWN_MOUNTS,
  startServer,
  tempDir,
} from "../harness/index.ts";
import { rejection } from "./observed.ts";

/* The zone: one name for each kind of answer. */
const MANY = Array.from({ length: 60 }, (_, i) => `--host-record=many.test,127.0.1.${i + 1}`);
const ZONE = [
  "--address=/web.test/127.0.0.1",
  "--address=/six.test/::1",
  "--address=/both.test/127.0.0.1",
  "--address=/both.test/::1",
  "--cname=alias.test,named.test",
  "--host-record=named.test,127.0.0.1",
  ...MANY,
];

async function startDns(target: Namespace, log: string): Promise<AsyncDisposable> {
  const quiet = [
    "--no-resolv",
    "--no-hosts",
    "--no-daemon",
    "--conf-file=/dev/null",
    "--pid-file=",
  ];
  const bind = ["--listen-address=127.0.0.1", "--bind-interfaces", "--user=root"];
  const logging = ["--log-queries", `--log-facility=${log}`, "--local=/test/"];
  const program = target.spawn(["dnsmasq", ...quiet, ...bind, ...logging, ...ZONE]);
  await eventually("dnsmasq to listen", () => target.listens("udp", 53));
  return program;
}

/* A target with the name server of name-server.ts, and how to connect there. */
async function oddTarget() {
  await using stack = new AsyncDisposableStack();
  const target = stack.use(await createNamespace());
  const dns = stack.use(target.spawn([process.execPath, join(import.meta.dir, "name-server.ts")]));
  await dns.says(/ready/);
  const { path: via } = stack.use(await startServer({ place: target }));
  const peer = { via, port: 80, nameservers: ["127.0.0.1"], socket: { data() {} } };
  const owned = stack.move();
  return { dns, peer, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function never(): Promise<string[]> {
  return new Promise(() => {});
}

describe("a host name", () => {
  test.skipIf(!hasIpv6)("is resolved by the name servers of the target", async () => {
    await using target = await createNamespace();
    using dir = tempDir();
    const log = dir.join("queries");
    await using _ = await startDns(target, log);
    await using server = await startServer({ place: target });
    using listener = await listen({ via: server.path, port: 0, socket: { data() {} } });
    const common = { via: server.path, port: listener.port, socket: { data() {} } };
    const remote = async (options: Partial<ConnectOptions>): Promise<string> => {
      const socket = await connect({ ...common, nameservers: ["127.0.0.1"], ...options });
      const { remoteAddress } = socket;
      socket.terminate();
      return remoteAddress;
    };
    expect(await remote({ hostname: "web.test" })).toBe("127.0.0.1");
    expect(await remote({ hostname: "WEB.test." })).toBe("127.0.0.1");
    expect(await remote({ hostname: "six.test" })).toBe("::1");
    expect(await remote({ hostname: "both.test" })).toBe("127.0.0.1");
    expect(await remote({ hostname: "alias.test" })).toBe("127.0.0.1");
    expect(await remote({ hostname: "many.test" })).toMatch(/^127\.0\.1\./);
    expect(await remote({ hostname: "localhost" })).toBe("127.0.0.1");
    expect(await remote({ hostname: "name.of.mine", lookup: () => ["::1"] })).toBe("::1");
    const nameservers = ["127.0.0.2", "127.0.0.1"]; // nobody listens at the first one
    expect(await remote({ hostname: "web.test", nameservers })).toBe("127.0.0.1");
    const missing = await rejection(remote({ hostname: "nowhere.test" }));
    expect(missing).toMatchObject({ code: "ENOTFOUND", step: "resolve" });
    const queries = await Bun.file(log).text();
    // its 60 addresses do not fit a datagram, so they are asked for again, over TCP
    expect(queries.match(/query\[A\] many\.test/g)).toHaveLength(2);
    expect(queries.match(/query\[A\] both\.test/g)).toHaveLength(1);
    expect(queries).toMatch(/query\[AAAA\] web\.test from 127\.0\.0\.1/);
    expect(queries).not.toContain("localhost");
  });

  test.skipIf(!hasIpv6)("localhost reaches a listener that is on ::1 alone", async () => {
    await using server = await startServer();
    const socket = { data() {} };
    using listener = await listen({ via: server.path, hostname: "::1", port: 0, socket });
    const { port } = listener;
    using peer = await connect({ via: server.path, hostname: "localhost", port, socket });
    expect(peer.remoteAddress).toBe("::1");
  });

  test.skipIf(!hasIpv6)(
    "fails with ECONNREFUSED if one of its addresses refuses, even if another is unreachable",
    async () => {
      await using target = await createNamespace();
      await using server = await startServer({ place: target });
      const peer = { via: server.path, hostname: "both.test", port: 9, socket: { data() {} } };
      for (const [code, addresses] of [
        ["ECONNREFUSED", ["127.0.0.1", "2001:db8::1"]],
        ["ECONNREFUSED", ["2001:db8::1", "127.0.0.1"]],
        ["ENETUNREACH", ["2001:db8::1"]],
      ] as const)
        await expect(connect({ ...peer, lookup: () => addresses })).rejects.toMatchObject({ code });
      await target.run(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
      await expect(connect({ ...peer, hostname: "localhost" })).rejects.toMatchObject({
        code: "ECONNREFUSED",
      });
    },
  );

  test("is bound to its first address that the target has, even if that is in use", async () => {
    await using server = await startServer();
    const own = { hostname: "own.test", lookup: () => ["192.0.2.1", "127.0.0.1", "127.0.0.2"] };
    const common = { via: server.path, ...own, socket: { data() {} } };
    using listener = await listen({ ...common, port: 0 });
    const again = listen({ ...common, port: listener.port });
    await expect(again).rejects.toMatchObject({ code: "EADDRINUSE", step: "bind" });
  });

  test("is resolved by the caller's lookup function, whose time is limited and whose result is checked", async () => {
    await using server = await startServer();
    const peer = { via: server.path, hostname: "a.test", port: 80, socket: { data() {} } };
    const cases: [string, string, object][] = [
      ["ETIMEDOUT", "resolve", { lookup: never, timeoutMs: 50 }],
      ["EINVAL", "options", { lookup: () => ["nonsense"] }],
      ["EINVAL", "options", { lookup: () => "127.0.0.1" }],
      ["EINVAL", "options", { lookup: () => null }],
      ["EINVAL", "options", { lookup: "127.0.0.1" }],
      ["EINVAL", "options", { nameservers: "127.0.0.1" }],
      ["EINVAL", "options", { nameservers: ["dns.test"] }],
      ["EINVAL", "options", { nameservers: [] }],
    ];
    for (const [code, step, options] of cases)
      await expect(connect({ ...peer, ...options })).rejects.toMatchObject({ code, step });
    await expect(connect({ ...peer, lookup: never, timeoutMs: 50 })).rejects.toThrow(
      "it waits for",
    );
    const mine = new RangeError("mine");
    const throwing = { lookup: () => Promise.reject(mine) };
    await expect(connect({ ...peer, ...throwing })).rejects.toThrow("mine");
    const signal = AbortSignal.timeout(50);
    const aborted = connect({ ...peer, lookup: never, signal });
    await expect(aborted).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("fails with ECONNREFUSED or ENETUNREACH if its name server does not listen or is unreachable", async () => {
    await using server = await startServer({ place: "own" });
    const peer = { via: server.path, port: 80, socket: { data() {} }, timeoutMs: 15_000 };
    for (const [code, nameserver] of [
      ["ECONNREFUSED", "127.0.0.1"],
      ["ENETUNREACH", "192.0.2.1"],
    ] as const)
      await expect(
        connect({ ...peer, hostname: "web.test", nameservers: [nameserver] }),
      ).rejects.toMatchObject({ code, step: "resolve" });
  });

  test("is resolved over TCP in the target if its answer is truncated, and not from a forged answer", async () => {
    await using odd = await oddTarget();
    using listener = await listen({ ...odd.peer, port: 0 });
    const peer = { ...odd.peer, port: listener.port };
    using socket = await connect({ ...peer, hostname: "web.test" });
    expect(socket.remoteAddress).toBe("127.0.7.7");
    await odd.dns.says(/TCP .*web/);
    const nonsense = connect({ ...peer, hostname: "nonsense.test" });
    await expect(nonsense).rejects.toMatchObject({ code: "EBADMSG", step: "resolve" });
    const ended = connect({ ...peer, hostname: "ends.test" });
    await expect(ended).rejects.toMatchObject({ code: "ECONNRESET", step: "resolve" });
    using forged = await connect({ ...peer, hostname: "forged.test" });
    expect(forged.remoteAddress).toBe("127.0.7.7");
    const from = performance.now();
    const signal = AbortSignal.timeout(100);
    const silent = connect({ ...peer, hostname: "silent.test", signal, timeoutMs: 60_000 });
    await expect(silent).rejects.toMatchObject({ name: "TimeoutError" });
    expect(performance.now() - from).toBeLessThan(10_000); // the abort ends it, not the timeout of this attempt
  });

  test("is connected to by IPv4, well before the deadline, if the AAAA query gets no answer", async () => {
    await using odd = await oddTarget();
    using listener = await listen({ ...odd.peer, port: 0 });
    const from = performance.now();
    const four = { hostname: "four.test", port: listener.port, timeoutMs: 60_000 };
    using socket = await connect({ ...odd.peer, ...four });
    expect(socket.remoteAddress).toBe("127.0.7.7");
    expect(performance.now() - from).toBeLessThan(10_000);
  });

  test("is asked for again if an answer is lost, but not past the deadline", async () => {
    await using odd = await oddTarget();
    const lost = connect({ ...odd.peer, hostname: "lost.test" });
    await expect(lost).rejects.toMatchObject({ code: "ECONNREFUSED", step: "connect" });
    const nameservers = Array.from({ length: 50 }, () => "127.0.0.1");
    const mute = connect({ ...odd.peer, hostname: "mute.test", nameservers, timeoutMs: 200 });
    // each has 2 ms, in which a busy machine may not even give it a socket
    await expect(mute).rejects.toMatchObject({ code: "ETIMEDOUT" });
  });

  test.skipIf(!hasIpv6)(
    "that has only an IPv6 address is resolved even if the AAAA answer comes late",
    async () => {
      await using odd = await oddTarget();
      const late = connect({ ...odd.peer, hostname: "late.test", timeoutMs: 30_000 }); // on a busy machine, too
      await expect(late).rejects.toMatchObject({ code: "ECONNREFUSED", step: "connect" });
    },
  );

  test.skipIf(!hasIpv6)(
    "has its IPv6 address tried too if the AAAA answer comes soon after the A answer",
    async () => {
      await using odd = await oddTarget();
      using listener = await listen({ ...odd.peer, hostname: "::1", port: 0 });
      const soon = { ...odd.peer, hostname: "soon.test", port: listener.port };
      using socket = await connect(soon);
      expect(socket.remoteAddress).toBe("::1");
    },
  );

  test.skipIf(!hasIpv6)(
    "has its IPv6 address tried too if the AAAA answer comes soon, but while the program is busy for long",
    async () => {
      await using odd = await oddTarget();
      using listener = await listen({ ...odd.peer, hostname: "::1", port: 0 });
      const native = loadSyscalls();
      const receive = native.receivePacket.bind(native);
      const start = globalThis.setTimeout;
      const thenBlock = (...given: Parameters<typeof start>) => {
        const timer = start(...given);
        Bun.sleepSync(700);
        return timer;
      };
      using timers = spyOn(globalThis, "setTimeout");
      using received = spyOn(native, "receivePacket").mockImplementationOnce((...args) => {
        timers.mockImplementationOnce(Object.assign(thenBlock, start)); // that for the AAAA answer
        return receive(...args);
      });
      using socket = await connect({ ...odd.peer, hostname: "soon.test", port: listener.port });
      expect(socket.remoteAddress).toBe("::1");
      expect(received).toHaveBeenCalled();
    },
  );

  test("is tried in the next search domain if a name server fails or does not answer for IPv6", async () => {
    await using odd = await oddTarget();
    using dir = tempDir();
    await Bun.write(dir.join("resolv.conf"), "nameserver 127.0.0.1\nsearch gone.test fails.test\n");
    using listener = await listen({ ...odd.peer, port: 0 });
    const program = `
      import { connect } from ${JSON.stringify(import.meta.resolve("@xsocket/client"))};
      const [via, port] = ${JSON.stringify([odd.peer.via, listener.port])};
      const socket = await connect({ via, port, hostname: "four", socket: { data() {} } });
      console.log(socket.remoteAddress);
      socket.terminate();
      await connect({ via, port, hostname: "none", socket: { data() {} } }).catch(({ code }) => console.log(code));`;
    await Bun.write(dir.join("program.ts"), program);
    const script = 'mount --bind "$1/resolv.conf" /etc/resolv.conf && exec "$0" "$1/program.ts"';
    const start = [...OWN_MOUNTS, "sh", "-c", script];
    const { stdout, stderr } = await here.run([...start, process.execPath, dir.join("")]);
    expect(stdout, stderr).toBe("127.0.7.7\nESERVFAIL\n"); // not ENOTFOUND, since one query has failed
  });

  test.each([
    [
      "at once if a name server refuses with a header alone",
      { hostname: "refused.test", timeoutMs: 30_000 },
      { code: "EREFUSED", step: "resolve" },
    ],
    [
      "at its deadline even if a name server floods the client with messages that answer nothing",
      { hostname: "flood.test", timeoutMs: 500 },
      { code: "ETIMEDOUT" },
    ],
  ])("fails %s", async (_, how, failure) => {
    await using odd = await oddTarget();
    const from = performance.now();
    await expect(connect({ ...odd.peer, ...how })).rejects.toMatchObject(failure);
    expect(performance.now() - from).toBeLessThan(10_000);
  });

  test("that is not valid in DNS fails with ENOTFOUND, and no name server is asked", async () => {
    await using odd = await oddTarget();
    const { peer, dns } = odd;
    const long = `${"x".repeat(64)}.test`;
    const names = [
      " ",
      "a b",
      "a..b",
      ".",
      "\0",
      long,
      `${"x".repeat(60)}.`.repeat(5),
      "127.0.0.1%lo",
      `four56.${`${"x".repeat(61)}.`.repeat(4)}`,
    ];
    for (const hostname of names)
      await expect(connect({ ...peer, hostname })).rejects.toMatchObject({ code: "ENOTFOUND" });
    expect(dns.stdout).not.toContain("UDP");
    // the longest valid names
    for (const hostname of [
      `four${"x".repeat(59)}.test`,
      `four5.${`${"x".repeat(61)}.`.repeat(4)}`,
    ])
      await expect(connect({ ...peer, hostname })).rejects.toMatchObject({ code: "ECONNREFUSED" });
    // what inet_aton(3) reads is an address, as for Bun.connect
    for (const hostname of ["127.1", "0x7f.0.0.1", "2130706433"])
      await expect(connect({ ...peer, hostname })).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
