import type { ArgsDef } from "citty";
import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import {
  type Bounds,
  DEFAULT_BOUNDS,
  DEFAULT_LOG_LEVEL,
  DEFAULT_MODE,
  DEFAULT_THREADS,
  LOG_LEVELS,
  type LogLevel,
} from "@xsocket/server";
import { flag, type Given, once, option } from "./command.ts";

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of that record
const LEVELS = Object.keys(LOG_LEVELS) as LogLevel[];

/* An option that sets a bound of the server. `cut` says what may lower its default. */
function bound(name: keyof Bounds, description: string, cut = "") {
  const text = `${description} (default: ${DEFAULT_BOUNDS[name]}${cut})`;
  return { ...option("NUMBER", text), bound: name };
}

/** What `xsocket serve` takes. */
export const SERVE_ARGS = {
  address: {
    type: "positional",
    default: DEFAULT_ADDRESS,
    valueHint: "PATH|@NAME",
    description: "The control socket",
  },
  mode: option(
    "MODE",
    `Permission bits of the socket file, octal (default: 0${DEFAULT_MODE.toString(8)})`,
  ),
  group: option("GROUP", "Group of the socket file, by name or number"),
  "shared-directory": flag("Serve in a sticky directory that others may write to, such as /tmp"),
  "refuse-descriptors": flag("Refuse requests with descriptors attached: EPERM (since Linux 6.16)"),
  user: option("USER", "Become this user once the socket is made, keeping only CAP_CHOWN"),
  policy: once("FILE", "Rules about who may ask for what; SIGHUP reads them again"),
  "allow-user": once("USER", "Serve only these users: names or ids, separated by commas"),
  "allow-group": once("GROUP", "Serve only these groups: names or ids, separated by commas"),
  "sockets-per-minute": option("NUMBER", "Sockets that each user may get in a minute"),
  audit: option("FILE", "Write a JSON line for each request for a socket; SIGHUP reopens the file"),
  metrics: option(
    "ADDRESS|PATH",
    "Serve metrics for Prometheus: 127.0.0.1:9101 (or 9101 alone), [::1]:9101, or a path",
  ),
  "metrics-remote": flag("Allow metrics on an address that others can reach"),
  "log-format": {
    type: "enum",
    options: ["pretty", "json", "journal"],
    description: "Format of the log (default: what suits stderr)",
  },
  "log-level": {
    type: "enum",
    options: LEVELS,
    description: `Lowest level that is logged (default: ${DEFAULT_LOG_LEVEL})`,
  },
  threads: option(
    "NUMBER",
    `Largest number of serving threads, started when needed; each takes 4 to 20 MB of memory, 30 with --audit (default: ${DEFAULT_THREADS})`,
  ),
  "max-connections": bound("maxConnections", "Connections at once"),
  "max-connections-per-user": bound(
    "maxConnectionsPerUid",
    "Connections at once for each user",
    ", but at most 3/4 of all",
  ),
  "max-in-flight": bound("maxInFlight", "Sockets sent and not yet received"),
  "max-in-flight-per-user": bound(
    "maxInFlightPerUid",
    "Sockets sent and not yet received, for each user",
    ", but at most 3/4 of all",
  ),
  "first-request-ms": bound("firstRequestMs", "Time for the first request, in milliseconds"),
  "take-reply-ms": bound("takeReplyMs", "Time to receive a reply, in milliseconds"),
  backlog: bound("backlog", "Connections waiting to be accepted, net.core.somaxconn at most"),
} as const satisfies ArgsDef;

/** What it was given. */
export type ServeArgs = Partial<Given<typeof SERVE_ARGS>>;
