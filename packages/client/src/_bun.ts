/*
 * The interfaces of Bun that adopt a descriptor although Bun's types do not say so. Everything of
 * this package that leans on undocumented behaviour of Bun goes through this file and _move.ts.
 */
import type * as dgram from "node:dgram";
import type * as http from "node:http";
import * as net from "node:net";
import type { FdSocketOptions, Socket, TCPSocketListener, udp } from "bun";
import { errno, loadSyscalls, POLLIN, SyscallError } from "@xsocket/xbind-native";
import { withoutOurLines } from "./error.ts";

type Adopt<Options, Result> = (options: Options) => Result;

/** The error for a socket that Bun does not take. For a connection Bun gives no reason: it is fs.epoll.max_user_watches. */
export function notTaken(number: number = errno.ENOSPC): SyscallError {
  return new SyscallError("epoll_ctl", number);
}

/** Turns Bun's error for a listener, or by the call "open" a datagram socket, that it does not take into ours. An
    error about options is the caller's, and stays. */
export function refusal(error: unknown, call: "listen" | "open"): unknown {
  if (!(error instanceof Error && "syscall" in error && "errno" in error))
    return withoutOurLines(error);
  const { syscall, errno: number } = error;
  return syscall === call && typeof number === "number" ? notTaken(Math.abs(number)) : error;
}

/** What {@link adoptConnection} never takes: Bun then checks the options, and calls connectError. */
export const NO_FD = -1;

/** Bun.connect for a connected stream socket, or for an epoll descriptor (see _wait.ts). Where Bun does not
    take it, connectError is called at once, and the descriptor is still the caller's. */
export function adoptConnection<Data>(options: FdSocketOptions<Data>): Promise<Socket<Data>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see the head of this file
  const connect = Bun.connect as unknown as Adopt<FdSocketOptions<Data>, Promise<Socket<Data>>>;
  return connect(options);
}

/**
 * Bun.listen for a bound or listening stream socket. It calls listen(2) itself.
 *
 * @throws {SyscallError} if Bun does not take it: the descriptor is still the caller's
 */
export function adoptListener<Data>(options: FdSocketOptions<Data>): TCPSocketListener<Data> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see the head of this file
  const listen = Bun.listen as unknown as Adopt<FdSocketOptions<Data>, TCPSocketListener<Data>>;
  try {
    return listen(options);
  } catch (error) {
    throw refusal(error, "listen");
  }
}

/**
 * Bun.udpSocket for a bound datagram socket; with `connect` it calls connect(2) itself.
 *
 * @throws {SyscallError} if Bun does not take it, at once: the descriptor is still the caller's
 */
export function adoptDatagrams<Type extends Bun.BinaryType, Socket_>(
  options: (udp.SocketOptions<Type> | udp.ConnectSocketOptions<Type>) & { fd: number },
): Promise<Socket_> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see the head of this file
  const open = Bun.udpSocket as unknown as Adopt<typeof options, Promise<Socket_>>;
  try {
    return open(options);
  } catch (error) {
    throw refusal(error, "open");
  }
}

/**
 * net.connect for a stream socket that is connected to `host`. In Bun `new net.Socket({ fd })` would leak the descriptor.
 *
 * @throws {SyscallError} ENOSPC if Bun does not take it: the descriptor is still the caller's
 */
export function adoptNodeConnection(fd: number, host: string): net.Socket {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see the head of this file
  const socket = net.connect({ fd } as unknown as net.NetConnectOpts);
  // tls.connect() checks the certificate against it, else against "localhost"
  if (!socket.pending) return Object.assign(socket, { _host: host });
  socket.on("error", () => {}).destroy();
  throw notTaken();
}

/**
 * The options by which a node:net server or a node:dgram socket adopts a descriptor. Without "exclusive" a
 * node:cluster worker would have its primary adopt whatever has this number there.
 */
export const adoptable = (fd: number) => ({ fd, exclusive: true }) as const;

/* Ignores the "error" event for a failure that was already thrown. */
function knownAlready(): void {}

/**
 * net.Server's listen for a bound stream socket. Bun tries at once, but reports a failure later.
 *
 * @throws {SyscallError} ENOSPC if Bun does not take it: the descriptor is still the caller's
 */
export function adoptNodeListener(server: net.Server, fd: number): void {
  server.on("error", knownAlready).listen(adoptable(fd));
  if (!server.listening) throw notTaken();
  server.off("error", knownAlready);
}

/**
 * Sets what to do when a connection's setTimeout() expires, whatever its state. A "timeout" listener would not
 * do: Bun emits none while the connection waits for room to write.
 */
export function onSilence(socket: net.Socket, end: () => void): void {
  Object.assign(socket, { _onTimeout: end });
}

type MadeWith = Pick<dgram.SocketOptions, "reuseAddr" | "reusePort" | "ipv6Only">;

/** The options that a node:dgram socket was made with. It applies them only if it binds by itself. */
export function madeWith(socket: dgram.Socket): MadeWith {
  const keys = Object.getOwnPropertySymbols(socket);
  const key = keys.find(({ description }) => description === "state symbol");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see the head of this file
  return ((key && Reflect.get(socket, key)) ?? {}) as MadeWith;
}

/** Whether unref() was called on an http server, which is possible before it listens. */
export function isUnref(server: http.Server): boolean {
  return Reflect.get(server, "_unref") === true;
}

/** Whether an http server has paused a connection until its client receives answers; it resumes it by itself. */
export function isHeldBack(socket: net.Socket): boolean {
  return Reflect.get(socket, "_paused") === true;
}

/** Keeps an http server from discarding the rest of a body once the request is answered. Bun does so if nobody reads,
    and overlooks a reader that pauses within the same turn of the event loop. */
export function keepForReader(request: http.IncomingMessage): void {
  Object.assign(request, { _consuming: true });
}

/** Whether there is data, or an end of file, that Bun has not read yet. */
export function hasNews(socket: net.Socket): boolean {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null && Reflect.get(handle, "fd");
  return typeof fd === "number" && loadSyscalls().poll(fd, POLLIN, 0) > 0;
}

/** Sets properties that a native object cannot know, for example a listener's `port`. */
export function describe(object: object, facts: Readonly<Record<PropertyKey, unknown>>): void {
  for (const name of Reflect.ownKeys(facts)) {
    const value = facts[name];
    Object.defineProperty(object, name, { value, configurable: true });
  }
}
