import { AF_UNIX, encodeAddress, parseAddress, SOCK_CLOEXEC, SOCK_DGRAM } from "@xsocket/protocol";
import { checked, errno, POLLOUT, type Syscalls } from "@xsocket/xbind-native";
import { ALLOW_UNIX, systemError } from "../_failure.ts";

/** The longest that one message may wait for room in the manager's queue, in milliseconds. */
const NOTIFY_WAIT_MS = 1000;
const TIMER_MAX_MS = 0x7fffffff; // a longer one would go off at once, again and again

/** What a service manager is told: sd_notify(3). Without a manager each of these does nothing. */
export interface Notifier extends Disposable {
  ready(status: string): void;
  reloading(): void;
  stopping(): void;
  /**
   * A sign of life.
   *
   * @param waitMs how long it may wait for room: less than until the next one
   * @param status if that has changed
   */
  watchdog(waitMs: number, status?: string): void;
}

function connect(sys: Syscalls, fd: number, path: string): number {
  const address = encodeAddress(parseAddress(path));
  return sys.connect(fd, address, address.byteLength);
}

/** Connects to the manager's socket. */
function openSocket(sys: Syscalls, path: string): number {
  const fd = sys.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    checked("socket", fd);
    checked("connect", connect(sys, fd, path));
    return fd;
  } catch (error) {
    if (fd >= 0) sys.close(fd);
    const unset = "Remove that variable from the environment if no manager has set it";
    const remedy = fd < 0 ? ALLOW_UNIX : unset;
    throw systemError(`reach the service manager at NOTIFY_SOCKET=${path}`, error, remedy);
  }
}

/**
 * Sends one message. It waits while the manager's queue is full, and connects again if the manager has made
 * its socket anew.
 */
function send(sys: Syscalls, fd: number, path: string, text: string, waitMs: number): void {
  const bytes = Buffer.from(text);
  const sent = sys.sendPacket(fd, bytes, bytes.byteLength, -1);
  if (sent >= 0) return;
  if (sent === -errno.EAGAIN) sys.poll(fd, POLLOUT, waitMs);
  else connect(sys, fd, path);
  sys.sendPacket(fd, bytes, bytes.byteLength, -1);
}

/** A status text is one line of the message: a line feed in it would start another assignment. */
function statusLine(text: string): string {
  return `STATUS=${text.replaceAll(/[\n\r\0]/g, " ")}`;
}

/**
 * Connects to the manager that NOTIFY_SOCKET names.
 *
 * The variable is removed from the environment, so that no program started from here speaks for the server.
 *
 * @throws {ServeError} SYSTEM, PERMISSION if there is a manager and it cannot be reached
 */
export function openNotifier(sys: Syscalls, env: NodeJS.ProcessEnv = process.env): Notifier {
  const path = env["NOTIFY_SOCKET"] ?? "";
  delete env["NOTIFY_SOCKET"];
  let fd = /^[/@]/.test(path) ? openSocket(sys, path) : -1;
  const say = (text: string, waitMs = NOTIFY_WAIT_MS) => {
    if (fd >= 0) send(sys, fd, path, text, Math.min(waitMs, NOTIFY_WAIT_MS));
  };
  return {
    ready: (status) => say(`READY=1\n${statusLine(status)}`),
    reloading: () => say(`RELOADING=1\nMONOTONIC_USEC=${Math.floor(sys.monotonic() * 1000)}`),
    stopping: () => say("STOPPING=1"),
    watchdog: (waitMs, status) =>
      say(status === undefined ? "WATCHDOG=1" : `WATCHDOG=1\n${statusLine(status)}`, waitMs),
    [Symbol.dispose]() {
      if (fd >= 0) sys.close(fd);
      fd = -1; // a reload that is still under way sends a message at its end
    },
  };
}

/**
 * How often the manager wants to hear from us, in milliseconds: half of WATCHDOG_USEC, as
 * sd_watchdog_enabled(3) advises. Undefined if it does not watch this process.
 */
export function watchdogMs(
  env: NodeJS.ProcessEnv = process.env,
  pid = process.pid,
): number | undefined {
  const usec = Number(env["WATCHDOG_USEC"]);
  const watched = env["WATCHDOG_PID"];
  delete env["WATCHDOG_USEC"];
  delete env["WATCHDOG_PID"];
  if (!Number.isInteger(usec) || usec <= 0) return undefined;
  if (watched !== undefined && Number(watched) !== pid) return undefined;
  return Math.min(Math.max(1, Math.floor(usec / 2000)), TIMER_MAX_MS);
}
