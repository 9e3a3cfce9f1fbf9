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
import { connect } from "node:net";
import { join } from "node:path";
import { xsocketSync } from "@xsocket/client";
import { EPOLL_CTL_ADD, EPOLLET, errno, loadSyscalls, registrations } from "@xsocket/xbind-native";
import {
  type Log,
  type MetricsAddress,
  parseMetricsAddress,
  type Policy,
  plainRule,
  serve,
  serveMetrics,
  type ServerStatus,
} from "@xsocket/server";
import {
  createNamespace,
  descriptors,
  eventually,
  guardDescriptors,
  here,
  isContained,
  leaked,
  startServer,
  tempDir,
  XSOCKET,
} from "../harness/index.ts";
import { recorded } from "../harness/recorded.ts";
import { statusText } from "../../packages/cli/src/status-text.ts";
import { metricsText } from "../../packages/server/src/service/metrics-text.ts";

guardDescriptors();

const POLICY: Policy = {
  source: "test",
  rules: [plainRule("no datagrams", { allow: false, types: [2] }), plainRule("the rest")],
};
const ROOT = join(import.meta.dir, "../..");
const METRIC = /(?<=`)xsocket_[a-z_]+/g;
const LOOPBACK: MetricsAddress = { kind: "tcp", host: "127.0.0.1", port: 0 };

/** Requests one socket of each type. */
function ask(path: string, ...types: ("stream" | "dgram" | "raw")[]): void {
  for (const type of types) {
    try {
      xsocketSync({ via: path, family: 4, type }).close();
    } catch {
      /* refused, and counted */
    }
  }
}

/** The samples of a text in Prometheus's format, each line checked against its grammar. */
function samples(text: string): Map<string, number> {
  const found = new Map<string, number>();
  const typed = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type?.[1]) typed.add(type[1]);
    if (line.startsWith("#")) continue;
    const sample = /^([a-z_]+)((?:\{[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*\})?) (\d\S*)$/.exec(
      line,
    );
    expect(sample, line).not.toBeNull();
    const name = sample?.[1] ?? "";
    expect(typed.has(name) || typed.has(name.replace(/_(bucket|sum|count)$/, "")), line).toBe(true);
    found.set(`${name}${sample?.[2]}`, Number(sample?.[3]));
  }
  return found;
}

test("counts requests by outcome, kind, reason and time", async () => {
  using dir = tempDir();
  const path = dir.join("control");
  await using server = await serve({ address: path, policy: POLICY });
  using metrics = await serveMetrics(server, LOOPBACK);
  ask(path, "stream", "stream", "dgram", "raw");
  const url = `http://127.0.0.1:${metrics.port}/metrics`;
  // a request's time is counted after its answer was sent
  await eventually("the last request to be counted", async () =>
    (await (await fetch(url)).text()).includes("xsocket_request_duration_seconds_count 4\n"),
  );
  const response = await fetch(url);
  expect(response.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  const found = samples(await response.text());
  const value = (name: string) => found.get(name);
  expect(value('xsocket_requests_total{outcome="granted"}')).toBe(2);
  expect(value('xsocket_requests_total{outcome="refused"}')).toBe(2);
  expect(value('xsocket_sockets_total{family="AF_INET",type="SOCK_STREAM"}')).toBe(2);
  expect(value('xsocket_refusals_total{reason="rule"}')).toBe(1);
  expect(value('xsocket_refusals_total{reason="no rule"}')).toBe(1);
  expect(value('xsocket_request_duration_seconds_bucket{le="+Inf"}')).toBe(4);
  expect(value("xsocket_request_duration_seconds_count")).toBe(4);
  expect(value("xsocket_connections_total")).toBe(4);
  expect(value("process_open_fds")).toBeGreaterThan(10);
  const builds = [...found.keys()].filter((name) => name.startsWith("xsocket_build_info{"));
  expect(builds).toHaveLength(1);
});

