/* Finds which descriptors Bun waits for. Bun has no interface for that, but the kernel lists the members of an epoll
   set in its fdinfo: proc_pid_fdinfo(5). */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tried } from "./thrown.ts";

/** A descriptor in an epoll set, with what was registered for it. */
export interface Registration {
  readonly epollFd: number;
  readonly fd: number;
  readonly events: number;
  readonly data: bigint;
}

/** Reads the members of an epoll set from the text of its fdinfo. */
export function parseRegistrations(epollFd: number, fdinfo: string): Registration[] {
  const lines = fdinfo.matchAll(/^tfd:\s*(\d+) events:\s*([0-9a-f]+) data:\s*([0-9a-f]+)/gm);
  return Array.from(lines, ([, fd, events, data]) => ({
    epollFd,
    fd: Number(fd),
    events: Number(`0x${events}`),
    data: BigInt(`0x${data}`),
  }));
}

/** The members of an epoll set; an empty list where /proc cannot be read. */
export function registrations(epollFd: number): Registration[] {
  const fdinfo = tried(() => readFileSync(`/proc/self/fdinfo/${epollFd}`, "utf8"));
  return parseRegistrations(epollFd, fdinfo ?? "");
}

/* The one that readdir itself had open is no more. */
function isEpoll(fd: number): boolean {
  return tried(() => readlinkSync(`/proc/self/fd/${fd}`)) === "anon_inode:[eventpoll]";
}

/** The epoll sets of this process; an empty list if /proc cannot be read, for example for want of a descriptor. */
export function epollFds(): number[] {
  const fds = tried(() => readdirSync("/proc/self/fd")) ?? [];
  return fds.map(Number).filter(isEpoll);
}
