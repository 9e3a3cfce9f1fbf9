import {
  counted,
  escapeText,
  inFormerNamespace,
  type Latency,
  outOfReach,
  type ServerStatus,
} from "@xsocket/server";
import { table } from "./table.ts";

/* Within which time a part of the requests was answered. The histogram only tells the upper end of a bucket. */
function answeredIn({ counts, bounds }: Latency, words: string, part: number): string {
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  const bound = bounds.find((_, index) => (seen += counts[index] ?? 0) >= total * part);
  const us = Math.round((bound ?? bounds.at(-1) ?? 0) * 1e6);
  return `${bound === undefined ? "fewer than " : ""}${words} within ${us} µs`;
}

function answeredLine({ stats: { latency } }: ServerStatus): string {
  if (latency.counts.every((count) => count === 0)) return "-";
  return `${answeredIn(latency, "half", 0.5)}, ${answeredIn(latency, "99 of 100", 0.99)}`;
}

function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const units = ["d", "h", "min", "s"];
  const first = parts.findIndex((part) => part > 0);
  if (first < 0) return "0 s";
  return [first, first + 1]
    .filter((index) => index < parts.length)
    .map((index) => `${parts[index]} ${units[index]}`)
    .join(" ");
}

function requestLine({ stats }: ServerStatus): string {
  const { requests, granted, denied, refusedInFlight, failed } = stats;
  return `${requests}: ${granted} granted, ${denied + refusedInFlight} refused, ${failed} failed`;
}

function socketLine({ stats }: ServerStatus): string {
  const kinds = stats.sockets.filter(({ count }) => count > 0);
  return kinds.map(({ family, type, count }) => `${count} ${family} ${type}`).join(", ") || "none";
}

function refusalLine({ stats }: ServerStatus): string {
  const reasons = { ...stats.refusals, "sockets in flight": stats.refusedInFlight };
  const found = Object.entries(reasons).filter(([, count]) => count > 0);
  return found.map(([reason, count]) => `${count} ${reason}`).join(", ") || "none";
}

function rate(status: ServerStatus, before: ServerStatus): string {
  const seconds = status.uptimeSeconds - before.uptimeSeconds;
  const count = status.stats.requests - before.stats.requests;
  return seconds > 0 ? `${Math.round(count / seconds)} requests/s` : "-";
}

function warnings(status: ServerStatus): string[] {
  const { unreachable, address, formerNamespace: name, policy } = status;
  const found: string[] = [];
  if (unreachable) found.push(outOfReach(address));
  if (name !== undefined) found.push(inFormerNamespace(name));
  if (policy.outdated)
    found.push(
      `its rules are still the old ones, since a reload could not read ${policy.source}: its log says why`,
    );
  return found;
}

function rows(status: ServerStatus, before: ServerStatus | undefined): string[][] {
  const { stats, bounds, descriptors, policy } = status;
  return [
    [
      "server",
      `${status.address}, process ${status.pid}, version ${status.version}, Bun ${status.bun}`,
    ],
    ...warnings(status).map((text) => ["warning", text]),
    ["running for", duration(status.uptimeSeconds)],
    [
      "threads",
      `${status.threads}${stats.threadsReplaced > 0 ? `, ${stats.threadsReplaced} replaced` : ""}`,
    ],
    ["policy", `${policy.source}, ${counted(policy.rules, "rule")}`],
    ...(before ? [["rate", rate(status, before)]] : []),
    ["requests", requestLine(status)],
    ["sockets", socketLine(status)],
    ["refusals", refusalLine(status)],
    ["answered", answeredLine(status)],
    ["connections", `${stats.connections} of ${bounds.maxConnections}, ${stats.accepted} so far`],
    [
      "closed",
      `${stats.malformed} malformed, ${stats.timedOut} too slow, ${stats.evicted} to make room, ${stats.refusedConnections} refused at once`,
    ],
    ["in flight", `${stats.inFlight} of ${bounds.maxInFlight}`],
    ["descriptors", `${descriptors.open} of ${descriptors.limit}`],
    ...(stats.unstamped > 0
      ? [["unstamped", `${counted(stats.unstamped, "socket")} with the server's ids`]]
      : []),
  ];
}

/** Writes a status for a person. With an earlier one, also the rate since then. */
export function statusText(status: ServerStatus, before?: ServerStatus): string {
  return table(rows(status, before).map((row) => row.map(escapeText)));
}
