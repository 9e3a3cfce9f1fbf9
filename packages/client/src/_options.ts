/*
 * Checks of options. A JavaScript program may give a value of any type, and without these checks Bun would
 * silently use a default instead, or the FFI would wrap a number.
 */
import { inspect } from "node:util";
import { shown } from "@xsocket/xbind-native";
import { XSocketError } from "./error.ts";

/** Makes the error for an argument that cannot be right. */
export function misuse(
  asked: string,
  found: string,
  remedy: string,
  code = "EINVAL",
): XSocketError {
  return new XSocketError({ code, step: "options", asked, found, remedy });
}

/** Makes the error for an option whose value is not allowed. */
export function wrongValue(
  asked: string,
  name: string,
  value: unknown,
  remedy: string,
): XSocketError {
  return misuse(asked, `${name} is ${shown(value)}`, remedy);
}

/**
 * All that an object has, from its class and its prototype as well, as properties of one object: a copy by "..."
 * silently lacks those, and Bun reads them. Of what is no object it is nothing.
 */
export function allOf<Options>(options: Options): NonNullable<Options> {
  const all = {};
  const given: unknown = options;
  if (typeof given === "object" && given !== null)
    for (let at = given; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
      for (const name of Object.getOwnPropertyNames(at))
        if (name !== "constructor" && !Object.hasOwn(all, name))
          Reflect.set(all, name, Reflect.get(given, name));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has the same properties
  return all as NonNullable<Options>;
}

/**
 * Reads a boolean option. Another type is refused: "false", for example, would count as true, and a socket
 * could be open to more than was meant.
 *
 * @throws {XSocketError} EINVAL
 */
export function flagOf(asked: string, options: object, name: string): boolean {
  const value: unknown = Reflect.get(options, name) ?? false;
  if (typeof value === "boolean") return value;
  throw wrongValue(asked, name, value, "Give true or false.");
}

/**
 * Refuses options that name another way to get a socket, which would win silently over `via`. What is falsy names
 * none, as for Bun and Node, unless it is a descriptor.
 *
 * @throws {XSocketError} ENOTSUP
 */
export function refuseKeys(asked: string, options: object, refused: Record<string, string>): void {
  for (const [name, remedy] of Object.entries(refused)) {
    const value: unknown = Reflect.get(options, name);
    if (value || (value === 0 && name === "fd"))
      throw misuse(asked, `${name} does not go with via`, remedy, "ENOTSUP");
  }
}

/**
 * Checks that there are handlers, before anything is opened for them; Bun checks what they are.
 *
 * @throws {XSocketError} EINVAL
 */
export function checkHandlers(asked: string, socket: unknown): void {
  if (typeof socket !== "object" || socket === null)
    throw wrongValue(asked, "socket", socket, "Give the handlers: socket: { data() {} }.");
}

/** The `hostname` or `host` option; undefined if neither is given. @throws {XSocketError} EINVAL */
export function hostOf(
  asked: string,
  options: { readonly hostname?: unknown; readonly host?: unknown },
): string | undefined {
  const host = options.hostname ?? options.host ?? undefined;
  if (host === undefined || typeof host === "string") return host;
  throw misuse(
    asked,
    `hostname is ${inspect(host, { depth: -1 })}`,
    "Give a host name or an IP address, as text.",
  );
}

/** How many connections may wait to be accepted unless `backlog` says otherwise, as with Bun's own. */
export const BUN_BACKLOG = 512;
/* The most that listen(2) can be asked for; the kernel caps it at somaxconn. */
const BACKLOG_MAX = 2 ** 31 - 1;

/** Checks how many connections may wait to be accepted. @throws {XSocketError} EINVAL */
export function checkBacklog(asked: string, backlog: number): number {
  if (Number.isInteger(backlog) && backlog >= 0 && backlog <= BACKLOG_MAX) return backlog;
  throw wrongValue(asked, "backlog", backlog, `Give a whole number from 0 to ${BACKLOG_MAX}.`);
}

/** Checks a port number. Bun takes strings for it in places, and so does this. @throws {XSocketError} EINVAL */
export function checkPort(asked: string, port: unknown, name = "port"): number {
  const number = typeof port === "string" && port.trim() !== "" ? Number(port) : port;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 65_535)
    return number;
  throw wrongValue(asked, name, port, "Give a port from 0 to 65535.");
}
