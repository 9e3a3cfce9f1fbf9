/* The HTTP server of the metrics. */
import { expect, spyOn, test } from "bun:test";
import { connect } from "node:net";
import { serve, serveMetrics } from "@xsocket/server";
import {
  createNamespace,
  eventually,
  here,
  isContained,
  startServer,
  tempDir,
} from "../harness/index.ts";

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
  expect(await exchange(path, "POST /metrics HTTP/1.1\r\n\r\n")).toContain(" 405 ");
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
