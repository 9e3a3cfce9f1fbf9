import { expect, test } from "bun:test";
import { loadSyscalls } from "@xsocket/xbind-native";
import { threadOptions } from "../test/options.ts";
import { Connections } from "./_connections.ts";
import { Judge } from "./_judge.ts";
import { createMemory, Shared, STATE } from "./_memory.ts";

const DESCRIPTORS = 300;

test("however many have waited for too long at once, a look ends some, and the next one more", () => {
  const closed: number[] = [];
  let now = 0;
  const sys = {
    ...loadSyscalls(),
    monotonic: () => now,
    epollCtl: () => 0,
    poll: () => 0,
    close: (fd: number) => closed.push(fd),
  };
  const memory = createMemory(DESCRIPTORS, 1);
  const options = threadOptions(memory, DESCRIPTORS);
  const connections = new Connections({
    options,
    sys,
    shared: new Shared(memory),
    epollFd: -1,
    judge: new Judge(options.policy, () => 0),
    say: () => {},
    logs: () => false,
  });
  for (let fd = 100; fd < 250; fd++) {
    connections.open(fd);
    connections.release(fd, STATE.fresh);
  }
  now = options.bounds.firstRequestMs;
  const looks = Array.from({ length: 3 }, () => {
    connections.lookAtDue();
    return { closed: closed.length, waitMs: connections.waitMs() };
  });
  expect(looks).toEqual([
    { closed: 64, waitMs: 0 },
    { closed: 128, waitMs: 0 },
    { closed: 150, waitMs: -1 },
  ]);
});
