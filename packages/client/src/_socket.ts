import { checked, EPOLLOUT, errno, loadSyscalls, SyscallError } from "@xsocket/xbind-native";
import { type IpAddress, portOf, sockaddr, SOCKADDR_IN6_BYTES } from "./_address.ts";
import type { Deadline } from "./_deadline.ts";
import { whenReady } from "./_wait.ts";

/* Level and name of the socket options that are set or read here. */
const OPTION = {
  SO_REUSEADDR: [1, 2],
  SO_ERROR: [1, 4],
  SO_REUSEPORT: [1, 15],
  SO_ACCEPTCONN: [1, 30],
  IP_RECVERR: [0, 11],
  IPV6_V6ONLY: [41, 26],
  IPV6_RECVERR: [41, 25],
  TCP_DEFER_ACCEPT: [6, 9],
} as const;
type OptionName = keyof typeof OPTION;

/* The largest index of an interface. */
const INDEX_MAX = 0x7fffffff;

/** Sets a socket option that is an int. @throws {SyscallError} what setsockopt(2) gives */
export function setOption(fd: number, name: OptionName, value: number): void {
  const [level, number] = OPTION[name];
  const bytes = Int32Array.of(value);
  checked("setsockopt", loadSyscalls().setsockopt(fd, level, number, bytes, bytes.byteLength));
}

/** Reads a socket option that is an int. @throws {SyscallError} what getsockopt(2) gives */
export function getOption(fd: number, name: OptionName): number {
  const [level, number] = OPTION[name];
  const bytes = new Int32Array(new ArrayBuffer(4));
  checked("getsockopt", loadSyscalls().getsockopt(fd, level, number, bytes, bytes.byteLength));
  return bytes[0] ?? 0;
}

/**
 * The index of a scope. It names an interface of the target namespace, so the socket itself has to be asked.
 *
 * @throws {SyscallError} ENODEV for an unknown one
 */
export function scopeIndex(fd: number, scope: string, call = "connect"): number {
  const index = /^\d+$/.test(scope) ? Number(scope) : -1;
  if (index > INDEX_MAX) throw new SyscallError(call, errno.ENODEV); // truncated it would be another interface's
  return index >= 0 ? index : checked(call, loadSyscalls().interfaceIndex(fd, scope));
}

function sockaddrFor(
  call: "bind" | "connect",
  fd: number,
  ip: IpAddress,
  port: number,
): Uint8Array<ArrayBuffer> {
  return sockaddr(ip, port, ip.scope === undefined ? 0 : scopeIndex(fd, ip.scope, call));
}

/** bind(2). @throws {SyscallError} EADDRINUSE, EADDRNOTAVAIL, EACCES, ENODEV for an unknown scope */
export function bindTo(fd: number, ip: IpAddress, port: number): void {
  const address = sockaddrFor("bind", fd, ip, port);
  checked("bind", loadSyscalls().bind(fd, address, address.byteLength));
}

/** listen(2), also to change the backlog of a listener. @throws {SyscallError} EADDRINUSE */
export function listenAt(fd: number, backlog: number): void {
  checked("listen", loadSyscalls().listen(fd, backlog));
}

function nameOf(fd: number): Uint8Array<ArrayBuffer> {
  const address = new Uint8Array(new ArrayBuffer(SOCKADDR_IN6_BYTES));
  const length = loadSyscalls().getsockname(fd, address, address.byteLength);
  return address.slice(0, checked("getsockname", length));
}

/** The port that a socket is bound to. @throws {SyscallError} EBADF */
export function boundPort(fd: number): number {
  return portOf(nameOf(fd));
}

/** The address that a socket is bound to, as hexadecimal digits. @throws {SyscallError} EBADF, ENOTSOCK */
export function socketName(fd: number): string {
  return nameOf(fd).toHex();
}

/**
 * connect(2) of a non-blocking socket, waited for.
 *
 * @throws {SyscallError} ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT; the signal's reason
 */
export async function connectTo(
  fd: number,
  ip: IpAddress,
  port: number,
  deadline: Deadline,
): Promise<void> {
  const address = sockaddrFor("connect", fd, ip, port);
  const rc = loadSyscalls().connect(fd, address, address.byteLength);
  if (rc !== -errno.EINPROGRESS) return void checked("connect", rc);
  if (!(await whenReady(fd, EPOLLOUT, deadline)))
    throw new SyscallError("connect", errno.ETIMEDOUT);
  checked("connect", -getOption(fd, "SO_ERROR"));
}