test("metrics and status contain every number, and the docs name no other metric", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control") });
  const status = server.status();
  const told = Object.keys({ ...status, ...status.stats });
  const left = (write: (status: ServerStatus) => string) => {
    const read = new Set<string>();
    write(recorded({ ...status, stats: recorded(status.stats, read) }, read));
    return told.filter((name) => !read.has(name));
  };
  const words = ["pid", "address", "formerNamespace", "uptimeSeconds", "bounds"]; // not metrics
  expect(left((all) => metricsText(all, 0, 0))).toEqual([...words, "requests"]); // the sum of its outcomes
  expect(left(statusText)).toEqual([]);
  const text = metricsText(status, 0, 0);
  for (const page of new Bun.Glob("docs/**/*.md").scanSync(ROOT))
    for (const [name] of readFileSync(join(ROOT, page), "utf8").matchAll(METRIC))
      expect(text, `${name} of ${page}`).toContain(`# TYPE ${name} `);
});

test("histogram buckets are cumulative, and other pages are not found", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control") });
  using metrics = await serveMetrics(server, LOOPBACK);
  ask(dir.join("control"), ...Array.from({ length: 50 }, () => "stream" as const));
  // a request's time is counted after its answer was sent
  const counted = () => server.stats().latency.counts.reduce((sum, count) => sum + count, 0);
  await eventually("the last request to be counted", () => counted() === 50);
  const page = `http://127.0.0.1:${metrics.port}`;
  const found = samples(await (await fetch(`${page}/metrics`)).text());
  const buckets = [...found].filter(([name]) => name.includes("_bucket")).map(([, count]) => count);
  expect(buckets).toEqual(buckets.toSorted((a, b) => a - b));
  expect(buckets.at(-1)).toBe(50);
  expect((await fetch(`${page}/other`)).status).toBe(404);
  expect((await fetch(`${page}/metrics`, { method: "POST" })).status).toBe(405);
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
  await here.run(["python3", "-c", `import socket; socket.socket(1).bind("${path}")`]);
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
  await here.run(["python3", "-c", `import socket; socket.socket(1).bind("${place.path}")`]);
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
    const signal = AbortSignal.timeout(2000);
    const host = kind === "tcp" ? `127.0.0.1:${metrics.port}` : "x";
    const at = kind === "tcp" ? {} : { unix: path };
    expect((await fetch(`http://${host}/metrics`, { ...at, signal })).status).toBe(200);
  },
);

/** Sends texts to a path and returns the answer. */
async function exchange(path: string, ...texts: string[]): Promise<string> {
  const socket = connect(path);
  let answer = "";
  socket.on("data", (data) => (answer += data.toString()));
  const closed = new Promise((resolve) => socket.on("close", resolve));
  for (const text of texts) {
    await new Promise((resolve) => socket.write(text, resolve));
    await Bun.sleep(20); // so that the next text arrives separately
  }
  await closed;
  return answer;
}

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

test("answers requests in pieces, without a host, or malformed, and closes the connection", async () => {
  using dir = tempDir();
  const path = dir.join("metrics");
  await using server = await startServer({ args: ["--metrics", path] });
  await eventually("the metrics", () => here.listensAt(path));
  for (const line of [
    "GET /metrics HTTP/1.0\r\n",
    "GET /metrics HTTP/1.0\n",
    `GET /metrics HTTP/1.1\r\nx: ${"x".repeat(8000)}\r\n`,
    "GET http://[/metrics?x HTTP/1.1\r\nHost: [\r\n",
  ])
    expect(await exchange(path, line, line.endsWith("\r\n") ? "\r\n" : "\n")).toContain(
      "\r\n\r\n# HELP xsocket_build_info",
    );
  expect(await exchange(path, "GET http://x?/metrics HTTP/1.1\r\n\r\n")).toContain(" 404 ");
  expect(await exchange(path, "GET / HTTP/1.1\r\n\r\n")).toBe(
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 22\r\nConnection: close\r\n\r\nxsocket: see /metrics\n",
  );
  expect(await exchange(path, "HEAD /metrics HTTP/1.1\r\n\r\n")).toMatch(
    /^HTTP\/1\.1 200 .*\r\n\r\n$/s,
  );
  const other = "GET /metrics HTTP/2.0\r\n\r\n";
  const late = "GET /metrics HTTP/1.10\r\n\r\n";
  const long = `GET /metrics HTTP/1.1\r\nx: ${"x".repeat(10_000)}`;
  for (const text of ["\0\r\n\r\n", "GET\r\n\r\n", other, late, long])
    expect(await exchange(path, text)).toStartWith("HTTP/1.1 400 ");
  expect(await server.stop()).toBe(0);
  expect(server.program.stderr.trim()).toBe(`xsocket: serving at ${server.path}`);
});

