/* The text of docs/performance.md. */
import type { Benches, Load, Machine, SdkRow, XbindRow } from "./benches.ts";
import { type Goal, goalsOf } from "./goals.ts";

type Cells = readonly string[];

function table(head: Cells, rows: readonly Cells[]): string {
  const line = (cells: Cells) => `| ${cells.join(" | ")} |`;
  return [head, head.map((_, i) => (i === 0 ? "---" : "--:")), ...rows].map(line).join("\n");
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function goalTable(goals: readonly Goal[]): string {
  return table(
    ["what", "goal", "measured", "figure / goal", "verdict"],
    goals.map(({ what, goal, measured, ratio, met, byLoad }) => [
      what,
      goal,
      measured,
      goal === "none" ? "" : ratio.toFixed(3),
      (met ? "met" : "**missed**") + (byLoad ? " (load)" : ""),
    ]),
  );
}

function loadTable(rows: readonly Load[], mode: Load["mode"]): string {
  return table(
    [
      "callers",
      "server",
      "requests/s",
      "p50 µs",
      "p99 µs",
      "p99.9 µs",
      "CPU µs",
      "/ floor",
      "/ fork",
    ],
    rows
      .filter((row) => row.mode === mode)
      .map(({ callers, server, figures: { perSecond, p50, p99, p999, cpu }, against }) => [
        String(callers),
        server,
        count(perSecond),
        p50.toFixed(1),
        p99.toFixed(1),
        p999.toFixed(1),
        cpu.toFixed(1),
        against["floor"]?.toFixed(2) ?? "",
        against["fork"]?.toFixed(2) ?? "",
      ]),
  );
}

function residentTable({ server }: Benches): string {
  return table(
    ["server", "ready after ms", "resident MB"],
    server.resident.map((row) => [row.server, row.readyMs.toFixed(0), row.residentMb.toFixed(1)]),
  );
}

/* The numbers of threads are of that one run. */
function wakeUps({ server }: Benches): string {
  const all = Object.entries(server.idle.wakeUps);
  if (all.length === 0) return "Idle for ten seconds, no thread of the process was woken.";
  const names = all.map(([thread, times]) => `${thread.replace(/\/\d+$/, "")} (${times})`);
  return `Idle for ten seconds, the process had wake-ups in these threads: ${names.join(", ")}.
Those of \`bun\` and \`xsocket\` are counted as ours, whatever caused them; the others are Bun's own,
whose timers the command switches off (\`BUN_GC_TIMER_DISABLE=1\`, \`MIMALLOC_PURGE_DELAY=0\`).`;
}

function xbindTable(rows: readonly XbindRow[]): string {
  return table(
    ["what", "without ns", "with ns", "more ns", "with / without"],
    rows.map((row) => [
      row.what,
      count(row.without_ns),
      count(row.with_ns),
      count(row.more_ns),
      row.ratio.toFixed(2),
    ]),
  );
}

function sdkTable(rows: readonly SdkRow[]): string {
  return table(
    ["what", "per second", "p50 µs", "ratio"],
    rows.map(({ what, perSecond, p50, ratio, of }) => [
      what,
      count(perSecond),
      p50?.toFixed(0) ?? "",
      ratio === undefined ? "" : `${ratio.toFixed(2)} of ${of}`,
    ]),
  );
}

function summary(goals: readonly Goal[]): string {
  const met = goals.filter((goal) => goal.met).length;
  return met === goals.length ? `All ${met} are met.` : `${met} of ${goals.length} are met.`;
}

function when(date: Date): string {
  return date.toISOString().slice(0, 16).replace("T", " ");
}

/** The whole page, which states missed goals as plainly as met ones. */
export function page(benches: Benches, machine: Machine): string {
  const { server, xbind, sdk, dates } = benches;
  const goals = goalsOf(benches);
  return `# Performance

\`./dev performance\` makes this page from the last \`./dev bench server\`, \`./dev bench xbind\` and \`./dev bench sdk\`:
one run of each; no figure is picked from several runs.

The machine: ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Bun ${machine.bun}. **It is virtual, shared and noisy, and the
load generator runs on the same cores.** Times and rates differ between runs by a factor of two or more. Ratios within a run vary by
20 % or more, though what is compared takes turns in short rounds. So look at the ratios, and run the benches on your own machine.

## Goals

A verdict marked "(load)" depends on what else the machine did, and may be different in another run. The others (memory,
wake-ups, the best of many rounds) are steady. "Figure / goal" should be at most 1 for "at most", at least 1 for "at least".

### Server

${summary(goals.server)} Unless stated otherwise, our server runs with its defaults: one serving thread, and up to three more for kept-open connections.

${goalTable(goals.server)}

### Preload library

${summary(goals.xbind)}

${goalTable(goals.xbind)}

### Client SDK

${summary(goals.sdk)}

${goalTable(goals.sdk)}

## Server, ${when(dates.server)} UTC

The floor is a minimal, blocking server in C with one thread: accept4, recv, socket, sendmsg, close, close. It serves one
connection at a time, so it is missing from the table of kept-open connections. Fork is a server in C that forks for each
connection. CPU is the server's time for each request. The last two columns compare the rates with the other servers': the
median of the rounds' ratios, which is not the ratio of the medians. Before the rounds each server serves for some seconds: our
threads reach their full rate when Bun has compiled their loops, four threads with kept-open connections after some five seconds.

A connection for each call:

${loadTable(server.rows, "call")}

Kept-open connections, one for each caller:

${loadTable(server.rows, "kept")}

![Requests per second by server and number of callers](performance-rate.svg)

![Percentiles of the time of a request](performance-time.svg)

The time from exec to ready, when a client has its first socket, is the median of five starts.
Resident memory is measured after the load above. After its first request a server with one thread had ${server.idle.residentMb.toFixed(1)} MB:
when it begins to serve, it releases the pages of Bun's code and constants that were needed for starting; those that are used again come back.

${residentTable(benches)}

${wakeUps(benches)}

A request on a new connection took ${server.idle.withoutUs.toFixed(1)} µs with no other connection open and both programs on one processor, and
${server.idle.withUs.toFixed(1)} µs beside ${count(server.idle.connections)} idle ones, each of which took ${server.idle.residentBytesEach.toFixed(0)} bytes of resident memory in the server.

## Preload library, ${when(dates.xbind)} UTC

The best of 41 rounds each, in nanoseconds. "Without" is libc's own function, called directly in the same process;
where the line says so, it is xsocket() and bind instead, or the same in a process with 10 descriptors. "With" is the same
call under the library, but in the line of getsockopt 127 calls of that. If an option is set to what may be its default, the
library also reads it. Most of what a bind to a listed port costs beyond xsocket() and bind is reading
every option of the socket: the line of getsockopt shows how much.

${xbindTable(xbind)}

![Time of a call without and with the library](performance-xbind.svg)

## Client SDK, ${when(dates.sdk)} UTC

Sockets from the C library's xsocket() in a loop, and from the functions of the SDK; below them an HTTP server of Bun.serve in the
namespace itself, and of serve() from outside.

${sdkTable(sdk.rows)}

![Sockets and answers per second](performance-sdk.svg)
`;
}
