import { XSocketError } from "@xsocket/client";
import { AF_INET, AF_INET6 } from "@xsocket/protocol";
import { errnoName, loadSyscalls, SO_REUSEADDR, SOL_SOCKET } from "@xsocket/xbind-native";

const ADDRESS_BYTES = { 4: 16, 6: 28 } as const; // struct sockaddr_in and sockaddr_in6
const BACKLOG = 4096;

/** The `struct sockaddr` of the wildcard address with a port. */
export function anyAddress(family: 4 | 6, port: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(ADDRESS_BYTES[family]));
  view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  return new Uint8Array(view.buffer);
}

/** What a socket is bound as. */
interface BindKind {
  readonly family: 4 | 6;
  readonly type: "stream" | "dgram";
}

/** Tries to bind a socket to a port of the wildcard address, and a stream socket to listen. Returns 0 or -errno. */
export function tryBindAny(fd: number, { family, type }: BindKind, port: number): number {
  const native = loadSyscalls();
  const on = Int32Array.of(1);
  const address = anyAddress(family, port);
  if (type === "stream") native.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, on.byteLength);
  const rc = native.bind(fd, address, address.byteLength);
  return rc < 0 || type === "dgram" ? rc : native.listen(fd, BACKLOG);
}

/**
 * The client library's error for what the kernel said when a server, or its socket, was used.
 *
 * @param rc    the -errno
 * @param asked what was attempted, to be read after "cannot"
 */
export function failedAt(
  step: "reach" | "bind",
  server: string,
  rc: number,
  asked: string,
): XSocketError {
  return new XSocketError({ code: errnoName(-rc), step, server, asked });
}
