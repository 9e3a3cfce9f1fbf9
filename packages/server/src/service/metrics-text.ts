import type { ServerStats } from "../stats.ts";
import type { ServerStatus } from "../status.ts";

/*
 * The text format of Prometheus, written by hand: it is these few lines, and a client library would
 * bring a registry of its own for numbers that are counted elsewhere.
 */

/* Their values are all ours, and have nothing in them that would have to be escaped. */
type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function metric(type: string, name: string, help: string, lines: readonly string[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function linesOf(name: string, found: number | readonly Sample[]): string[] {
  const samples = typeof found === "number" ? [[{}, found] as const] : found;
  return samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`);
}

function counter(name: string, help: string, found: number | readonly Sample[]): string {
  return metric("counter", name, help, linesOf(name, found));
}

function gauge(name: string, help: string, found: number | readonly Sample[]): string {
  return metric("gauge", name, help, linesOf(name, found));
}

function histogram({ latency }: ServerStats): string {
  const name = "xsocket_request_duration_seconds";
  const help = "Time from reading a request to having sent its answer.";
  let total = 0;
  const buckets = latency.counts.map((count, index) => {
    total += count;
    return `${name}_bucket{le="${latency.bounds[index] ?? "+Inf"}"} ${total}\n`;
  });
  const sums = [`${name}_sum ${latency.sum}\n`, `${name}_count ${total}\n`];
  return metric("histogram", name, help, [...buckets, ...sums]);
}

function requests(stats: ServerStats): string {
  const refused = Object.entries(stats.refusals).map(([reason, count]): Sample => [
    { reason },
    count,
  ]);
  const sockets = stats.sockets.map(({ family, type, count }): Sample => [{ family, type }, count]);
  return [
    counter("xsocket_requests_total", "Requests by outcome.", [
      [{ outcome: "granted" }, stats.granted],
      [{ outcome: "refused" }, stats.denied + stats.refusedInFlight],
      [{ outcome: "failed" }, stats.failed],
    ]),
    counter("xsocket_sockets_total", "Sockets handed over.", sockets),
    counter("xsocket_refusals_total", "Refusals by reason.", [
      ...refused,
      [{ reason: "sockets in flight" }, stats.refusedInFlight],
      [{ reason: "connection bound" }, stats.refusedConnections],
    ]),
    counter("xsocket_unstamped_total", "Sockets that kept the server's ids.", stats.unstamped),
    histogram(stats),
  ].join("");
}

function connections(stats: ServerStats): string {
  return [
    gauge("xsocket_connections", "Connections now.", stats.connections),
    counter("xsocket_connections_total", "Connections accepted.", stats.accepted),
    counter("xsocket_connections_closed_total", "Connections closed by the server.", [
      [{ reason: "malformed" }, stats.malformed],
      [{ reason: "evicted" }, stats.evicted],
      [{ reason: "timeout" }, stats.timedOut],
    ]),
    gauge("xsocket_sockets_in_flight", "Sockets sent and not received.", stats.inFlight),
  ].join("");
}

/** Writes a server's status in the text format of Prometheus. */
export function metricsText(status: ServerStatus, memoryBytes: number, startTime: number): string {
  const { version, bun, threads, descriptors, stats } = status;
  return [
    gauge("xsocket_build_info", "Versions, as labels.", [[{ version, bun }, 1]]),
    requests(stats),
    connections(stats),
    gauge(
      "xsocket_reachable",
      "1 while new clients find the server at its address.",
      Number(!status.unreachable),
    ),
    gauge("xsocket_threads", "Serving threads.", threads),
    counter("xsocket_threads_replaced_total", "Serving threads that died.", stats.threadsReplaced),
    gauge("xsocket_policy_rules", "Rules in force.", status.policy.rules),
    gauge(
      "xsocket_policy_current",
      "0 while the policy could not be read at the last reload.",
      Number(!status.policy.outdated),
    ),
    gauge("process_open_fds", "Open descriptors.", descriptors.open),
    gauge("process_max_fds", "Descriptors allowed.", descriptors.limit),
    gauge("process_resident_memory_bytes", "Resident memory.", memoryBytes),
    gauge("process_start_time_seconds", "Start, since the epoch.", startTime),
  ].join("");
}
