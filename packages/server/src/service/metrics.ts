import { lstatSync, unlinkSync } from "node:fs";
import { isIP } from "node:net";
import { loadSyscalls } from "@xsocket/xbind-native";
import { removeStale } from "../_claim.ts";
import { ServeError } from "../error.ts";
import type { Server } from "../server.ts";
import { metricsText } from "./metrics-text.ts";

/** Where the metrics are served: a UNIX socket, or an address and port of the server's own network. */
export type MetricsAddress =
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

const IDLE_S = 10; // how long a silent connection is kept
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

function misuse(message: string): never {
  throw new ServeError("MISUSE", message);
}

function isLoopback(host: string): boolean {
  return host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/**
 * Reads where to serve metrics: a path, `127.0.0.1:9100`, `[::1]:9100`, or a port alone for 127.0.0.1.
 *
 * @param remote whether an address that others can reach is meant
 * @throws {ServeError} MISUSE
 */
export function parseMetricsAddress(text: string, remote: boolean): MetricsAddress {
  if (text.startsWith("/")) return { kind: "path", path: text };
  const found = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (!found || port > 65_535)
    misuse(`"${text}" is no place for metrics: give a path, 127.0.0.1:9100 or [::1]:9100`);
  const host = found[1] ?? found[2] ?? "127.0.0.1";
  if (isIP(host) === 0) misuse(`"${host}" is no address for metrics: give its number`);
  if (!isLoopback(host) && !remote)
    misuse(`${host} can be reached from outside: add --metrics-remote if that is meant`);
  return { kind: "tcp", host, port };
}

function inodeOf(path: string): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

/** Answers for one server, with what it has counted until then. */
function answer(server: Server, request: Request): Response {
  const { pathname } = new URL(request.url);
  if (pathname !== "/metrics")
    return new Response("xsocket: see /metrics\n", { status: pathname === "/" ? 200 : 404 });
  if (request.method !== "GET" && request.method !== "HEAD")
    return new Response("only GET\n", { status: 405 });
  const status = server.status();
  const start = Date.now() / 1000 - status.uptimeSeconds;
  return new Response(metricsText(status, process.memoryUsage.rss(), start), {
    headers: { "content-type": CONTENT_TYPE },
  });
}

function listen(address: MetricsAddress, fetch: (request: Request) => Response) {
  if (address.kind === "tcp")
    return Bun.serve({ hostname: address.host, port: address.port, idleTimeout: IDLE_S, fetch });
  removeStale(loadSyscalls(), address.path);
  const umask = process.umask(0o117);
  try {
    return Bun.serve({ unix: address.path, fetch });
  } finally {
    process.umask(umask);
  }
}

/** Metrics that are being served. Disposing of it ends that. */
export interface Metrics extends Disposable {
  /** The port, of a TCP address: the one that was chosen for 0. */
  readonly port: number | undefined;
}

/**
 * Serves the numbers of a server to Prometheus over HTTP, on the main thread.
 *
 * @throws {ServeError} if the address cannot be used: IN_USE, NOT_A_SOCKET, PERMISSION, SYSTEM
 */
export function serveMetrics(server: Server, address: MetricsAddress): Metrics {
  try {
    const http = listen(address, (request) => answer(server, request));
    const made = address.kind === "path" ? inodeOf(address.path) : undefined;
    return {
      port: http.port,
      [Symbol.dispose]() {
        void http.stop(true);
        if (address.kind === "path" && inodeOf(address.path) === made && made !== undefined)
          unlinkSync(address.path);
      },
    };
  } catch (error) {
    if (error instanceof ServeError) throw error;
    const place = address.kind === "path" ? address.path : `${address.host}:${address.port}`;
    const words = error instanceof Error ? error.message : String(error);
    throw new ServeError(
      "SYSTEM",
      `cannot serve metrics at ${place}: ${words}. Choose another place`,
      { cause: error },
    );
  }
}
