import { expect, test } from "bun:test";
import { untilSignal } from "./signals.ts";

async function hangUp(times: number): Promise<void> {
  for (let i = 0; i < times; i++) process.emit("SIGHUP");
  await Bun.sleep(5);
}

test("SIGHUPs in one go are one reload, those during a reload are one more", async () => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let reloads = 0;
  const running = untilSignal({
    closed,
    stop: () => Promise.resolve(resolve()),
    reload: () => (++reloads === 1 ? gate.promise : Promise.resolve()),
  });
  await hangUp(100);
  expect(reloads).toBe(1);
  await hangUp(100);
  expect(reloads).toBe(1);
  gate.resolve();
  await hangUp(0);
  expect(reloads).toBe(2);
  await hangUp(1);
  expect(reloads).toBe(3);
  process.emit("SIGTERM");
  await running;
});
