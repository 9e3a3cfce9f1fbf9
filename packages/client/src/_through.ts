import { inspect } from "node:util";
import { DEFAULT_ADDRESS } from "@xsocket/protocol";
import { SyscallError } from "@xsocket/xbind-native";
import { LIMIT_KEYS, type Limits } from "./_deadline.ts";
import { misuse } from "./_kind.ts";
import type { Naming } from "./_resolve.ts";
import { failed, XSocketError, type XSocketStep } from "./error.ts";
import { Session } from "./session.ts";

/** What connect, listen, serve and udp take beside Bun's own options. */
export interface Through extends Limits, Naming {
  /** The server's control socket, `/run/xsocket/default` by default, or a session with it. */
  readonly via?: string | Session | undefined;
}

/** The keys of {@link Through}. */
export const THROUGH_KEYS = ["via", ...LIMIT_KEYS, "lookup", "nameservers"] as const;

/** The control socket's path, for errors and for the synchronous forms. */
export function pathOf(via: string | Session = DEFAULT_ADDRESS): string {
  return via instanceof Session ? via.via : via;
}

const OURS = [...THROUGH_KEYS, "host", "hostname"] as const;

/** What is left for Bun: the options without ours and without those that were applied already. */
export function forBun<Options extends object, Applied extends keyof Options = never>(
  options: Options,
  ...applied: Applied[]
): Omit<Options, (typeof OURS)[number] | Applied> {
  const rest = { ...options };
  for (const name of [...OURS, ...applied]) Reflect.deleteProperty(rest, name);
  return rest;
}

/** Refuses options that name another way to get a socket, which would win silently over `via`. */
export function refuseKeys(asked: string, options: object, refused: Record<string, string>): void {
  for (const [name, remedy] of Object.entries(refused)) {
    const value: unknown = Reflect.get(options, name);
    if (value !== undefined && value !== false)
      throw misuse(asked, `${name} does not go with via`, remedy, "ENOTSUP");
  }
}

/** Checks that there are handlers, before anything is opened for them; Bun checks what they are. */
export function checkHandlers(asked: string, socket: unknown): void {
  if (typeof socket !== "object" || socket === null)
    throw misuse(
      asked,
      `socket is ${inspect(socket)}`,
      "Give the handlers: socket: { data() {} }.",
    );
}

/** The host's name or address under either name; undefined if there is none. */
export function hostOf(
  asked: string,
  options: { readonly hostname?: unknown; readonly host?: unknown },
): string | undefined {
  const host = options.hostname ?? options.host ?? undefined;
  if (host === undefined || typeof host === "string") return host;
  throw misuse(
    asked,
    `hostname is ${inspect(host)}`,
    "Give a host name or an IP address, as text.",
  );
}

/* The longest that listen(2) can be asked for; the kernel caps it at somaxconn. */
const BACKLOG_MAX = 2 ** 31 - 1;

/** Checks the length of the queue of a listener. */
export function checkBacklog(asked: string, backlog: number): number {
  if (Number.isInteger(backlog) && backlog >= 0 && backlog <= BACKLOG_MAX) return backlog;
  const remedy = `Give a whole number from 0 to ${BACKLOG_MAX}.`;
  throw misuse(asked, `backlog is ${inspect(backlog)}`, remedy);
}

/** Checks a port number. Bun takes strings for it in places, and so does this. */
export function checkPort(asked: string, port: unknown): number {
  const number = typeof port === "string" && port.trim() !== "" ? Number(port) : port;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 65_535)
    return number;
  throw misuse(asked, `port is ${inspect(port)}`, "Give a port from 0 to 65535.");
}

const STEPS: Record<string, XSocketStep> = { bind: "bind", listen: "listen", connect: "connect" };

/** As {@link failed}, with the step that the failed call belongs to. */
export function failedCall(error: unknown, server: string, asked: string): unknown {
  const step = error instanceof SyscallError ? STEPS[error.call] : undefined;
  return failed(error, step ?? "adopt", server, asked);
}

/** Whether a policy refuses the socket that was asked for: one of the other IP version may be allowed. */
export function isDenied(error: unknown): boolean {
  return error instanceof XSocketError && error.step === "ask" && error.code === "EPERM";
}
