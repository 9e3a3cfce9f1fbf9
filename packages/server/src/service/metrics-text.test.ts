import { expect, test } from "bun:test";
import type { ServerStatus } from "../status.ts";
import { metricsText } from "./metrics-text.ts";

/* Each number is another one, so that none can stand for another. */
const STATUS: ServerStatus = {
  version: "1.2.3",
  bun: "4.5.6",
  pid: 1,
  address: "/run/x",
  unreachable: false,
  uptimeSeconds: 2,
  threads: 3,
  policy: { source: "built in", rules: 4 },
  descriptors: { open: 5, limit: 6 },
  bounds: {
    maxConnections: 1,
    maxConnectionsPerUid: 1,
    maxInFlight: 1,
    maxInFlightPerUid: 1,
    firstRequestMs: 1,
    takeReplyMs: 1,
    backlog: 1,
  },
  stats: {
    accepted: 10,
    requests: 11,
    granted: 12,
    denied: 13,
    failed: 14,
    malformed: 15,
    evicted: 16,
    refusedConnections: 17,
    refusedInFlight: 18,
    timedOut: 19,
    unstamped: 20,
    threadsReplaced: 21,
    sockets: [{ family: "AF_INET", type: "SOCK_STREAM", count: 22 }],
    refusals: {
      "no rule": 23,
      rule: 24,
      "sockets per minute": 25,
      connections: 26,
      "too many users": 27,
    },
    latency: { bounds: [0.001, 0.002], counts: [1, 2, 4], sum: 0.5 },
    connections: 28,
    inFlight: 29,
  },
};

const SAMPLES = `\
xsocket_build_info{version="1.2.3",bun="4.5.6"} 1
xsocket_requests_total{outcome="granted"} 12
xsocket_requests_total{outcome="refused"} 31
xsocket_requests_total{outcome="failed"} 14
xsocket_sockets_total{family="AF_INET",type="SOCK_STREAM"} 22
xsocket_refusals_total{reason="no rule"} 23
xsocket_refusals_total{reason="rule"} 24
xsocket_refusals_total{reason="sockets per minute"} 25
xsocket_refusals_total{reason="connections"} 26
xsocket_refusals_total{reason="too many users"} 27
xsocket_refusals_total{reason="sockets in flight"} 18
xsocket_refusals_total{reason="connection bound"} 17
xsocket_unstamped_total 20
xsocket_request_duration_seconds_bucket{le="0.001"} 1
xsocket_request_duration_seconds_bucket{le="0.002"} 3
xsocket_request_duration_seconds_bucket{le="+Inf"} 7
xsocket_request_duration_seconds_sum 0.5
xsocket_request_duration_seconds_count 7
xsocket_connections 28
xsocket_connections_total 10
xsocket_connections_closed_total{reason="malformed"} 15
xsocket_connections_closed_total{reason="evicted"} 16
xsocket_connections_closed_total{reason="timeout"} 19
xsocket_sockets_in_flight 29
xsocket_reachable 1
xsocket_threads 3
xsocket_threads_replaced_total 21
xsocket_policy_rules 4
process_open_fds 5
process_max_fds 6
process_resident_memory_bytes 7
process_start_time_seconds 8
`;

test("each number has its own name", () => {
  const lines = metricsText(STATUS, 7, 8).split("\n");
  expect(lines.filter((line) => !line.startsWith("#")).join("\n")).toBe(SAMPLES);
});
