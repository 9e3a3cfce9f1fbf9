import { expect, test } from "bun:test";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM } from "@xsocket/protocol";
import { checked, errno, loadSyscalls } from "@xsocket/xbind-native";
import { readFileSync, rmSync } from "node:fs";
import { boundAt, tempDir } from "../../../../tests/harness/index.ts";
import { openNotifier, watchdogMs } from "./notify.ts";

const native = loadSyscalls();

/** A manager's socket at an address. next() returns the next message. */
function manager(address: string): Disposable & { next(): string } {
  const fd = boundAt(address, SOCK_DGRAM);
  const buffer = new Uint8Array(new ArrayBuffer(4096));
  return {
    next: () =>
      new TextDecoder().decode(
        buffer.slice(0, checked("recv", native.receivePacket(fd, buffer, 4096))),
      ),
    [Symbol.dispose]: () => void native.close(fd),
  };
}

test.each([
  ["a path", undefined],
  ["an abstract name", `@notify-${crypto.randomUUID()}`],
])("sends each message to the manager at %s", (_kind, name) => {
  using dir = tempDir();
  const path = name ?? dir.join("notify");
  using heard = manager(path);
  const env: NodeJS.ProcessEnv = { NOTIFY_SOCKET: path };
  using notifier = openNotifier(native, env);
  expect(env).toEqual({});
  notifier.ready("serving\nMAINPID=1\rMAINPID=2\0"); // systemd ends a line at both, and takes no NUL
  expect(heard.next()).toBe("READY=1\nSTATUS=serving MAINPID=1 MAINPID=2 ");
  notifier.reloading();
  const [, usec] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(heard.next()) ?? [];
  expect(Math.abs(native.monotonic() - Number(usec) / 1000)).toBeLessThan(60_000);
  notifier.watchdog(1000, "12 sockets – busy");
  expect(heard.next()).toBe("WATCHDOG=1\nSTATUS=12 sockets – busy");
  notifier.watchdog(1000);
  expect(heard.next()).toBe("WATCHDOG=1");
  notifier.stopping();
  expect(heard.next()).toBe("STOPPING=1");
});

test.each([
  ["it is not there", native, "ENOENT. Remove that variable"],
  [
    "there may be no UNIX sockets",
    { ...native, socket: () => -errno.EAFNOSUPPORT },
    "Allow AF_UNIX",
  ],
])("gives a remedy where the manager cannot be reached: %s", (_why, sys, remedy) => {
  using dir = tempDir();
  expect(() => openNotifier(sys, { NOTIFY_SOCKET: dir.join("notify") })).toThrow(remedy);
});

test("writes nothing to a reused descriptor after it was closed", () => {
  using dir = tempDir();
  const path = dir.join("notify");
  using heard = manager(path);
  const notifier = openNotifier(native, { NOTIFY_SOCKET: path });
  notifier[Symbol.dispose]();
  const other = checked("socket", native.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  notifier.ready("a reload that has waited for its policy");
  notifier[Symbol.dispose]();
  expect(native.close(other)).toBe(0);
  expect(() => heard.next()).toThrow("EAGAIN"); // else the other socket would be connected to the manager
});

test("does nothing without a manager", () => {
  for (const env of [{}, { NOTIFY_SOCKET: "" }, { NOTIFY_SOCKET: "vsock:2:1" }]) {
    using notifier = openNotifier(native, env);
    notifier.ready("x");
  }
});

test("ignores a manager that has gone", () => {
  using dir = tempDir();
  const path = dir.join("notify");
  const heard = manager(path);
  using notifier = openNotifier(native, { NOTIFY_SOCKET: path });
  heard[Symbol.dispose]();
  notifier.watchdog(1000);
});

test("reaches a manager that has made its socket again", () => {
  using dir = tempDir();
  const path = dir.join("notify");
  const former = manager(path);
  using notifier = openNotifier(native, { NOTIFY_SOCKET: path });
  former[Symbol.dispose]();
  rmSync(path);
  notifier.watchdog(1000);
  notifier.watchdog(1000);
  using heard = manager(path);
  notifier.stopping();
  expect(heard.next()).toBe("STOPPING=1");
});

test("waits a bounded time for room in the queue, then drops the message", () => {
  using dir = tempDir();
  const path = dir.join("notify");
  using heard = manager(path);
  const waits: number[] = [];
  const poll: typeof native.poll = (fd, events, waitMs) => {
    waits.push(waitMs);
    return native.poll(fd, events, waitMs);
  };
  using notifier = openNotifier({ ...native, poll }, { NOTIFY_SOCKET: path });
  const room = 1 + Number(readFileSync("/proc/sys/net/unix/max_dgram_qlen", "utf8"));
  for (let n = 0; n < room; n++) notifier.ready(String(n));
  expect(waits).toEqual([]);
  notifier.watchdog(0);
  notifier.ready("no room");
  notifier.watchdog(15_000); // as of a manager that wants a sign of life each minute
  expect(waits).toEqual([0, 1000, 1000]); // the manager had a second each time to make room
  for (let n = 0; n < room; n++) expect(heard.next()).toBe(`READY=1\nSTATUS=${n}`);
  notifier.stopping();
  expect(heard.next()).toBe("STOPPING=1");
});

test("the watchdog interval is half of the manager's, for its process only", () => {
  expect(watchdogMs({ WATCHDOG_USEC: "3000000" }, 7)).toBe(1500);
  expect(watchdogMs({ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "7" }, 7)).toBe(1500);
  expect(watchdogMs({ WATCHDOG_USEC: "3000000", WATCHDOG_PID: "8" }, 7)).toBeUndefined();
  expect(watchdogMs({ WATCHDOG_USEC: "8640000000000" }, 7)).toBe(0x7fffffff); // 100 days
  expect(watchdogMs({ WATCHDOG_USEC: "1" }, 7)).toBe(1);
  const env: NodeJS.ProcessEnv = { WATCHDOG_USEC: "3000000", WATCHDOG_PID: "8" };
  watchdogMs(env, 7);
  expect(env).toEqual({}); // the variables are removed
  for (const usec of ["0", "-1", "x", "1.5", undefined])
    expect(watchdogMs({ WATCHDOG_USEC: usec }, 7)).toBeUndefined();
});
