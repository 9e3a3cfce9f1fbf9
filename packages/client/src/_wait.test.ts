import { expect, test } from "bun:test";
import { loadSyscalls } from "@xsocket/xbind-native";
import { Deadline } from "./_deadline.ts";
import { pause, READABLE, whenReady, within } from "./_wait.ts";

const REASON = new Error("the reason");

test("a signal that was aborted between two waits ends the next one", async () => {
  const controller = new AbortController();
  const deadline = new Deadline({ signal: controller.signal });
  controller.abort(REASON);
  await expect(pause(5000, deadline.signal)).rejects.toBe(REASON);
  await expect(within(new Promise(() => {}), deadline)).rejects.toBe(REASON);
  const native = loadSyscalls();
  const fd = native.eventfd();
  await expect(whenReady(fd, READABLE, deadline)).rejects.toBe(REASON);
  native.close(fd);
});

test("a signal that is aborted meanwhile ends a wait, and one that is not lets it end", async () => {
  const { signal } = new AbortController();
  await pause(1, signal);
  expect(await within(Promise.resolve(7), new Deadline({ signal }))).toBe(7);
  const reason = { name: "TimeoutError" };
  await expect(pause(5000, AbortSignal.timeout(5))).rejects.toMatchObject(reason);
});
