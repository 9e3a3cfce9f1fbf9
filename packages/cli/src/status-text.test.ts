import { expect, test } from "bun:test";
import { DEFAULT_BOUNDS, type ServerStatus } from "@xsocket/server";
import { statusText } from "./status-text.ts";

type Stats = ServerStatus["stats"];

const STATS: Stats = {
  accepted: 0,
  requests: 0,
  granted: 0,
  denied: 0,
  failed: 0,
  malformed: 0,
  evicted: 0,
  refusedConnections: 0,
  refusedInFlight: 0,
  timedOut: 0,
  unstamped: 0,
  threadsReplaced: 0,
  sockets: [
    { family: "AF_INET", type: "SOCK_STREAM", count: 0 },
    { family: "AF_INET6", type: "SOCK_DGRAM", count: 0 },
  ],
  refusals: {
    "no rule": 0,
    rule: 0,
    "sockets per minute": 0,
    connections: 0,
    "too many users": 0,
  },
  latency: { bounds: [10e-6, 20e-6], counts: [0, 0, 0], sum: 0 },
  connections: 0,
  inFlight: 0,
};

function status(stats: Partial<Stats> = {}, change: Partial<ServerStatus> = {}): ServerStatus {
  return {
    version: "1.0.0",
    bun: Bun.version,
    pid: 7,
    address: "/run/x",
    unreachable: false,
    uptimeSeconds: 0,
    threads: 1,
    policy: { source: "built in", rules: 1, outdated: false },
    descriptors: { open: 20, limit: 1024 },
    bounds: DEFAULT_BOUNDS,
    stats: { ...STATS, ...stats },
    ...change,
  };
}

/** The rows by their names. */
function rowsOf(...looks: Parameters<typeof statusText>): Record<string, string> {
  const lines = statusText(...looks).split("\n");
  return Object.fromEntries(lines.map((line) => [line.slice(0, 12).trim(), line.slice(13)]));
}

test("an idle server has no rows about failures and no numbers", () => {
  const rows = rowsOf(status());
  expect(["warning", "rate", "unstamped"].filter((name) => name in rows)).toEqual([]);
  expect(rows).toMatchObject({
    threads: "1",
    policy: "built in, 1 rule",
    sockets: "none",
    refusals: "none",
    answered: "-",
  });
});

test("counts refusals in flight as refused and names each kind and reason that occurred", () => {
  const stats: Partial<Stats> = {
    requests: 9,
    granted: 3,
    denied: 2,
    refusedInFlight: 3,
    failed: 1,
    sockets: [
      { family: "AF_INET", type: "SOCK_STREAM", count: 0 },
      { family: "AF_INET6", type: "SOCK_DGRAM", count: 1 },
    ],
    refusals: { ...STATS.refusals, connections: 1 },
  };
  expect(rowsOf(status(stats))).toMatchObject({
    requests: "9: 3 granted, 5 refused, 1 failed",
    sockets: "1 AF_INET6 SOCK_DGRAM",
    refusals: "1 connections, 3 sockets in flight",
  });
});

test("shows each failure in a row", () => {
  const rows = rowsOf(status({ unstamped: 2, threadsReplaced: 3 }, { unreachable: true }));
  expect(rows).toMatchObject({
    warning: expect.stringContaining(
      "new clients do not find this server, since /run/x was removed",
    ),
    threads: "1, 3 replaced",
    unstamped: "2 sockets with the server's ids",
  });
  expect(rowsOf(status({}, { formerNamespace: "vpn" }))["warning"]).toContain(
    "not the one named vpn",
  );
  const policy = { source: "/etc/p", rules: 1, outdated: true };
  expect(rowsOf(status({}, { policy }))["warning"]).toContain("could not read /etc/p");
  expect(rowsOf(status({ unstamped: 1 }))["unstamped"]).toBe("1 socket with the server's ids");
});

test("escapes control characters of the address", () => {
  const rows = rowsOf(status({}, { address: "/run/\n\x1b[2J" }));
  expect(rows["server"]).toStartWith("/run/\\x0a\\x1b[2J, process 7");
});

test.each([
  [[1, 1, 0], "half within 10 µs, 99 of 100 within 20 µs"],
  [[0, 0, 1], "fewer than half within 20 µs, fewer than 99 of 100 within 20 µs"],
  [[9, 0, 1], "half within 10 µs, fewer than 99 of 100 within 20 µs"],
  [[99, 1, 0], "half within 10 µs, 99 of 100 within 10 µs"],
])("summarises the latency buckets %j as: %s", (counts, words) => {
  const latency = { ...STATS.latency, counts };
  expect(rowsOf(status({ latency }))["answered"]).toBe(words);
});

test.each([
  [0.9, "0 s"],
  [59, "59 s"],
  [61, "1 min 1 s"],
  [3600, "1 h 0 min"],
  [86_399, "23 h 59 min"],
  [90_000, "1 d 1 h"],
])("shows %d seconds as %s", (uptimeSeconds, words) => {
  expect(rowsOf(status({}, { uptimeSeconds }))["running for"]).toBe(words);
});

test("computes the rate since the previous status, and none after a restart", () => {
  const before = status({ requests: 100 }, { uptimeSeconds: 10 });
  expect(rowsOf(status({ requests: 115 }, { uptimeSeconds: 12 }), before)["rate"]).toBe(
    "8 requests/s",
  );
  const soon = status({ requests: 115 }, { uptimeSeconds: 10.5 });
  expect(rowsOf(soon, before)["rate"]).toBe("30 requests/s");
  expect(rowsOf(before, before)["rate"]).toBe("-");
  expect(rowsOf(status({ requests: 1 }, { uptimeSeconds: 1 }), before)["rate"]).toBe("-");
});
