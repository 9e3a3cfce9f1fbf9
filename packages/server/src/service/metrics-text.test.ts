import { expect, test } from "bun:test";
import { DEFAULT_BOUNDS } from "../bounds.ts";
import type { ServerStatus } from "../status.ts";
import { metricsText } from "./metrics-text.ts";

/* All numbers differ, so that no two can be confused. */
const STATUS: ServerStatus = {
  version: "1.2.3",
  bun: "4.5.6",
  pid: 1,
  address: "/run/x",
  unreachable: false,
  uptimeSeconds: 2,
  threads: 3,
  policy: { source: "built in", rules: 4, outdated: false },
  descriptors: { open: 5, limit: 6 },
  bounds: DEFAULT_BOUNDS,
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
# TYPE xsocket_build_info gauge
xsocket_build_info{version="1.2.3",bun="4.5.6"} 1
# TYPE xsocket_requests_total counter
xsocket_requests_total{outcome="granted"} 12
xsocket_requests_total{outcome="refused"} 31
xsocket_requests_total{outcome="failed"} 14
# TYPE xsocket_sockets_total counter
xsocket_sockets_total{family="AF_INET",type="SOCK_STREAM"} 22
# TYPE xsocket_refusals_total counter
xsocket_refusals_total{reason="no rule"} 23
xsocket_refusals_total{reason="rule"} 24
xsocket_refusals_total{reason="sockets per minute"} 25
xsocket_refusals_total{reason="connections"} 26
xsocket_refusals_total{reason="too many users"} 27
xsocket_refusals_total{reason="sockets in flight"} 18
xsocket_refusals_total{reason="connection bound"} 17
# TYPE xsocket_unstamped_total counter
xsocket_unstamped_total 20
# TYPE xsocket_request_duration_seconds histogram
xsocket_request_duration_seconds_bucket{le="0.001"} 1
xsocket_request_duration_seconds_bucket{le="0.002"} 3
xsocket_request_duration_seconds_bucket{le="+Inf"} 7
xsocket_request_duration_seconds_sum 0.5
xsocket_request_duration_seconds_count 7
# TYPE xsocket_connections gauge
xsocket_connections 28
# TYPE xsocket_connections_total counter
xsocket_connections_total 10
# TYPE xsocket_connections_closed_total counter
xsocket_connections_closed_total{reason="malformed"} 15
xsocket_connections_closed_total{reason="evicted"} 16
xsocket_connections_closed_total{reason="timeout"} 19
# TYPE xsocket_sockets_in_flight gauge
xsocket_sockets_in_flight 29
# TYPE xsocket_reachable gauge
xsocket_reachable 1
# TYPE xsocket_threads gauge
xsocket_threads 3
# TYPE xsocket_threads_replaced_total counter
xsocket_threads_replaced_total 21
# TYPE xsocket_policy_rules gauge
xsocket_policy_rules 4
# TYPE xsocket_policy_current gauge
xsocket_policy_current 1
# TYPE process_open_fds gauge
process_open_fds 5
# TYPE process_max_fds gauge
process_max_fds 6
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 7
# TYPE process_start_time_seconds gauge
process_start_time_seconds 8
`;

test("each metric has a name, a type and a help text", () => {
  const text = metricsText(STATUS, 7, 8);
  expect(text.replaceAll(/^# HELP .*\n/gm, "")).toBe(SAMPLES);
  expect(text.match(/^# HELP (\w+) \S.*\n# TYPE \1 /gm)?.length).toBe(
    SAMPLES.split("# ").length - 1,
  );
});
