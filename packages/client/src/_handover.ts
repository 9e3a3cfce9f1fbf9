import { inspect } from "node:util";
import { parseAddress, ProtocolError } from "@xsocket/protocol";
import {
  checked,
  EPOLLIN,
  errno,
  loadSyscalls,
  NOT_YET,
  SyscallError,
} from "@xsocket/xbind-native";
import type { Deadline } from "./_deadline.ts";
import type { KindNumbers } from "./_kind.ts";
import { misuse } from "./_options.ts";
import { pause, whenReady } from "./_wait.ts";
import { failed, XSocketError } from "./error.ts";

/* How long to wait before the next try while the server's backlog is full, in milliseconds: such a
   connection cannot be polled for. */
const BACKLOG_RETRY_MS = { first: 1, longest: 50 };

/**
 * Checks a control socket's address, of which JavaScript may give any type.
 *
 * @param advice what to give instead of a value of another type
 * @throws {XSocketError} EINVAL, ENAMETOOLONG
 */
export function checkVia(
  via: unknown,
  asked: string,
  advice = "Give the path of a control socket, or @name.",
): void {
  if (typeof via !== "string") throw misuse(asked, `via is ${inspect(via, { depth: -1 })}`, advice);
  try {
    parseAddress(via);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    const code = cause.code === "ADDRESS_TOO_LONG" ? "ENAMETOOLONG" : "EINVAL";
    const { found, remedy: clause = "" } = cause; // ours are sentences
    const remedy = `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.`;
    throw new XSocketError({ code, step: "options", server: via, asked, found, remedy, cause });
  }
}

/**
 * Opens a connection to a server, blocking for as long as the deadline allows.
 *
 * @throws {XSocketError} at step reach
 */
export function reachSync(via: string, waitMs: number, asked: string): number {
  checkVia(via, asked);
  try {
    return checked("connect", loadSyscalls().handoverConnect(via, waitMs));
  } catch (error) {
    throw failed(error, via, asked, { step: "reach" });
  }
}

/**
 * Opens a connection to a server if that needs no waiting.
 *
 * @returns undefined while the server's backlog is full: see {@link backlogPause}
 * @throws {XSocketError} at step reach
 */
export function reachNow(via: string, asked: string): number | undefined {
  checkVia(via, asked);
  const rc = loadSyscalls().handoverConnect(via, 0);
  if (rc >= 0) return rc;
  if (rc === -errno.ETIMEDOUT) return undefined;
  throw failed(new SyscallError("connect", -rc), via, asked, { step: "reach" });
}

/** How many milliseconds to wait when the server's backlog is full, after this many earlier tries. */
export function backlogPause(tries: number): number {
  return Math.min(BACKLOG_RETRY_MS.first * 2 ** tries, BACKLOG_RETRY_MS.longest);
}

/** The error for a server whose backlog had no room in time. */
export function unreached(via: string, asked: string): unknown {
  return failed(new SyscallError("connect", errno.ETIMEDOUT), via, asked, { step: "reach" });
}

/**
 * Opens a connection to a server without holding up the event loop.
 *
 * @throws {XSocketError} at step reach; the signal's reason
 */
export async function reach(via: string, deadline: Deadline, asked: string): Promise<number> {
  for (let tries = 0; ; tries++) {
    const fd = reachNow(via, asked);
    if (fd !== undefined) return fd;
    if (deadline.leftMs() === 0) throw unreached(via, asked);
    await pause(Math.min(backlogPause(tries), deadline.leftMs()), deadline.signal);
  }
}

/** Sends a request. @throws {SyscallError} EAGAIN while the server reads nothing */
export function send(connection: number, { domain, type, protocol }: KindNumbers): void {
  checked("send", loadSyscalls().handoverSend(connection, domain, type, protocol));
}

/**
 * Receives the next answer. Returns the new descriptor, or -errno. With waitMs 0 it returns NOT_YET if there is
 * none, and errors that are not the server's in a form of their own: see {@link ownError}.
 */
export function receive(connection: number, kind: KindNumbers, waitMs: number): number {
  const { domain, type, protocol } = kind;
  return loadSyscalls().handoverReceive(connection, domain, type, protocol, waitMs);
}

/** The -errno of an error that is not the server's, 0 for everything else that receive gives. */
export function ownError(rc: number): number {
  return rc < NOT_YET ? rc - NOT_YET : 0;
}

/** Waits for the next answer and receives it. @throws {SyscallError}; the signal's reason */
export async function receiveLater(
  connection: number,
  kind: KindNumbers,
  deadline: Deadline,
): Promise<number> {
  for (;;) {
    const fd = receive(connection, kind, 0);
    if (fd !== NOT_YET) return checked("receive", ownError(fd) || fd);
    if (!(await whenReady(connection, EPOLLIN, deadline)))
      throw new SyscallError("receive", errno.ETIMEDOUT);
  }
}
