/*
 * How it works: Bun has no way to wait for any descriptor, but its event loop can watch an epoll
 * descriptor, which is readable once one of its members is ready. Bun.connect({ fd }) puts it into
 * the loop; as soon as it is readable Bun tries to receive from it, finds that it is no socket, and
 * calls close. So the close callback is the wake-up, and Bun closes the epoll descriptor itself.
 */
import type { Socket } from "bun";
import { checked, EPOLL_CTL_ADD, errno, loadSyscalls, SyscallError } from "@xsocket/xbind-native";
import { adoptConnection, notTaken } from "./_bun.ts";
import type { Deadline } from "./_deadline.ts";

function nothing(): void {}

/**
 * Calls back once the signal is aborted, also if it is already: between two waits of one operation
 * nobody listens. Returns a function that ends that.
 */
export function onAbort(
  signal: AbortSignal | undefined,
  reject: (reason: unknown) => void,
): () => void {
  const abort = (): void => reject(signal?.reason);
  if (signal?.aborted === true) abort();
  signal?.addEventListener("abort", abort);
  return () => signal?.removeEventListener("abort", abort);
}

function epollOf(fd: number, events: number): number {
  const native = loadSyscalls();
  const epollFd = checked("epoll_create1", native.epollCreate());
  const rc = native.epollCtl(epollFd, EPOLL_CTL_ADD, fd, events, 0);
  if (rc < 0) native.close(epollFd);
  checked("epoll_ctl", rc);
  return epollFd;
}

/**
 * Calls back once when a descriptor is ready. Bun's loop stays alive until then.
 *
 * @param events of epoll(7)
 * @returns a function that ends the waiting; the callback is then not called
 * @throws {SyscallError} EMFILE, ENOMEM, ENOSPC; EPERM for a descriptor that cannot be waited for
 */
export function onReady(fd: number, events: number, ready: () => void): () => void {
  let watcher: Socket | undefined;
  let wake: (() => void) | undefined = ready;
  const close = (): void => wake?.();
  const open = (opened: Socket): void => void (watcher = opened); // at once, or Bun does not take it
  const epollFd = epollOf(fd, events);
  const socket = { open, data: nothing, error: nothing, close };
  adoptConnection({ fd: epollFd, socket }).catch(nothing);
  if (watcher === undefined) {
    loadSyscalls().close(epollFd); // Bun does not
    throw notTaken();
  }
  return () => {
    wake = undefined;
    watcher?.terminate();
  };
}

/**
 * Waits for a descriptor, the deadline, or the signal, whichever comes first.
 *
 * @returns false if the time is over, and the descriptor not ready
 * @throws the signal's reason; {SyscallError} as {@link onReady}
 */
export async function whenReady(fd: number, events: number, deadline: Deadline): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const { signal } = deadline;
  const cancel = onReady(fd, events, () => resolve(true));
  // after the event loop was blocked Bun may call this first, though the descriptor is ready
  const late = (): void => resolve(loadSyscalls().poll(fd, events, 0) > 0);
  const timer = setTimeout(late, deadline.leftMs());
  const forget = onAbort(signal, reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    forget();
    cancel();
  }
}

/**
 * Waits for somebody else's promise, the deadline, or the signal, whichever comes first.
 *
 * @throws {SyscallError} ETIMEDOUT once the time is over; the signal's reason; what the promise throws
 */
export async function within<T>(given: T | Promise<T>, deadline: Deadline): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const { signal } = deadline;
  const late = (): void => reject(new SyscallError("wait", errno.ETIMEDOUT));
  const timer = setTimeout(late, deadline.leftMs());
  const forget = onAbort(signal, reject);
  Promise.resolve(given).then(resolve, reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    forget();
  }
}

/** Lets `ms` milliseconds pass, or ends with the signal's reason. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const forget = onAbort(signal, reject);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    forget();
  }
}
