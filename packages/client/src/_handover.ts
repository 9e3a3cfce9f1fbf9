import { parseAddress } from "@xsocket/protocol";
import { checked, errno, loadSyscalls } from "@xsocket/xbind-native";
import type { Deadline } from "./_deadline.ts";
import type { KindNumbers } from "./_kind.ts";
import { READABLE, pause, whenReady } from "./_wait.ts";
import { failed } from "./error.ts";

/* How long to wait before the next try while the server's backlog is full, in milliseconds: such a
   connection cannot be polled for. */
const BACKLOG_RETRY_MS = { first: 1, longest: 50 };

/**
 * Opens a connection to a server, blocking for as long as the deadline allows.
 *
 * @throws {XSocketError} at step reach
 */
export function reachSync(via: string, waitMs: number, asked: string): number {
  try {
    parseAddress(via);
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
  try {
    parseAddress(via);
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

/** Takes the next answer. Returns the new descriptor, or -errno; -ETIMEDOUT if there is none yet. */
export function receive(connection: number, kind: KindNumbers, waitMs: number): number {
  const { domain, type, protocol } = kind;
  const rc = loadSyscalls().handoverReceive(connection, domain, type, protocol, waitMs);
  return rc === -errno.EBADMSG && isOutOfDescriptors() ? -errno.EMFILE : rc;
}

/* A descriptor that found no room here is lost on the way, which looks like a malformed answer. */
function isOutOfDescriptors(): boolean {
  const fd = loadSyscalls().epollCreate();
  if (fd >= 0) loadSyscalls().close(fd);
  return fd === -errno.EMFILE;
}

/** Takes the next answer, waiting for it. @throws {SyscallError}; the signal's reason */
export async function receiveLater(
  connection: number,
  kind: KindNumbers,
  deadline: Deadline,
): Promise<number> {
  for (;;) {
    const fd = receive(connection, kind, 0);
    if (fd !== -errno.ETIMEDOUT || !(await whenReady(connection, READABLE, deadline)))
      return checked("receive", fd);
  }
}
