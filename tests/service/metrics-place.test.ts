/* Where the metrics are served. */
import { describe, expect, spyOn, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { SOCK_STREAM } from "@xsocket/protocol";
import {
  type Log,
  type MetricsAddress,
  parseMetricsAddress,
  serve,
  serveMetrics,
} from "@xsocket/server";
import { EPOLL_CTL_ADD, EPOLLET, errno, loadSyscalls, registrations } from "@xsocket/xbind-native";
import { descriptors, here, leaked, leaveStale, startServer, tempDir } from "../harness/index.ts";

const LOOPBACK: MetricsAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };

describe("the address of the metrics", () => {
  test.each([
    ["9100", "127.0.0.1", 9100],
    ["127.0.0.1:9100", "127.0.0.1", 9100],
    ["127.9.9.9:1", "127.9.9.9", 1],
    ["[::1]:1", "::1", 1],
  ])("may be %s", (text, host, port) => {
    expect(parseMetricsAddress(text, false)).toEqual({ kind: "tcp", host, port });
  });

  test.each([
    "",
    "x",
    "localhost:80",
    ":80",
    "127.0.0.1:65536",
    "127.0.0.1",
    "::1:80",
    "[::1]",
    "0",
    "[::1]:0",
  ])("may not be %j", (text) =>
    expect(() => parseMetricsAddress(text, true)).toThrow("for metrics"),
  );

  test("needs --metrics-remote if others can reach it", () => {
    for (const text of ["0.0.0.0:9100", "[::]:9100", "192.0.2.1:9100"]) {
      expect(() => parseMetricsAddress(text, false)).toThrow("--metrics-remote");
      expect(parseMetricsAddress(text, true).kind).toBe("tcp");
    }
  });
});

test("serves metrics on a UNIX socket with mode 0660 and removes it at the end", async () => {
  using dir = tempDir();
  const path = dir.join("metrics");
  await using server = await serve({ address: dir.join("control") });
  for (let round = 0; round < 2; round++) {
    using served = await serveMetrics(server, { kind: "path", path });
    expect(served.port).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const response = await fetch("http://x/metrics", { unix: path });
    expect(await response.text()).toContain("xsocket_build_info");
  }
  expect(existsSync(path)).toBe(false);
});

test("warns once who else can replace the socket of the metrics", async () => {
  using dir = tempDir();
  using open = tempDir();
  chmodSync(open.path, 0o777);
  const said: string[] = [];
  const log: Log = ({ message }) => void said.push(message);
  await using server = await serve({ address: dir.join("control") });
  for (const path of [dir.join("metrics"), open.join("metrics")])
    (await serveMetrics(server, { kind: "path", path }, log))[Symbol.dispose]();
  expect(said).toEqual([expect.stringContaining("everybody can replace the socket in ")]);
  await here.run(["setfacl", "-m", "u:4201:rwx", dir.path]);
  (await serveMetrics(server, { kind: "path", path: dir.join("metrics") }, log))[Symbol.dispose]();
  expect(said).toHaveLength(1);
});

test("replaces the stale socket of a dead server and nothing else", async () => {
  using dir = tempDir();
  const path = dir.join("metrics");
  await using server = await serve({ address: dir.join("control") });
  leaveStale(path, SOCK_STREAM);
  using metrics = await serveMetrics(server, { kind: "path", path });
  await expect(serveMetrics(server, { kind: "path", path })).rejects.toThrow(
    `cannot serve ${path}: another process listens there. Stop it, or choose another path`,
  );
  expect((await fetch("http://x/metrics", { unix: path })).status).toBe(200);
  const file = dir.join("file");
  writeFileSync(file, "kept");
  await expect(serveMetrics(server, { kind: "path", path: file })).rejects.toThrow(
    "is not a socket",
  );
  expect(readFileSync(file, "utf8")).toBe("kept");
  for (const [below, remedy] of Object.entries({
    "none/m": "make it first",
    "file/m": "another path",
    ["m".repeat(120)]: "use a shorter path",
  }))
    await expect(serveMetrics(server, { kind: "path", path: dir.join(below) })).rejects.toThrow(
      remedy,
    );
  metrics[Symbol.dispose]();
  expect(existsSync(path)).toBe(false);
});

