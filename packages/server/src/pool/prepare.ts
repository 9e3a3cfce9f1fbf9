/* Checks and prepares what a serving thread needs before it is started. */
import {
  checked,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  errno,
  SyscallError,
  type Syscalls,
} from "@xsocket/xbind-native";
import { attempt, watchError } from "../_failure.ts";
import { THREAD_DESCRIPTORS } from "../bounds.ts";
import { THREAD } from "../memory/memory.ts";
import type { Shared } from "../memory/shared.ts";

/* Bun ends the process when it gets no thread for compiling, collecting, or ending others. */
const SPARE_THREADS = 16;

/** Makes sure that a further thread does not take what Bun may need. @throws {Error} */
export function expectRoom(sys: Syscalls): void {
  if (sys.threadRoom(1 + SPARE_THREADS) < 0)
    throw new Error(
      `fewer than ${1 + SPARE_THREADS} threads are left. Raise their limit (ulimit -u, TasksMax=), or that of memory for their stacks (ulimit -v)`,
    );
}

/* Bun also ends the process when a thread that it starts gets no descriptors. */
function expectDescriptors(sys: Syscalls): void {
  const tried: number[] = [];
  try {
    while (tried.length < THREAD_DESCRIPTORS) tried.push(checked("eventfd", sys.eventfd()));
  } finally {
    for (const fd of tried) sys.close(fd);
  }
}

/* A thread that may not call epoll_pwait(2) would die at once, and so would each that replaces it. */
function expectWait(sys: Syscalls, epoll: number): void {
  const rc = sys.epollWait(epoll, new Uint32Array(new ArrayBuffer(8)), 1, 0, 0);
  const remedy = "Let the seccomp filter allow epoll_pwait";
  attempt("wait for clients", () => checked("epoll_pwait", rc), remedy);
}

/* A thread has to be woken by its eventfd, and the kernel limits how much each user has in epoll sets. */
function expectWatch(sys: Syscalls, epoll: number, wake: number): void {
  const rc = sys.epollCtl(epoll, EPOLL_CTL_ADD, wake, 0, 0);
  if (rc === -errno.ENOSPC)
    throw watchError("wait for clients", new SyscallError("epoll_ctl", -rc));
  sys.epollCtl(epoll, EPOLL_CTL_DEL, wake, 0, 0);
}

/**
 * Makes the descriptors of a thread that is to be started. If one cannot be made, the caller reclaims the
 * others. The eventfd outlives its thread, since others may be about to write to it.
 *
 * @throws {SyscallError} EMFILE, ENFILE, ENOMEM; {ServeError} PERMISSION, SYSTEM if the kernel lets none wait
 */
export function prepareRow(sys: Syscalls, shared: Shared, index: number): void {
  expectDescriptors(sys);
  shared.setThread(index, THREAD.records, 0);
  if (shared.thread(index, THREAD.wake) < 0)
    shared.setThread(index, THREAD.wake, checked("eventfd", sys.eventfd()));
  const epoll = checked("epoll_create", sys.epollCreate());
  shared.setThread(index, THREAD.epoll, epoll);
  expectWait(sys, epoll);
  expectWatch(sys, epoll, shared.thread(index, THREAD.wake));
}
