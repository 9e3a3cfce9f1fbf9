import { dirname } from "node:path";
import { SOCK_STREAM } from "@xsocket/protocol";
import {
  codeOf,
  EPOLL_CTL_MOD,
  EPOLLET,
  epollFds,
  loadSyscalls,
  registrations,
  tried,
} from "@xsocket/xbind-native";
import { misuse, systemError, watchError } from "../_failure.ts";
import { claimPath } from "../control/claim.ts";
import { expectDirectory, underLock } from "../control/directory.ts";
import { readAddress, warnOfStrangers } from "../control/listen.ts";
import { removeOwn, type SocketFile } from "../control/socket-file.ts";
import { ServeError } from "../error.ts";
import { type Log, say } from "../log.ts";
import type { Server } from "../server.ts";
import { type Page, pageHandlers } from "./http.ts";
import { metricsText } from "./metrics-text.ts";

/** Where the metrics are served: a UNIX socket, or an address and port of the server's own network. */
export type MetricsAddress =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

const MODE = 0o660; // of a path
const BACKLOG = 16;
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

function isLoopback(host: string): boolean {
  return host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/**
 * Reads where to serve metrics: a path, `127.0.0.1:9101`, `[::1]:9101`, or a port alone for 127.0.0.1.
 *
 * @param remote whether an address that others can reach is meant
 * @throws {ServeError} MISUSE
 */
export function parseMetricsAddress(text: string, remote: boolean): MetricsAddress {
  if (text.startsWith("/")) return { kind: "path", path: text };
  const found = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (!found || port > 65_535)
    misuse(
      `"${text}" is neither an address nor a path for metrics: give 127.0.0.1:9101 or [::1]:9101 alone, or a path that begins with / or ./`,
    );
  const host = found[1] ?? found[2] ?? "127.0.0.1";
  const { isIP } = process.getBuiltinModule("node:net"); // loading it takes some milliseconds, and nothing else here needs it
  if (isIP(host) === 0)
    misuse(`"${host}" is not an IP address: give one for metrics, such as 127.0.0.1`);
  if (port === 0)
    misuse("port 0 means any free port, which nobody would know: name one for metrics");
  if (!isLoopback(host) && !remote)
    misuse(`${host} can be reached from outside: add --metrics-remote if that is meant`);
  return { kind: "tcp", host, port };
}

/** Answers for one server, with what it has counted until then. */
function answer(server: Server, startTime: number, method: string, path: string): Page {
  if (path !== "/metrics")
    return { status: path === "/" ? 200 : 404, text: "xsocket: see /metrics\n" };
  if (method !== "GET" && method !== "HEAD") return { status: 405, text: "only GET\n" };
  const status = server.status();
  const resident = tried(() => process.memoryUsage.rss()) ?? 0; // without /proc, the only source
  const text = metricsText(status, resident, startTime);
  return { status: 200, text, type: CONTENT_TYPE };
}

type Handlers = ReturnType<typeof pageHandlers>;

interface Listening {
  readonly port?: number;
  /** The file, if there is one, to be removed at the end. */
  readonly file?: SocketFile;
  stop(closeActiveConnections: boolean): void;
}

/*
 * Makes Bun's wait for connections edge-triggered. It is level-triggered: while no descriptor is left to
 * accept one, Bun would try again and again at once. By edge it tries when the next one comes, and each try
 * accepts all that wait. None of this is documented; if the registration is not found, nothing is changed.
 */
function tryOnce(listener: object): void {
  const sys = loadSyscalls();
  const listenFd: unknown = Reflect.get(listener, "fd"); // Bun's types have none
  for (const { epollFd, fd, events, data } of epollFds().flatMap(registrations))
    if (fd === listenFd) sys.epollCtl(epollFd, EPOLL_CTL_MOD, fd, (events | EPOLLET) >>> 0, data);
}

/* A listener that Bun makes at a path would, at its end, remove whatever lies there by then. */
async function listenAtPath(path: string, socket: Handlers): Promise<Listening> {
  readAddress(path); // throws if it is too long
  expectDirectory(path);
  const sys = loadSyscalls();
  const claim = () => claimPath(sys, path, { mode: MODE, backlog: BACKLOG }, SOCK_STREAM);
  // the lock is not required: whoever may read the directory can hold it, and must not prevent a start
  const { listenFd: fd, file } = await underLock(sys, path, claim);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Bun's types have no fd here
  const adopt = Bun.listen as unknown as (options: object) => Listening;
  try {
    const listener = adopt({ fd, socket });
    tryOnce(listener);
    return { file, stop: (all) => listener.stop(all) };
  } catch (error) {
    sys.close(fd); // Bun leaves to us what it does not take
    removeOwn(file);
    throw error;
  }
}

async function listen(address: MetricsAddress, socket: Handlers): Promise<Listening> {
  if (address.kind === "path") return listenAtPath(address.path, socket);
  const listener = Bun.listen({ hostname: address.host, port: address.port, socket });
  tryOnce(listener);
  return listener;
}

/* Removes the file. If it has to stay, the next start replaces it. */
function remove(file: SocketFile, log: Log | undefined): void {
  try {
    removeOwn(file);
  } catch (error) {
    const message = `the socket file of the metrics, ${file.path}, could not be removed: ${codeOf(error)}`;
    say(log, "warning", "release", message);
  }
}

/** Metrics that are being served. Disposing of it ends that. */
export interface Metrics extends Disposable {
  /** The port, of a TCP address: the one that was chosen for 0. */
  readonly port: number | undefined;
}

/* As it is given to the option. */
function placeOf(address: MetricsAddress): string {
  if (address.kind === "path") return address.path;
  const { host, port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Serves the numbers of a server to Prometheus over HTTP, on the main thread.
 *
 * @param log is told who else may replace the file of a path, and at the end if it has to stay
 * @throws {ServeError} if the address cannot be used: ADDRESS, IN_USE, NOT_A_SOCKET, PERMISSION, SYSTEM
 */
export async function serveMetrics(
  server: Server,
  address: MetricsAddress,
  log?: Log,
): Promise<Metrics> {
  try {
    // once: after the clock is set, a new value would look like a restart
    const startTime = Date.now() / 1000 - server.status().uptimeSeconds;
    const handlers = pageHandlers((method, path) => answer(server, startTime, method, path));
    const listener = await listen(address, handlers);
    const directory = listener.file && dirname(listener.file.path);
    // the control socket's directory was looked at when that was made
    if (directory !== undefined && directory !== dirname(server.address))
      warnOfStrangers(log, directory);
    return {
      port: listener.port,
      [Symbol.dispose]() {
        if (listener.file) remove(listener.file, log); // first: while this still listens, no other server has replaced it
        listener.stop(true);
      },
    };
  } catch (error) {
    if (error instanceof ServeError) throw error;
    const what = `serve metrics at ${placeOf(address)}`;
    if (codeOf(error) === "ENOSPC") throw watchError(what, error); // Bun.listen() waits by epoll at once
    throw systemError(what, error, "Choose another place");
  }
}
