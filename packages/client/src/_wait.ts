/*
 * How it works: Bun cannot wait for an arbitrary descriptor, but its event loop can watch an epoll
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
 * Calls back once the signal is aborted, or at once if it already is, as may happen between two waits of one
 * operation. Returns a function that stops listening.
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
  const open = (opened: Socket): void => void (watcher = opened); // called at once, unless Bun does not take it
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

/** Waits until somebody settles it, as `late` does once the time is over, or the signal is aborted. */
export async function settled<T>(
  { promise, reject }: Pick<ReturnType<typeof Promise.withResolvers<T>>, "promise" | "reject">,
  ms: number,
  signal: AbortSignal | undefined,
  late: () => void,
): Promise<T> {
  const timer = setTimeout(late, ms);
  const forget = onAbort(signal, reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    forget();
  }
}

/**
 * Waits for a descriptor, the deadline, or the signal, whichever comes first.
 *
 * @returns false if the time is over, and the descriptor not ready
 * @throws the signal's reason; {SyscallError} as {@link onReady}
 */
export async function whenReady(fd: number, events: number, deadline: Deadline): Promise<boolean> {
  const outcome = Promise.withResolvers<boolean>();
  const cancel = onReady(fd, events, () => outcome.resolve(true));
  // if the event loop was blocked, Bun may call this first although the descriptor is ready
  const late = (): void => outcome.resolve(loadSyscalls().poll(fd, events, 0) > 0);
  return settled(outcome, deadline.leftMs(), deadline.signal, late).finally(cancel);
}

/**
 * Waits for somebody else's promise, the deadline, or the signal, whichever comes first.
 *
 * @throws {SyscallError} ETIMEDOUT once the time is over; the signal's reason; what the promise throws
 */
export async function within<T>(given: T | Promise<T>, deadline: Deadline): Promise<T> {
  const outcome = Promise.withResolvers<T>();
  Promise.resolve(given).then(outcome.resolve, outcome.reject);
  const late = (): void => outcome.reject(new SyscallError("wait", errno.ETIMEDOUT));
  return settled(outcome, deadline.leftMs(), deadline.signal, late);
}

/** Lets `ms` milliseconds pass, or ends with the signal's reason. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const outcome = Promise.withResolvers<void>();
  return settled(outcome, ms, signal, outcome.resolve);
}
