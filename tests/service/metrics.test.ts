/* What the metrics say. */
import { expect, spyOn, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { xsocketSync } from "@xsocket/client";
import {
  type MetricsAddress,
  type Policy,
  plainRule,
  serve,
  serveMetrics,
  type ServerStatus,
} from "@xsocket/server";
import { eventually, here, ROOT, startServer, tempDir, textOf, XSOCKET } from "../harness/index.ts";
import { recorded } from "../harness/recorded.ts";
import { statusText } from "../../packages/cli/src/status-text.ts";
import { metricsText } from "../../packages/server/src/service/metrics-text.ts";

const POLICY: Policy = {
  source: "test",
  rules: [plainRule("no datagrams", { allow: false, types: [2] }), plainRule("the rest")],
};
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
    for (const [name] of textOf(page).matchAll(METRIC))
      expect(text, `${name} of ${page}`).toContain(`# TYPE ${name} `);
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

test("reports a missing socket file at a reload, in the metrics and in the status", async () => {
  using dir = tempDir();
  const [path, moved] = [dir.join("control"), dir.join("moved")];
  const metrics = dir.join("metrics");
  await using server = await startServer({ path, args: ["--metrics", metrics] });
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