test("neither a request with a long invalid host nor a silent connection holds up the stop", async () => {
  using dir = tempDir();
  const path = dir.join("metrics");
  await using server = await startServer({ args: ["--metrics", path] });
  await eventually("the metrics", () => here.listensAt(path));
  const start = performance.now();
  const text = `GET http://${"a".repeat(7000)}\r\n\r\n`;
  expect(await exchange(path, text)).toStartWith("HTTP/1.1 400 ");
  expect(performance.now() - start).toBeLessThan(2000);
  const silent = connect(path);
  await new Promise((resolve) => silent.on("connect", resolve));
  expect(await server.stop()).toBe(0);
  expect(performance.now() - start).toBeLessThan(8000); // not the 10 s of a connection
});

test("limits the connections to the metrics to 16", async () => {
  using dir = tempDir();
  const path = dir.join("metrics");
  await using server = await serve({ address: dir.join("control") });
  using metrics = await serveMetrics(server, { kind: "path", path });
  expect(metrics.port).toBeUndefined();
  const before = server.status().descriptors.open;
  const sockets = Array.from({ length: 200 }, () => connect(path).on("error", () => {}));
  const open = () => sockets.filter((socket) => !socket.closed).length;
  await eventually("most to be closed", () => open() <= 16);
  expect(open()).toBe(16);
  expect(server.status().descriptors.open - before).toBeLessThanOrEqual(2 * 16);
  for (const socket of sockets) socket.destroy();
  await eventually("room", async () => (await exchange(path, "GET / HTTP/1.0\r\n\r\n")) !== "");
});

test("closes a connection without a request in 10 s or whose answer fails, and goes on", async () => {
  using dir = tempDir();
  const path = dir.join("metrics");
  await using server = await serve({ address: dir.join("control") });
  using metrics = await serveMetrics(server, { kind: "path", path });
  expect(metrics.port).toBeUndefined();
  const real = setTimeout;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its 10 s are 10 ms
  const quick = ((done: () => void, ms: number) => real(done, ms / 1000)) as typeof setTimeout;
  using waits = spyOn(globalThis, "setTimeout").mockImplementation(quick);
  expect(await exchange(path)).toBe("");
  expect(waits.mock.calls.map(([, ms]) => ms)).toContain(10_000);
  waits.mockRestore();
  using status = spyOn(server, "status").mockImplementation(() => {
    throw new Error("no status");
  });
  const question = "GET /metrics HTTP/1.1\r\n\r\n";
  const start = performance.now();
  expect(await exchange(path, question)).toBe("");
  expect(performance.now() - start).toBeLessThan(8000); // not only after 10 s
  status.mockRestore();
  expect(await exchange(path, question)).toStartWith("HTTP/1.1 200 ");
});

test.skipIf(isContained)("sends the whole page to a slow reader with small buffers", async () => {
  using dir = tempDir();
  await using target = await createNamespace();
  const small = ["tcp_wmem", "tcp_rmem"].map((name) => `net.ipv4.${name}=4096 4096 4096`);
  expect((await target.run(["sysctl", "-w", ...small])).code).toBe(0);
  await using server = await startServer({
    place: target,
    path: dir.join("control"),
    args: ["--metrics", "9100"],
  });
  await eventually("the metrics", () => target.listens("tcp", 9100));
  const reader = `
import socket, time
s = socket.create_connection(("127.0.0.1", 9100))
s.send(b"GET /metrics HTTP/1.1\\r\\n\\r\\n")
time.sleep(0.3)
head, text = b"".join(iter(lambda: s.recv(100), b"")).split(b"\\r\\n\\r\\n")
print(b"Content-Length: %d\\r" % len(text) in head, text.endswith(b"\\n"))`;
  const { stdout, stderr } = await target.run(["python3", "-c", reader]);
  expect(stdout + stderr).toBe("True True\n");
  expect(await server.stop()).toBe(0);
});