test("only one of two simultaneous starts serves at a path", async () => {
  using dir = tempDir();
  const place = { kind: "path", path: dir.join("metrics") } as const;
  await using server = await serve({ address: dir.join("control") });
  leaveStale(place.path, SOCK_STREAM);
  const sys = loadSyscalls();
  const real = sys.connect.bind(sys);
  let other: Promise<unknown> | undefined;
  using looks = spyOn(sys, "connect").mockImplementation((...args) => {
    const rc = real(...args);
    looks.mockRestore(); // this was the first check of the stale socket
    other = Promise.try(() => serveMetrics(server, place)).catch((error: unknown) => error);
    return rc;
  });
  using metrics = await serveMetrics(server, place);
  expect(metrics.port).toBeUndefined();
  expect(await other).toMatchObject({ code: "IN_USE" });
  expect((await fetch("http://x/metrics", { unix: place.path })).status).toBe(200);
});

test("leaves neither file nor descriptor when Bun.listen fails", async () => {
  using dir = tempDir();
  const path = dir.join("metrics");
  await using server = await serve({ address: dir.join("control") });
  using _ = spyOn(Bun, "listen").mockImplementation(() => {
    throw new Error("Failed to listen");
  });
  const before = descriptors();
  await expect(serveMetrics(server, { kind: "path", path })).rejects.toThrow("Failed to listen");
  expect(leaked(before)).toEqual([]);
  expect(existsSync(path)).toBe(false);
});

test("names the limit of epoll when it takes no listener of the metrics", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control") });
  using _ = spyOn(Bun, "listen").mockImplementation(() => {
    throw Object.assign(new Error("Failed to listen"), { code: "ENOSPC" });
  });
  for (const place of [LOOPBACK, { kind: "path", path: dir.join("metrics") } as const])
    await expect(serveMetrics(server, place)).rejects.toThrow(
      /^cannot serve metrics at .*: ENOSPC\. Raise fs\.epoll\.max_user_watches \(sysctl\)$/,
    );
});

test.each(["path", "tcp"] as const)(
  "serves metrics (%s) when epoll takes no further descriptor",
  async (kind) => {
    using dir = tempDir();
    const path = dir.join("metrics");
    await using server = await serve({ address: dir.join("control") });
    const native = { ...loadSyscalls() };
    using full = spyOn(loadSyscalls(), "epollCtl").mockImplementation((set, operation, ...rest) =>
      operation === EPOLL_CTL_ADD ? -errno.ENOSPC : native.epollCtl(set, operation, ...rest),
    );
    using metrics = await serveMetrics(server, kind === "tcp" ? LOOPBACK : { kind, path });
    expect(full.mock.results.map(({ value }) => value)).toEqual([0]);
    const changed = full.mock.calls.flatMap(([set, , listener]) =>
      registrations(set).filter(({ fd }) => fd === listener),
    );
    // by edge, so that a connection for which no descriptor is left is tried once
    expect(changed.map(({ events }) => (events & EPOLLET) !== 0)).toEqual([true]);
    const signal = AbortSignal.timeout(30_000);
    const host = kind === "tcp" ? `127.0.0.1:${metrics.port}` : "x";
    const at = kind === "tcp" ? {} : { unix: path };
    expect((await fetch(`http://${host}/metrics`, { ...at, signal })).status).toBe(200);
  },
);

test("leaves a file that replaced its socket", async () => {
  using dir = tempDir();
  const path = dir.join("metrics");
  await using server = await serve({ address: dir.join("control") });
  const metrics = await serveMetrics(server, { kind: "path", path });
  rmSync(path);
  writeFileSync(path, "kept");
  metrics[Symbol.dispose]();
  expect(readFileSync(path, "utf8")).toBe("kept");
});

test("reports a port in use in one sentence", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control") });
  using metrics = await serveMetrics(server, LOOPBACK);
  const again = { ...LOOPBACK, port: metrics.port ?? 0 };
  await expect(serveMetrics(server, again)).rejects.toThrow(
    `cannot serve metrics at 127.0.0.1:${again.port}: EADDRINUSE. Choose another place`,
  );
  await expect(serveMetrics(server, { ...LOOPBACK, host: "2001:db8::1", port: 1 })).rejects.toThrow(
    "cannot serve metrics at [2001:db8::1]:1: E",
  );
});

test("warns when the socket file of the metrics cannot be removed at the end", async () => {
  using dir = tempDir();
  mkdirSync(dir.join("sub"));
  await using server = await startServer({ args: ["--metrics", dir.join("sub/metrics")] });
  renameSync(dir.join("sub"), dir.join("moved"));
  writeFileSync(dir.join("sub"), "no directory any more");
  expect(await server.stop()).toBe(0);
  expect(server.program.stderr).toEndWith(
    `xsocket: warning: the socket file of the metrics, ${dir.join("sub/metrics")}, could not be removed: ENOTDIR\n`,
  );
});
