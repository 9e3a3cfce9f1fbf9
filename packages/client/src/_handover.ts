import { inspect } from "node:util";
import { parseAddress } from "@xsocket/protocol";
import { checked, errno, loadSyscalls, NOT_YET, SyscallError } from "@xsocket/xbind-native";
import type { Deadline } from "./_deadline.ts";
import type { KindNumbers } from "./_kind.ts";
import { READABLE, pause, whenReady } from "./_wait.ts";
import { misuse } from "./_kind.ts";
import { failed } from "./error.ts";

/* How long to wait before the next try while the server's backlog is full, in milliseconds: such a
   connection cannot be polled for. */
const BACKLOG_RETRY_MS = { first: 1, longest: 50 };

/**
 * Checks a control socket's address. Its own type may be wrong in JavaScript.
 *
 * @throws {XSocketError} EINVAL, ENAMETOOLONG
 */
export function checkVia(via: unknown, asked: string): void {
  if (typeof via !== "string")
    throw misuse(asked, `via is ${inspect(via)}`, "Give the path of a control socket, or @name.");
  try {
    parseAddress(via);
  } catch (error) {
    throw failed(error, "options", via, asked);
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
    throw failed(error, "reach", via, asked);
  }
}

/**
 * Opens a connection to a server without holding up the event loop.
 *
 * @throws {XSocketError} at step reach; the signal's reason
 */
export async function reach(via: string, deadline: Deadline, asked: string): Promise<number> {
  const native = loadSyscalls();
  const { longest } = BACKLOG_RETRY_MS;
  checkVia(via, asked);
  try {
    for (let wait = BACKLOG_RETRY_MS.first; ; wait = Math.min(wait * 2, longest)) {
      const rc = native.handoverConnect(via, 0);
      if (rc !== -errno.ETIMEDOUT || deadline.leftMs() === 0) return checked("connect", rc);
      await pause(Math.min(wait, deadline.leftMs()), deadline.signal);
    }
  } catch (error) {
    throw failed(error, "reach", via, asked);
  }
}

/** Sends a request. @throws {SyscallError} ECONNRESET, EAGAIN while the server takes nothing */
export function send(connection: number, { domain, type, protocol }: KindNumbers): void {
  checked("send", loadSyscalls().handoverSend(connection, domain, type, protocol));
}

/** Takes the next answer. Returns the new descriptor, or -errno; NOT_YET without a wait and an answer. */
export function receive(connection: number, kind: KindNumbers, waitMs: number): number {
  const { domain, type, protocol } = kind;
  return loadSyscalls().handoverReceive(connection, domain, type, protocol, waitMs);
}

/** Takes the next answer, waiting for it. @throws {SyscallError}; the signal's reason */
export async function receiveLater(
  connection: number,
  kind: KindNumbers,
  deadline: Deadline,
): Promise<number> {
  for (;;) {
    const fd = receive(connection, kind, 0);
    if (fd !== NOT_YET) return checked("receive", fd);
    if (!(await whenReady(connection, READABLE, deadline)))
      throw new SyscallError("receive", errno.ETIMEDOUT);
  }
}
