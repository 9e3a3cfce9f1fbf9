/* A raw client: sends and receives packets and descriptors one by one. */
import { readdirSync, writeFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import {
  AF_INET,
  AF_UNIX,
  encode,
  encodeAddress,
  parseAddress,
  RESPONSE_BYTES,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "@xsocket/protocol";
import { checked, loadSyscalls, POLLHUP, POLLIN, SHUT_WR } from "@xsocket/xbind-native";
import { eventually } from "../harness/index.ts";
import { servingThreads } from "./process.ts";

export const native = loadSyscalls();

const CONNECT_MS = 5000;
const CROWD = 4; // connections, more than threads before the last one starts
const ROUNDS = 300; // without a pause: a thread is started after 256 within a second
const CROWD_MS = 50_000;
const SLOW_MS = 20_000;
const FIRST = -20; // a nice value

/** A good request, for a TCP socket. */
export const REQUEST = encode({
  kind: "request",
  domain: AF_INET,
  type: SOCK_STREAM,
  protocol: 0,
});

/** A program that sends a packet, given in hexadecimal, and prints the length of the answer. */
export const ASK =
  "import socket,struct,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\ns.connect(sys.argv[1])\ns.send(bytes.fromhex(sys.argv[2]))\nprint(len(s.recv(70000)))";

const dropped = new Uint8Array(new ArrayBuffer(RESPONSE_BYTES));

/** A connection to a server. Disposing of it closes it. */
export class RawClient implements Disposable {
  readonly fd: number;
  #open = true;

  /** @throws {SyscallError} when the server cannot be connected to */
  constructor(path: string) {
    this.fd = checked("connect", native.handoverConnect(path, CONNECT_MS));
  }

  /** Sends one packet, with a copy of a descriptor if one is given. Returns its length or -errno. */
  send(bytes: Uint8Array = REQUEST, passedFd = -1): number {
    return native.sendPacket(this.fd, bytes, bytes.byteLength, passedFd);
  }

  /** Shuts the connection down for writing. */
  endSending(): void {
    native.shutdown(this.fd, SHUT_WR);
  }

  /** Receives a reply to {@link REQUEST}: 0 for a socket, which is closed, else -errno. */
  reply(waitMs = CONNECT_MS): number {
    const fd = native.handoverReceive(this.fd, AF_INET, SOCK_STREAM, 0, waitMs);
    if (fd < 0) return fd;
    native.close(fd);
    return 0;
  }

  /** Waits for a reply and drops it, with its socket, in a third of the system calls. Returns whether one came. */
  dropReply(): boolean {
    if (native.poll(this.fd, POLLIN, CONNECT_MS) === 0) return false;
    native.receivePacket(this.fd, dropped, RESPONSE_BYTES);
    return true;
  }

  /** Asks and receives: 0 for a socket, else -errno. */
  ask(bytes: Uint8Array = REQUEST): number {
    const sent = this.send(bytes);
    return sent < 0 ? sent : this.reply();
  }

  /** Whether there is something to receive. */
  isReadable(waitMs = 0): boolean {
    return (native.poll(this.fd, POLLIN, waitMs) & POLLIN) !== 0;
  }

  /** Receives replies until there are no more, and counts those with a socket. */
  countReplies(): number {
    let count = 0;
    while (this.reply() === 0) count++;
    return count;
  }

  /** Whether the server has closed the connection. */
  isClosed(waitMs = 0): boolean {
    return (native.poll(this.fd, POLLIN, waitMs) & POLLHUP) !== 0;
  }

  /** Waits until the server has closed the connection. */
  async closing(): Promise<void> {
    await eventually("the server to close a connection", () => this.isClosed());
  }

  close(): void {
    if (this.#open) native.close(this.fd);
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Opens many connections at once. */
export function rawClients(path: string, count: number): RawClient[] & Disposable {
  const clients = Array.from({ length: count }, () => new RawClient(path));
  return Object.assign(clients, {
    [Symbol.dispose]: () => clients.forEach((client) => client.close()),
  });
}

/** Asks a server on a new connection: 0 for a socket, else -errno. */
export function askOnce(path: string): number {
  using client = new RawClient(path);
  return client.ask();
}

/** Waits until an abstract name is free. */
export async function untilFree(name: string): Promise<void> {
  const fd = native.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const bytes = encodeAddress(parseAddress(name));
  try {
    await eventually("the name to be free", () => native.bind(fd, bytes, bytes.byteLength) === 0);
  } finally {
    native.close(fd);
  }
}

/*
 * Sets the nice values of this thread and of all threads of a process, and those of their sessions: where the kernel
 * has autogroup (sched(7)), threads of different sessions compete by the latter.
 */
function setNice(pid: number, threads: number, sessions: number): void {
  try {
    for (const thread of [process.pid, ...readdirSync(`/proc/${pid}/task`).map(Number)])
      setPriority(thread, threads);
    for (const id of [process.pid, pid]) writeFileSync(`/proc/${id}/autogroup`, String(sessions));
  } catch {
    // not below 0 without CAP_SYS_NICE; no autogroup; or the process has ended
  }
}

/**
 * Asks on several kept-open connections at the same time until a condition holds. Both processes have priority
 * meanwhile: on a busy machine there would seldom be enough rounds within a second.
 *
 * @param pid the server's process
 */
export async function crowdUntil(
  path: string,
  hasCome: () => boolean,
  pid = process.pid,
): Promise<void> {
  using clients = rawClients(path, CROWD);
  const askAll = () => {
    for (const client of clients) client.send();
    for (const client of clients)
      if (!client.dropReply()) throw new Error("the crowd is not answered");
  };
  const look = () => {
    if (hasCome()) return true;
    for (let round = 0; round < ROUNDS; round++) askAll();
    return false;
  };
  const nice = getPriority();
  setNice(pid, FIRST, FIRST);
  try {
    await eventually("something to come of a crowd", look, CROWD_MS);
  } finally {
    setNice(pid, nice, 0);
  }
}

/**
 * Does the same until a server has started this many threads. A slow machine may not answer fast enough for more
 * than two, with which connections change threads as well; that all are started is a test of the pool.
 */
export function crowd(path: string, pid: number, threads: number): Promise<void> {
  const lateFrom = performance.now() + SLOW_MS;
  const wanted = () => (performance.now() < lateFrom ? threads : 2);
  return crowdUntil(path, () => servingThreads(pid).length >= wanted(), pid);
}
