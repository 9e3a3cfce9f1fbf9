/*
 * How it works: Bun.serve makes its own listener and takes no descriptor. So it is started on a
 * throwaway listener of 127.0.0.1, whose number then becomes a copy of our socket (dup3). That closes
 * the throwaway before it has accepted anything, as all of this happens in one turn of the event loop.
 * The kernel drops the registration in Bun's epoll set along with the old socket; it is made again with
 * the events and data that /proc/self/fdinfo showed before. None of this is documented, so each step is
 * checked, and if one fails the caller uses a relay (_relay.ts).
 */
import type { Server } from "bun";
import {
  codeOf,
  EPOLL_CTL_ADD,
  epollFds,
  loadSyscalls,
  type Registration,
  registrations,
  tried,
} from "@xsocket/xbind-native";
import { getOption, socketName } from "./_socket.ts";

let loopFd: number | undefined; // Bun's epoll descriptor of this thread, once found

/* "0200" + port + 127.0.0.1: what the throwaway listener is bound to. */
function throwawayName(port: number): string {
  return `0200${port.toString(16).padStart(4, "0")}7f000001`;
}

function isListenerAt(fd: number, name: string): boolean {
  const isIt = () => socketName(fd).startsWith(name) && getOption(fd, "SO_ACCEPTCONN") === 1;
  return tried(isIt) === true; // they throw for what is no socket
}

/* The throwaway's registration in an epoll set of Bun: there has to be exactly one. */
function findListener(port: number): Registration | undefined {
  const name = throwawayName(port);
  const within = (sets: number[]): Registration[] =>
    sets.flatMap(registrations).filter(({ fd }) => isListenerAt(fd, name));
  let found = loopFd === undefined ? [] : within([loopFd]);
  if (found.length === 0) found = within(epollFds());
  const [only, ...others] = found;
  if (only === undefined || others.length > 0) return undefined;
  loopFd = only.epollFd;
  return only;
}

/* Puts our socket in the place of the throwaway. Returns whether Bun now waits for ours. */
function replace({ epollFd, fd: place, events, data }: Registration, fd: number): boolean {
  const native = loadSyscalls();
  if (native.dupOnto(fd, place) < 0) return false;
  return native.epollCtl(epollFd, EPOLL_CTL_ADD, place, events, data) === 0;
}

/* A unit, a sandbox or a policy may forbid a process to listen in its own namespace. */
const FORBIDDEN = new Set(["EAFNOSUPPORT", "EACCES", "EPERM"]);

/**
 * Starts a server of Bun on a listening, non-blocking socket.
 *
 * @param start starts it on 127.0.0.1 with port 0, and does nothing else
 * @param fd    the socket; it stays the caller's, and Bun has a copy of its own
 * @returns undefined where Bun or the system is not as expected; nothing is left behind then
 * @throws what `start` does, unless this process may not listen in its own namespace
 */
export function startMoved<Data>(start: () => Server<Data>, fd: number): Server<Data> | undefined {
  let server: Server<Data>;
  try {
    server = start();
  } catch (error) {
    if (FORBIDDEN.has(codeOf(error))) return undefined;
    throw error;
  }
  const place = findListener(server.port ?? 0);
  if (place && replace(place, fd)) return server;
  void server.stop(true);
  return undefined;
}