test("reports a port in use in one sentence", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control") });
  using metrics = await serveMetrics(server, LOOPBACK);
  const again = { ...LOOPBACK, port: metrics.port ?? 0 };
  await expect(serveMetrics(server, again)).rejects.toThrow(
    `cannot serve metrics at 127.0.0.1:${again.port}: EADDRINUSE. Choose another place`,
  );
});

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

test("reports 0 for memory when /proc is missing, and all else", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control") });
  using metrics = await serveMetrics(server, LOOPBACK);
  using _ = spyOn(process.memoryUsage, "rss").mockImplementation(() => {
    throw new Error("memoryUsage() failed"); // as Bun does without /proc
  });
  const response = await fetch(`http://127.0.0.1:${metrics.port}/metrics`);
  const found = samples(await response.text());
  expect(found.get("process_resident_memory_bytes")).toBe(0);
  expect(found.get("xsocket_reachable")).toBe(1);
});

test("reports the same start time when the clock is changed", async () => {
  using dir = tempDir();
  await using server = await serve({ address: dir.join("control") });
  using metrics = await serveMetrics(server, LOOPBACK);
  const start = async () => {
    const response = await fetch(`http://127.0.0.1:${metrics.port}/metrics`);
    return samples(await response.text()).get("process_start_time_seconds");
  };
  const first = await start();
  using _ = spyOn(Date, "now").mockReturnValue(Date.now() + 3_600_000);
  expect(await start()).toBe(first);
});

test("warns when the socket file of the metrics cannot be removed at the end", async () => {
  using dir = tempDir();
  mkdirSync(dir.join("sub"));
  await using server = await startServer({ args: ["--metrics", dir.join("sub/metrics")] });
  await server.program.says(/serving at/);
  renameSync(dir.join("sub"), dir.join("moved"));
  writeFileSync(dir.join("sub"), "no directory any more");
  expect(await server.stop()).toBe(0);
  expect(server.program.stderr).toMatch(/warning: the socket file of the metrics could not be rem/);
});

test("reports a missing socket file at a reload, in the metrics and in the status", async () => {
  using dir = tempDir();
  const [path, moved] = [dir.join("control"), dir.join("moved")];
  const metrics = dir.join("metrics");
  await using server = await startServer({ path, args: ["--metrics", metrics] });
  await server.program.says(/serving at/);
  const reachable = async () => {
    const response = await fetch("http://x/metrics", { unix: metrics });
    return samples(await response.text()).get("xsocket_reachable");
  };
  expect(await reachable()).toBe(1);
  renameSync(path, moved);
  expect(await reachable()).toBe(0);
  server.program.kill("SIGHUP");
  await server.program.says(
    /error: new clients do not find this server, since .* restart it, or the socket unit/,
  );
  const { stdout } = await here.run([XSOCKET, "status", moved]);
  expect(stdout).toMatch(/^warning +new clients do not find this server/m);
});

test("reports a policy that could not be read again in metrics and status until a reload succeeds", async () => {
  using dir = tempDir();
  const [path, policy, metrics] = [dir.join("control"), dir.join("policy"), dir.join("metrics")];
  writeFileSync(policy, '[[rule]]\naction = "allow"\n');
  await using server = await startServer({
    path,
    args: ["--policy", policy, "--metrics", metrics],
  });
  await server.program.says(/serving at/);
  const reload = async (text: string, said: RegExp) => {
    writeFileSync(policy, text);
    server.program.kill("SIGHUP");
    await server.program.says(said);
    const response = await fetch("http://x/metrics", { unix: metrics });
    const current = samples(await response.text()).get("xsocket_policy_current");
    return { current, ...(await here.run([XSOCKET, "status", path])) };
  };
  const failed = await reload("wrong = 1\n", /the policy stays as it was/);
  expect(failed.current).toBe(0);
  expect(failed.stdout).toMatch(
    /^warning +its rules are still the old ones, .* could not read .*policy/m,
  );
  const mended = await reload('[[rule]]\naction = "deny"\n', /reloaded: 1 rule/);
  expect(mended.current).toBe(1);
  expect(mended.stdout).not.toMatch(/^warning/m);
});
