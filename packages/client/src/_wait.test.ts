import { expect, spyOn, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { EPOLLIN, loadSyscalls } from "@xsocket/xbind-native";
import { Deadline } from "./_deadline.ts";
import { pause, whenReady, within } from "./_wait.ts";

const REASON = new Error("the reason");

test("a signal that is already aborted ends each kind of wait", async () => {
  const controller = new AbortController();
  const deadline = new Deadline({ signal: controller.signal });
  controller.abort(REASON);
  await expect(pause(5000, deadline.signal)).rejects.toBe(REASON);
  await expect(within(new Promise(() => {}), deadline)).rejects.toBe(REASON);
  const native = loadSyscalls();
  const fd = native.eventfd();
  await expect(whenReady(fd, EPOLLIN, deadline)).rejects.toBe(REASON);
  native.close(fd);
});

test("a wait ends by itself, or when its signal is aborted", async () => {
  const { signal } = new AbortController();
  await pause(1, signal);
  expect(await within(Promise.resolve(7), new Deadline({ signal }))).toBe(7);
  const reason = { name: "TimeoutError" };
  await expect(pause(5000, AbortSignal.timeout(5))).rejects.toMatchObject(reason);
});

test("a descriptor that is ready at the deadline counts, even if the loop sees the timer first", async () => {
  const native = loadSyscalls();
  const fd = native.eventfd();
  native.eventfdAdd(fd);
  await whenReady(fd, EPOLLIN, new Deadline({})); // resumes among descriptor events: timers are next
  const limits = { timeoutMs: 20 };
  const wait = whenReady(fd, EPOLLIN, new Deadline(limits));
  Bun.sleepSync(60);
  expect(await wait).toBe(true);
  native.eventfdTake(fd);
  expect(await whenReady(fd, EPOLLIN, new Deadline(limits))).toBe(false);
  native.close(fd);
});

test("a wait for which Bun's epoll set has no room fails at once with ENOSPC and leaves nothing open", async () => {
  const native = loadSyscalls();
  const fd = native.eventfd();
  // Bun cannot poll this, just as if fs.epoll.max_user_watches were reached.
  using create = spyOn(native, "epollCreate").mockImplementation(() => openSync("/dev/null", "r"));
  using add = spyOn(native, "epollCtl").mockReturnValue(0);
  const wait = whenReady(fd, EPOLLIN, new Deadline({ timeoutMs: 1000 }));
  await expect(wait).rejects.toMatchObject({ code: "ENOSPC" });
  expect([create.mock.calls.length, add.mock.calls.length]).toEqual([1, 1]);
  native.close(fd);
});

test("a wait for a regular file fails with EPERM and leaves nothing open", async () => {
  const fd = openSync(import.meta.path, "r");
  const wait = whenReady(fd, EPOLLIN, new Deadline({}));
  await expect(wait).rejects.toMatchObject({ code: "EPERM" });
  closeSync(fd);
});
